"""Reports that follow the scenario: a follow-up, and nullifications that end its first signal."""

from datetime import date

from schemas.report import Report, Revision
from schemas.vocabulary import Outcome, RevisionKind
from streams.demo.scenario import story

__all__ = ["epilogue"]

_FOLLOWED_UP, _NULLIFIED = date(2024, 5, 27), date(2024, 6, 3)


def epilogue() -> list[Report]:
    """Return a follow-up of the first case of sepsis, then nullifications of the first two.

    Two cases are left, fewer than the rules need, so the signal is retracted.
    """
    first, second = [
        entry.item
        for entry in story()
        if isinstance(entry.item, Report)
        and any(reaction.term == "Sepsis" for reaction in entry.item.reactions)
    ][:2]
    reactions = tuple(
        reaction.model_copy(update={"outcome": Outcome.RECOVERED}) for reaction in first.reactions
    )
    follow_up = first.model_copy(
        update={"version": 2, "latest_received": _FOLLOWED_UP, "reactions": reactions}
    )
    return [follow_up, _nullification(follow_up), _nullification(second)]


def _nullification(report: Report) -> Report:
    return Report(
        case_id=report.case_id,
        version=report.version + 1,
        source=report.source,
        first_received=report.first_received,
        latest_received=_NULLIFIED,
        revision=Revision(kind=RevisionKind.NULLIFICATION, reason="reported in error"),
    )
