"""Changelog of the case store, `pv.cases`, from which any machine can restore the cases.

The transaction of a batch also writes the pairs that the batch stored to `pv.cases`, to the
partition with the number of the input partition. Read in order, the last value of a key is current.
Superseded values would accumulate; so once a changelog has outgrown its state, the database is
copied into it, chunk by chunk between the batches. From the first chunk on, the records then add up
to the whole state: that is the new base, and earlier records are deleted.

The last record has the full status of a changelog, so a crash needs no cleanup: an interrupted copy
resumes after its last committed chunk.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Self

import msgspec
import polars as pl

from schemas.errors import StateError
from streams.runtime.wire.formats import COUNT_AGAIN
from streams.runtime.wire.limits import too_large

__all__ = [
    "ChangelogRecord",
    "Pair",
    "Part",
    "Progress",
    "decode_last",
    "decode_pairs",
    "decode_record",
    "encode_pairs",
    "encode_record",
]

Pair = tuple[bytes, bytes | None]
"""A key of the database and its value; without a value, the key was deleted."""
_FORMAT = 4
_PART_BYTES = 8 << 20  # of pairs in one record, before compression
_OVERHEAD = 200  # bytes of a record besides its pairs: its share of markers and framing
_GROWTH = 2  # a new copy is due when the changelog exceeds this many times the last copy...
_FLOOR = 16 << 20  # ...plus so many bytes


class Part(NamedTuple):
    """Pairs of one record: their number, and the pairs as an Arrow IPC file (zstd)."""

    pairs: int
    encoded: bytes


class Progress(msgspec.Struct, array_like=True, frozen=True):
    """Base of a changelog, and progress of the copy that will replace it.

    Attributes
    ----------
    base
        Offset in `pv.cases` from which the records add up to the state; -1 without a base.
    base_size
        Size of the copy at the base.
    size, pairs
        Total of all records since the base.
    copy_start, copy_size, copy_pairs, copy_total
        Copy in progress: its first offset (-1: none), the size of its chunks, and the pairs and
        size of all records since its start.
    copy_after
        Last copied key.
    """

    base: int = -1
    base_size: int = 0
    size: int = 0
    pairs: int = 0
    copy_start: int = -1
    copy_size: int = 0
    copy_pairs: int = 0
    copy_total: int = 0
    copy_after: bytes = b""

    @property
    def copying(self) -> bool:
        """Return whether a copy is in progress."""
        return self.copy_start >= 0

    @property
    def due(self) -> bool:
        """Return whether a copy should start or continue now."""
        return self.copying or self.base < 0 or self.size > _GROWTH * self.base_size + _FLOOR

    def after_part(self, part: Part) -> Self:
        """Return the progress after another record."""
        size = len(part.encoded) + _OVERHEAD
        return msgspec.structs.replace(
            self,
            size=self.size + size,
            pairs=self.pairs + part.pairs,
            copy_pairs=self.copy_pairs + part.pairs,
            copy_total=self.copy_total + size,
        )

    def begin_copy(self, offset: int) -> Self:
        """Return the progress when the next record is the first chunk of a copy."""
        return msgspec.structs.replace(
            self, copy_start=offset, copy_size=0, copy_pairs=0, copy_total=0, copy_after=b""
        )

    def after_chunk(self, part: Part, after: bytes, *, last: bool) -> Self:
        """Return the progress after another chunk of the copy, whose last key is `after`."""
        progress = self.after_part(part)
        size = progress.copy_size + len(part.encoded) + _OVERHEAD
        if last:
            return type(self)(progress.copy_start, size, progress.copy_total, progress.copy_pairs)
        return msgspec.structs.replace(progress, copy_size=size, copy_after=after)


class ChangelogRecord(msgspec.Struct, array_like=True, frozen=True):
    """One record of `pv.cases`.

    Attributes
    ----------
    format
        Version of the format; any other is refused.
    partitions
        Number of partitions of `pv.reports`.
    first_offset, next_offset
        Half-open range of the messages that changed the cases; equal for a chunk of a copy, which
        holds the state before that message.
    copied
        Of a chunk, the key before its first key, and its last key; it holds all keys in between.
    progress
        Progress after this record.
    pairs
        Encoded pairs of a `Part`.
    """

    format: int
    partitions: int
    first_offset: int
    next_offset: int
    copied: tuple[bytes, bytes] | None
    progress: Progress
    pairs: bytes


def encode_pairs(pairs: Sequence[Pair]) -> list[Part]:
    """Encode pairs as one part or, if they are large, several; at least one.

    Raises
    ------
    TooLarge
        If a single pair does not fit into a record.
    """
    cut = [0]
    size = 0
    for number, (key, value) in enumerate(pairs):
        length = len(key) + len(value or b"")
        if size and size + length > _PART_BYTES:
            cut.append(number)
            size = 0
        size += length
    parts = []
    for start, end in pairwise([*cut, len(pairs)]):
        part = Part(end - start, _encode(pairs[start:end]))
        too_large(part.encoded)
        parts.append(part)
    return parts


def decode_pairs(raw: bytes) -> Iterator[Pair]:
    """Decode the pairs of a `Part`."""
    return iter(pl.read_ipc(raw).rows())


def encode_record(
    partitions: int,
    span: tuple[int, int],
    progress: Progress,
    pairs: bytes,
    copied: tuple[bytes, bytes] | None = None,
) -> bytes:
    """Encode a record in the current format; `span` is its range of offsets."""
    record = ChangelogRecord(_FORMAT, partitions, *span, copied, progress, pairs)
    return msgspec.msgpack.encode(record)


def decode_record(record: Any) -> ChangelogRecord:
    """Decode a record of `encode_record`.

    Raises
    ------
    StateError
        If it is of another format. Run the case stage with the version of Tocsin that wrote it,
        or count the reports again under a new prefix.
    """
    where = f"{record.topic}[{record.partition}]@{record.offset}"
    try:
        decoded = msgspec.msgpack.decode(record.value, type=ChangelogRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        msg = f"{where}: must be a changelog record of format {_FORMAT}; got {error}"
        raise StateError(msg) from error
    if decoded.format != _FORMAT:
        msg = f"{where}: must be of format {_FORMAT}; got format {decoded.format}"
        if decoded.format < _FORMAT:
            msg += f". {COUNT_AGAIN}"
        raise StateError(msg)
    return decoded


def decode_last(record: Any | None) -> ChangelogRecord | None:
    """Decode the last record of a changelog; `None` if it has none."""
    return None if record is None else decode_record(record)


def _encode(pairs: Sequence[Pair]) -> bytes:
    keys = pl.Series("key", [key for key, _ in pairs], pl.Binary)
    values = pl.Series("value", [value for _, value in pairs], pl.Binary)
    return pl.DataFrame([keys, values]).write_ipc(None, compression="zstd").getvalue()
