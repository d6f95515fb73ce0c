"""A log of three decisions on two signals, and the alerts' assessments after them."""

from datetime import UTC, datetime
from pathlib import Path

from schemas.decision import AuditEntry, Decision, SignalState
from streams.runtime.operations.audit_log import AuditLog
from tests.support.alerts import safety, signal

SDR, LOT = signal(3), safety()
STEPS = (
    (SDR.signal_key, "under_triage", "bo", "ann"),
    (LOT.signal_key, "under_triage", "cy", None),
    (SDR.signal_key, "validated", "dee", None),
)
UNDECIDED = {"decided_at": None, "decided_alert_id": None, "due": None, "overdue": False}
"""Of a signal without a decision; of one that states no due day."""
DETECTED = {"state": "detected", "since": None, "assignee": None, "decided_by": None, **UNDECIDED}
"""Of a signal on which nobody has decided."""
VALIDATED = {
    "state": "validated",
    "since": "2024-01-03T00:00:00Z",
    "assignee": "ann",
    "decided_by": "dee",
    **UNDECIDED,
    "decided_at": "2024-01-03T00:00:00Z",
}
"""Of `SDR` after `STEPS`."""
TRIAGE = {
    "state": "under_triage",
    "since": "2024-01-02T00:00:00Z",
    "assignee": None,
    "decided_by": "cy",
    **UNDECIDED,
}
"""Of `LOT` after `STEPS`."""


def decided(path: Path) -> list[AuditEntry]:
    """Write a log of `STEPS`, a day each from 2024-01-01 on."""
    return [
        AuditLog(path).decide(
            Decision(
                signal_key=key,
                to=SignalState(to),
                by=by,
                assignee=assignee,
                reason="" if to == "under_triage" else "read the reports",
            ),
            datetime(2024, 1, day, tzinfo=UTC),
        )
        for day, (key, to, by, assignee) in enumerate(STEPS, start=1)
    ]
