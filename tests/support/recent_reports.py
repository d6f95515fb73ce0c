"""Reports of the last days, and the rules by which they make two signals."""

from datetime import UTC, datetime, timedelta

from schemas.report import Report
from schemas.vocabulary import Seriousness
from tests.support.reports import make_report

__all__ = ["RECENT_RULES", "recent_reports"]

RECENT_RULES = ("--rules", "mhra", "--screening", "none")


def recent_reports() -> list[Report]:
    """Return reports of the last days: five of zinc and rash, four serious ones of lead."""
    today = datetime.now(UTC).date()
    kinds: list[tuple[str, str, tuple[Seriousness, ...]]] = [
        *[("zinc", "Rash", ())] * 5,
        *[("lead", "Gout", (Seriousness.HOSPITALISATION,))] * 4,
        *[("iron", "Fever", ())] * 60,
    ]
    return [
        make_report(
            f"C{place}",
            day=today - timedelta(days=20 - place % 20),
            drugs=[drug],
            events=[event],
            seriousness=serious,
        )
        for place, (drug, event, serious) in enumerate(kinds)
    ]
