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
from streams.core.cases.versions import as_released, release_key
from streams.core.recount.comparison import Difference
from streams.core.safety.monitor import SafetyMonitor

__all__ = ["RecountedSafety", "recount_safety"]

_NOT_OF_INPUT = {
    "code_version",
    "assessment",
}  # the version may be later; people decide on the assessment
Placed = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class RecountedSafety:
    """Result of the recount of one safety alert.

    Attributes
    ----------
    messages
        Reports and notices of the input, transaction markers included.
    compared
        Number of fields compared.
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
        Other revisions, by signal key and number; the one before each alert is required.
    versions, notices
        Each with its partition and offset, in any order.
    topics
        Topics of reports and notices, as named in `as_of`.

    Raises
    ------
    InputError
        If the revision before an alert is missing, or an offset is of another topic.
    """
    for alert in alerts:
        ends: dict[str, dict[int, int]] = {topic: {} for topic in topics}
        for end in alert.as_of:
            if end.topic not in ends:
                msg = f"alert {alert.alert_id}: must be of {' and '.join(topics)}; got {end.topic}"
                raise InputError(msg)
            ends[end.topic][end.partition] = end.next_offset
        monitor = SafetyMonitor()
        if alert.revision > 1:
            earlier = before.get((alert.signal_key, alert.revision - 1))
            if earlier is None:
                msg = (
                    f"alert {alert.alert_id}: revision {alert.revision - 1} of its signal must be "
                    "among the alerts given, since a revision says what changed; got none"
                )
                raise InputError(msg)
            monitor.restore([earlier])
        counted = _counted(versions, ends[topics[0]])
        monitor.count((version.watched, 1) for version in counted if version.watched)
        for notice in _until(notices, ends[topics[1]]):
            monitor.apply_notice(notice)
        made = monitor.evaluate(alert.evaluated_on, alert.as_of)
        found = next(
            (revision for revision in made if revision.signal_key == alert.signal_key), None
        )
        published, recounted = _fields(alert), _fields(found)
        yield RecountedSafety(
            alert,
            messages=sum(end.next_offset for end in alert.as_of),
            compared=len(published),
            differences=tuple(
                Difference(name, value, recounted.get(name))
                for name, value in published.items()
                if value != recounted.get(name)
            ),
        )


def _until(placed: Iterable[tuple[Placed, Any]], ends: Mapping[int, int]) -> Iterator[Any]:
    for (partition, offset), item in placed:
        if offset < ends.get(partition, 0):
            yield item


def _counted(
    placed: Iterable[tuple[Placed, CaseVersion]], ends: Mapping[int, int]
) -> list[CaseVersion]:
    current: dict[tuple[int, str], CaseVersion] = {}  # a marker concerns the cases of its partition
    for (partition, offset), version in placed:
        if offset < ends.get(partition, 0):
            key = partition, version.case_id
            other = current.get(key)
            current[key] = version if other is None else joined(version, other)
    cases = [
        as_released(case, current.get((partition, release_key(case.scope))))
        for (partition, _), case in current.items()
        if case.version >= 0
    ]
    return [
        case
        for case in cases
        if not (case.excluded or case.withdrawn or is_linked_away(case.links))
    ]


def _fields(alert: SafetyAlert | None) -> dict[str, Any]:
    return {} if alert is None else alert.model_dump(mode="json", exclude=_NOT_OF_INPUT)
