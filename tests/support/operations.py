"""A desk of a replay, with rejects, suppressed changes, controls and deliveries."""

from datetime import date
from pathlib import Path
from typing import Any

from detectors.rules import load_rules
from schemas.calibration import Calibration
from schemas.rejected import Rejected
from schemas.subscription import Tier
from schemas.suppressed import Suppressed, SuppressionReason
from streams.console.desk import Intake
from streams.console.operations.rejects import KeptRejects
from streams.console.suppressed_changes import SuppressedChanges
from streams.delivery.alert_sources import AnyAlert
from tests.support.alerts import safety, signal, subscription
from tests.support.api_server import NOW
from tests.support.desk import Site

__all__ = ["REJECTS", "calibrated", "replayed_site"]

REJECTS = (
    Rejected(source="a.csv", position=4, reason="DAY must be a day; got '1'", raw=b"jane doe\nx"),
    Rejected(source="a.csv", position=9, reason="DAY must be a day; got '2'", raw=b"john doe"),
    Rejected(source="b.csv", position=2, reason="must be UTF-8; got byte 3", raw=b"\xff"),
)


def calibrated(on: int, n_controls: int = 50) -> Calibration:
    """Return what controls show, of which so many are alarms."""
    return Calibration(
        n_controls=n_controls,
        n_controls_with_case=5,
        n_controls_on=on,
        false_alert_rate=on / n_controls,
        mean=None,
        sd=None,
        lower=None,
    )


def replayed_site(folder: Path, **desk: Any) -> Site:
    """Return a site that replayed 1,234 messages and published three revisions."""
    alerts: list[AnyAlert] = [
        signal(drug="A").model_copy(update={"calibration": calibrated(2)}),
        safety(),
        signal(drug="A", revision=2).model_copy(
            update={"evaluated_on": date(2024, 2, 3), "calibration": calibrated(3)}
        ),
    ]
    rejects, suppressed = KeptRejects(), SuppressedChanges()
    for reject in REJECTS:
        rejects.add(reject)
    for number in range(7):
        suppressed.add(
            Suppressed(
                signal_key="A|Sepsis|cumulative",
                evaluated_on=date(2024, 1, 2 + number),
                reason=SuppressionReason.FEW_MORE_CASES
                if number
                else SuppressionReason.WITHIN_BAND,
                revision=1,
                n_observed=4,
                n_published=3,
            )
        )
    known: dict[str, Any] = {
        "intake": Intake(
            sources=("a.csv", "b.csv"),
            replayed=True,
            closed=date(2024, 2, 3),
            n_counted=1_200,
            n_rejected=len(REJECTS),
            n_messages=1_234,
            rules=load_rules(["tocsin"]),
            controls=(("a", "sepsis"), ("b", "sepsis")),
        ),
        "rejects": rejects,
        "suppressed": suppressed,
    }
    site = Site.of(folder, alerts, **(known | desk))
    with site.service.outbox() as outbox:
        outbox.subscribe(subscription(Tier.AUTHORITY, "theirs"))
        outbox.subscribe(
            subscription(Tier.CONSUMER, "mine").model_copy(update={"subscriber": "M. Okafor"})
        )
        outbox.put(signal(drug="B"), source="b", position=0, now=NOW)
    return site
