"""Publish files to `pv.reports` and `pv.notices`; unreadable items go to `pv.rejected`."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

from schemas.errors import BrokerError, IcsrError
from schemas.notice import Notice
from schemas.rejected import Rejected
from schemas.release import ReleaseMarker
from schemas.report import Report
from streams.intake.bounded import next_items
from streams.intake.files import SourceItem
from streams.intake.native import decode_message
from streams.runtime.broker.clients import make_producer
from streams.runtime.broker.errors import broker_errors
from streams.runtime.broker.topics import topic_name
from streams.runtime.settings import Settings
from streams.runtime.wire.rejects import reject_record

__all__ = ["publish_notices", "publish_source"]

_CHUNK = 10_000
_Item = TypeVar("_Item")
_Record = tuple[bytes, bytes]  # key and value


def _ignore(rejected: Rejected) -> None:
    """Do nothing with a reject but publish it."""


def publish_source(
    settings: Settings,
    source: str,
    items: Iterable[tuple[int, SourceItem]],
    tally: Counter[str],
    on_rejected: Callable[[Rejected], None] = _ignore,
) -> Iterator[int]:
    """Publish the reports of a source; yield the number of items of each acknowledged chunk.

    An interrupted run can be repeated from the start: a repeated message changes no count.
    A release marker goes to every partition, once all before it are acknowledged.
    `on_rejected` is called for each reject before it is acknowledged.

    Raises
    ------
    BrokerError
        If a record was not acknowledged.
    """
    record_of = partial(_record, source)
    yield from _publish(settings, source, "reports", items, record_of, tally, on_rejected)


def publish_notices(
    settings: Settings,
    source: str,
    items: Iterable[Notice | Rejected],
    tally: Counter[str],
    on_rejected: Callable[[Rejected], None] = _ignore,
) -> Iterator[int]:
    """Publish notices keyed by subject; yield the number of items of each acknowledged chunk.

    It can be repeated too: a repeated notice counts once.

    Raises
    ------
    BrokerError
        If a record was not acknowledged.
    """
    yield from _publish(settings, source, "notices", items, _notice_record, tally, on_rejected)


def _publish(
    settings: Settings,
    source: str,
    name: str,
    items: Iterable[_Item],
    record_of: Callable[[_Item], _Record | ReleaseMarker | Rejected],
    tally: Counter[str],
    on_rejected: Callable[[Rejected], None],
) -> Iterator[int]:
    topic, rejects = topic_name(settings, name), topic_name(settings, "rejected")
    with broker_errors(f"publish {source}"):
        producer = make_producer(settings)
        try:
            remaining = iter(items)
            while chunk := list(next_items(remaining, _CHUNK)):
                futures: list[Any] = []
                for item in chunk:
                    record = record_of(item)
                    if isinstance(record, ReleaseMarker):
                        _require_acknowledged(producer, source, futures)
                        futures += _close_release(producer, topic, record)
                        tally["releases"] += 1
                    elif isinstance(record, Rejected):
                        value, key, headers = reject_record(record)
                        futures.append(
                            producer.send(rejects, value, key, headers=list(headers.items()))
                        )
                        tally["rejected"] += 1
                        on_rejected(record)
                    else:
                        key, value = record
                        futures.append(producer.send(topic, value, key))
                        tally[name] += 1
                _require_acknowledged(producer, source, futures)
                yield len(chunk)
        finally:
            producer.close()


def _close_release(producer: Any, topic: str, marker: ReleaseMarker) -> list[Any]:
    """Send a release marker to every partition; return the futures."""
    key, value = marker.scope.encode(), marker.model_dump_json(exclude_none=True).encode()
    return [
        producer.send(topic, value, key, partition=partition)
        for partition in sorted(producer.partitions_for(topic))
    ]


def _require_acknowledged(producer: Any, source: str, futures: Iterable[Any]) -> None:
    producer.flush()
    for future in futures:
        if not future.succeeded():
            msg = f"publish {source}: every record must be acknowledged; got "
            raise BrokerError(msg + str(future.exception))


def _notice_record(item: Notice | Rejected) -> _Record | Rejected:
    if isinstance(item, Rejected):
        return item
    return item.subject_id.encode(), item.model_dump_json(exclude_defaults=True).encode()


def _record(source: str, placed: tuple[int, SourceItem]) -> _Record | ReleaseMarker | Rejected:
    """Return key and value of a report or link, the marker, or the reject."""
    place, item = placed
    if isinstance(item, Rejected | ReleaseMarker):
        return item
    if isinstance(item, Report):
        return item.case_id.encode(), item.model_dump_json(exclude_defaults=True).encode()
    try:
        found = decode_message(item)
        return found if isinstance(found, ReleaseMarker) else (found.case_id.encode(), item)
    except IcsrError as error:
        return Rejected(source=source, position=place, reason=str(error), raw=item, code=error.code)
