"""Recomputes safety alerts from the reports and notices before their offsets, and compares them.

The cases come from a plain recount of current versions, without batches, deltas or state. All
notices before the offsets go to a monitor that knows only the previous revision of the signal. Its
next revision must be the alert.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import InputError
from schemas.notice import Notice
from schemas.safety_alert import SafetyAlert
from streams.core.cases.link_decisions import is_linked_away
from streams.core.cases.transitions import CaseVersion, joined
from streams.core.recount.alerts import Difference
from streams.core.safety.monitor import SafetyMonitor

__all__ = ["RecountedSafety", "recount_safety"]

_NOT_OF_INPUT = {"code_version", "assessment"}  # a later one says so; people decide
Placed = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class RecountedSafety:
    """One safety alert, and the result of the recount of its input.

    Attributes
    ----------
    messages
        Reports and notices of the input, markers of transactions included.
    compared
        How many fields were compared.
    differences
        Those that differ.
    """

    alert: SafetyAlert
    messages: int
    compared: int
    differences: tuple[Difference, ...]


def recount_safety(
    alerts: Iterable[SafetyAlert],
    before: Mapping[tuple[str, int], SafetyAlert],
    versions: Sequence[tuple[Placed, CaseVersion]],
    notices: Sequence[tuple[Placed, Notice]],
    *,
    topics: tuple[str, str],
) -> Iterator[RecountedSafety]:
    """Recount safety alerts.

    Parameters
    ----------
    before
        Other revisions, by signal key and number: that before each alert must be there.
    versions, notices
        Each with its place; in any order.
    topics
        Names of reports and notices, as `as_of` has them.

    Raises
    ------
    InputError
        If the revision before an alert is missing, or an offset is of another topic.
    """
    for alert in alerts:
        ends: dict[str, dict[int, int]] = {topic: {} for topic in topics}
        for at in alert.as_of:
            if at.topic not in ends:
                msg = f"alert {alert.alert_id}: must be of {' and '.join(topics)}; got {at.topic}"
                raise InputError(msg)
            ends[at.topic][at.partition] = at.next_offset
        watch = SafetyMonitor()
        if alert.revision > 1:
            earlier = before.get((alert.signal_key, alert.revision - 1))
            if earlier is None:
                msg = (
                    f"alert {alert.alert_id}: revision {alert.revision - 1} of its signal must be "
                    "among the alerts given, since a revision says what changed; got none"
                )
                raise InputError(msg)
            watch.restore([earlier])
        counted = _counted(_until(versions, ends[topics[0]]))
        watch.count((version.watched, 1) for version in counted if version.watched)
        for notice in _until(notices, ends[topics[1]]):
            watch.hear(notice)
        made = watch.evaluate(alert.evaluated_on, alert.as_of)
        found = next((one for one in made if one.signal_key == alert.signal_key), None)
        published, recounted = (_fields(one) for one in (alert, found))
        yield RecountedSafety(
            alert,
            messages=sum(at.next_offset for at in alert.as_of),
            compared=len(published),
            differences=tuple(
                Difference(name, value, recounted.get(name))
                for name, value in published.items()
                if value != recounted.get(name)
            ),
        )


def _until(placed: Iterable[tuple[Placed, Any]], ends: Mapping[int, int]) -> Iterator[Any]:
    for (partition, offset), one in placed:
        if offset < ends.get(partition, 0):
            yield one


def _counted(versions: Iterable[CaseVersion]) -> list[CaseVersion]:
    held: dict[str, CaseVersion] = {}
    for version in versions:
        other = held.get(version.case_id)
        held[version.case_id] = version if other is None else joined(version, other)
    return [
        one
        for one in held.values()
        if one.version >= 0 and not one.excluded and not is_linked_away(one.links)
    ]


def _fields(alert: SafetyAlert | None) -> dict[str, Any]:
    return {} if alert is None else alert.model_dump(mode="json", exclude=_NOT_OF_INPUT)
