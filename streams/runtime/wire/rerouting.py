"""Re-routed records: copies of messages that were sent to another partition than their case's.

The case stage of the partition that received such a message publishes a copy to the partition of
the case, in the transaction that commits the offset of the message. The copy counts, the original
does not. The header `rerouted-from` of the copy has the coordinates of the original.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.errors import IcsrError, RejectCode
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES

__all__ = ["REROUTED_FROM", "Rerouted", "origin_of", "rerouted_record"]

REROUTED_FROM = "rerouted-from"
_FRAMING = 4_096  # bytes; upper bound for the framing of a record and its batch
_HEADER_FRAMING = 10  # bytes; two lengths of at most 5 bytes
_AGAIN = (
    "partition: a re-routed message must be on the partition of its case; got another one. Publish "
    f"it again without the header {REROUTED_FROM}"
)


class Rerouted(msgspec.Struct, array_like=True, frozen=True):
    """A record to publish to another partition of its topic, as an entry of the outbox has it."""

    partition: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp: int  # of the original [ms since 1970-01-01]; -1 if it has none

    @property
    def origin(self) -> str:
        """Coordinates of the original, such as `pv.reports[3]@17`."""
        return self.headers[-1][1].decode()


def rerouted_record(record: Any, key: bytes, *, partition: int, source: str) -> Rerouted:
    """Return the copy of a consumed record for the partition that its key belongs to.

    Value, headers and timestamp are those of the record. A header without a value gets an empty
    one, since the client can send no other. The coordinates of an original on another topic, from
    which the record was copied, are replaced.

    Parameters
    ----------
    record
        As polled.
    key
        Of the copy; the record may have none.
    partition
        Partition of the copy.
    source
        Topic and partition of the record, as in `pv.reports[3]`.

    Raises
    ------
    IcsrError
        If the record was re-routed on this topic before: to do so again could repeat for ever. Or
        if it is too large with one header more.
    """
    before = origin_of(record.headers)
    if before is not None and before.startswith(f"{source.rpartition('[')[0]}[".encode()):
        raise IcsrError(_AGAIN, RejectCode.PARTITION)
    headers = [(name, value or b"") for name, value in record.headers if name != REROUTED_FROM]
    headers.append((REROUTED_FROM, f"{source}@{record.offset}".encode()))
    size = len(key) + len(record.value) + _FRAMING
    size += sum(len(name.encode()) + len(value) + _HEADER_FRAMING for name, value in headers)
    if size > MAX_MESSAGE_BYTES:
        msg = f"headers: at most {MAX_MESSAGE_BYTES} bytes can be re-routed; got {size}"
        raise IcsrError(msg, RejectCode.TOO_LONG)
    return Rerouted(partition, key, record.value, headers, record.timestamp)


def origin_of(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """Return the coordinates of a re-routed record's original; `None` for any other record.

    >>> origin_of([("rerouted-from", b"pv.reports[3]@17")])
    b'pv.reports[3]@17'
    """
    return dict(headers).get(REROUTED_FROM)
