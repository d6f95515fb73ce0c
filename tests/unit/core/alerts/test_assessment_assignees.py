"""Who takes care of a signal: in the log and over HTTP."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from schemas.decision import GENESIS, AuditEntry, Decision, SignalState
from schemas.subscription import Tier
from streams.core.alerts.assessment import assessments_after
from streams.runtime.operations.audit_log import AuditLog
from tests.support.alerts import signal
from tests.support.api_server import client_of, feed, service_in, serving, token_of

SDR = signal(3)
KEY = "A|B|cumulative"


def decision(to: str, key: str = KEY, assignee: str | None = None) -> Decision:
    reason = "" if to == "under_triage" else "read the reports"
    return Decision(
        signal_key=key, to=SignalState(to), by="a.lead", assignee=assignee, reason=reason
    )


def assignees(steps: list[Decision]) -> dict[str, str | None]:
    at = {"number": 1, "at": datetime(2024, 1, 2, tzinfo=UTC), "from": SignalState.DETECTED}
    chain = {"previous_hash": GENESIS, "hash": GENESIS}
    entries = [AuditEntry.model_validate({**at, **chain, "decision": step}) for step in steps]
    return {key: one.assignee for key, one in assessments_after(entries).items()}


def test_a_signal_stays_with_who_had_it_until_it_is_given_to_another() -> None:
    steps = [
        decision("under_triage", assignee="ann"),
        decision("under_triage", key="C|D|cumulative"),
        decision("validated"),
    ]
    assert assignees(steps) == {KEY: "ann", "C|D|cumulative": None}
    steps.append(decision("confirmed", assignee="bo"))
    assert assignees(steps) == {KEY: "bo", "C|D|cumulative": None}


def test_a_step_that_names_nobody_is_written_as_it_always_was(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.decide(decision("under_triage"), datetime(2024, 1, 2, tzinfo=UTC))
    log.decide(decision("validated", assignee="ann"), datetime(2024, 1, 3, tzinfo=UTC))
    first, second = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert "assignee" not in first
    assert '"assignee":"ann"' in second
    assert len(log.verify().entries) == 2


def test_the_authority_sees_every_step_and_nobody_else(tmp_path: Path) -> None:
    service = service_in(tmp_path)
    feed(service, [SDR], [])
    there = f"/v1/signals/{quote(SDR.signal_key, safe='')}"
    with serving(service) as address:
        with client_of(address, token_of(service)) as whole:
            before = whole.get(there).json()
            step = {"to": "under_triage", "assignee": "ann"}
            assert whole.post(f"{there}/decisions", json=step).status_code == 201
            step = {"to": "monitoring", "reason": "two more cases would settle it"}
            assert whole.post(f"{there}/decisions", json=step).status_code == 201
            after = whole.get(there).json()
        with client_of(address, token_of(service, Tier.CONSUMER)) as consumer:
            hidden = consumer.get(there).json()
    assert (before["assessment"], before["assignee"], before["decisions"]) == ("detected", None, [])
    assert (after["assessment"], after["assignee"]) == ("monitoring", "ann")
    steps = [entry["decision"] for entry in after["decisions"]]
    assert [step["to"] for step in steps] == ["under_triage", "monitoring"]
    assert {step["by"] for step in steps} == {"PMDA"}
    assert (hidden["assessment"], hidden["assignee"], hidden["decisions"]) == (None, None, [])
