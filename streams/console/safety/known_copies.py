"""Safety alerts as their tier knows them on a day, by subject."""

from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import unquote

from schemas.safety_alert import AlertCategory, SafetyAlertKind
from schemas.subscription import Tier
from streams.console.desk import Desk
from streams.delivery.api.read_model import ReadModel
from streams.delivery.tiers import Copy

__all__ = ["KnownSignal", "day_of", "known_signals", "page_day", "subject_of"]

_ENDED = {SafetyAlertKind.CLOSED.value, SafetyAlertKind.RETRACTION.value}


@dataclass(frozen=True, slots=True)
class KnownSignal:
    """The revisions of one safety alert that were known, as copies of a tier, in order."""

    key: str
    copies: Sequence[Copy]

    @property
    def latest(self) -> Copy:
        """Return the last one."""
        return self.copies[-1]

    @property
    def category(self) -> AlertCategory:
        """Return the category."""
        return AlertCategory(self.latest["category"])

    @property
    def is_open(self) -> bool:
        """Return whether it has not ended."""
        return self.latest["kind"] not in _ENDED


def page_day(desk: Desk, tier: Tier, as_of: date | None) -> date:
    """Return the day of a page: the asked one, else the last day of the data.

    Only authorities know the days of notices.
    """
    if as_of is not None:
        return as_of
    if not desk.intake.replayed or desk.intake.closed is None:
        return desk.service.now().date()
    known = desk.safety if tier is Tier.AUTHORITY else None
    last = None if known is None else known.last_notice()
    return max(desk.intake.closed, last or desk.intake.closed)


def subject_of(key: str) -> str:
    """Return the subject of a safety alert from its key, as the tier of the key names it.

    >>> subject_of("LOT_CLUSTER|msc-supernatant-exosome|infection|EX%2F117")
    'EX/117'
    """
    return unquote(key.rpartition("|")[2])


def known_signals(
    model: ReadModel, tier: Tier, as_of: date | None, wanted: Callable[[str], bool]
) -> list[KnownSignal]:
    """Return the safety alerts of a tier that were known on a day, in order of key.

    Parameters
    ----------
    as_of
        The day; None is now.
    wanted
        Tells whether an alert is asked for, from its key.
    """
    keys = [
        key
        for category in AlertCategory
        for key in model.keys(tier, begins=f"{category}|")
        if wanted(key)
    ]
    return list(_known(model, tier, as_of, sorted(keys)))


def _known(
    model: ReadModel, tier: Tier, as_of: date | None, keys: Sequence[str]
) -> Iterator[KnownSignal]:
    for key in keys:
        every = model.revisions(tier, key)
        copies = [copy for copy in every if as_of is None or day_of(copy) <= as_of]
        if copies:
            yield KnownSignal(key, tuple(copies))


def day_of(copy: Copy) -> date:
    """Return the day of evaluation of a copy, or the last day of the month that it states."""
    if "evaluated_on" in copy:
        return date.fromisoformat(copy["evaluated_on"])
    year, month = map(int, str(copy["evaluated_in"]).split("-"))
    return date(year, month, monthrange(year, month)[1])
