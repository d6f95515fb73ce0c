"""Files onto `pv.reports`: what can be read goes there by case id, the rest to the rejects."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from schemas.errors import BrokerError, IcsrError
from schemas.rejected import Rejected
from schemas.report import Report
from streams.intake.native import decode_message
from streams.runtime.kafka_errors import broker_errors
from streams.runtime.kafka_io import make_producer
from streams.runtime.rejects import reject_record
from streams.runtime.replay import SourceItem
from streams.runtime.settings import Settings
from streams.runtime.topics import topic_name

__all__ = ["publish_source"]

_CHUNK = 10_000


def publish_source(
    settings: Settings, source: str, items: Iterable[tuple[int, SourceItem]], tally: Counter[str]
) -> Iterator[int]:
    """Publish a source; yield the number of items after each chunk the broker has acknowledged.

    A run that breaks off may be repeated from the start: a repeated message changes no count.

    Raises
    ------
    BrokerError
        If a record was not acknowledged.
    """
    reports, rejects = topic_name(settings, "reports"), topic_name(settings, "rejected")
    with broker_errors(f"publish {source}"):
        producer = make_producer(settings)
        try:
            remaining = iter(items)
            while chunk := list(islice(remaining, _CHUNK)):
                futures: list[Any] = []
                for place, item in chunk:
                    record = _record(item, source, place)
                    if isinstance(record, Rejected):
                        value, key, headers = reject_record(record)
                        futures.append(
                            producer.send(rejects, value, key, headers=list(headers.items()))
                        )
                        tally["rejected"] += 1
                    else:
                        key, value = record
                        futures.append(producer.send(reports, value, key))
                        tally["published"] += 1
                producer.flush()
                for future in futures:
                    if not future.succeeded():
                        msg = f"publish {source}: every record must be acknowledged; got "
                        raise BrokerError(msg + str(future.exception))
                yield len(chunk)
        finally:
            producer.close()


def _record(item: SourceItem, source: str, place: int) -> tuple[bytes, bytes] | Rejected:
    """Return key and value, or why there is none."""
    if isinstance(item, Rejected):
        return item
    if isinstance(item, Report):
        return item.case_id.encode(), item.model_dump_json(exclude_defaults=True).encode()
    try:
        return decode_message(item).case_id.encode(), item
    except IcsrError as error:
        return Rejected(source=source, position=place, reason=str(error), raw=item)
