"""Worklist of an assessor: signals in the order of their priority on a day."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from math import inf

from schemas.alert import Alert, SignalGrade
from schemas.priority import Priority
from streams.core.alerts.priority import priority_on

__all__ = ["RECENT_DAYS", "RankedSignal", "latest_revisions", "worklist"]

RECENT_DAYS = 90
"""A signal is listed if its latest revision has a case received in so many days."""


@dataclass(frozen=True, slots=True)
class RankedSignal:
    """One line of a worklist.

    Attributes
    ----------
    rank
        From 1.
    priority
        Of the day of the list; that in the alert is of the day of the alert.
    """

    rank: int
    alert: Alert
    priority: Priority


def worklist(
    latest: Iterable[Alert], day: date, *, grade: SignalGrade | None = None
) -> list[RankedSignal]:
    """Rank the signals that are on, and have a case of the last 90 days, by their priority.

    Signals of equal totals are ordered by their crude IC025, then by key.

    Parameters
    ----------
    latest
        The latest revision of each signal.
    day
        Day of the list.
    grade
        List the signals of this grade alone; None for all.
    """
    listed = [
        (priority_on(alert, day), alert)
        for alert in latest
        if alert.rules_fired
        and (day - (alert.last_received or date.min)).days < RECENT_DAYS
        and (grade is None or alert.grade is grade)
    ]
    listed.sort(key=_place)
    return [RankedSignal(rank, alert, found) for rank, (found, alert) in enumerate(listed, 1)]


def _place(listed: tuple[Priority, Alert]) -> tuple[float, float, str]:
    priority, alert = listed
    ic_lower = alert.statistics.ic_lower
    return -priority.total, inf if ic_lower is None else -ic_lower, alert.signal_key


def latest_revisions(alerts: Iterable[Alert]) -> Iterator[Alert]:
    """Yield the latest revision of each signal, in the order of their first revisions."""
    latest: dict[str, Alert] = {}
    for alert in alerts:
        before = latest.get(alert.signal_key)
        if before is None or alert.revision > before.revision:
            latest[alert.signal_key] = alert
    yield from latest.values()
