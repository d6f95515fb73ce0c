"""Encode and decode deltas: a MessagePack envelope with the offsets, around Arrow IPC files."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

import msgspec
import polars as pl

from schemas.delta import CASE_CHANGES, DELTA_VERSION, REMOVED_CHANGES, Delta
from schemas.errors import StateError
from schemas.rejected import Rejected
from streams.runtime.wire.batches import ReportTimes
from streams.runtime.wire.formats import COUNT_AGAIN
from streams.runtime.wire.limits import too_large
from streams.runtime.wire.rerouting import Rerouted

__all__ = [
    "Outgoing",
    "decode_delta",
    "decode_outgoing",
    "encode_delta",
    "encode_outgoing",
    "end_of_delta",
]


class _Envelope(msgspec.Struct, array_like=True, frozen=True):
    version: int
    partition: int
    first_offset: int
    next_offset: int
    watermark: int
    changes: bytes  # Arrow IPC file of `CASE_CHANGES`
    removed: bytes = b""  # Arrow IPC file of `REMOVED_CHANGES`; empty without rows


class _Range(msgspec.Struct, array_like=True, frozen=True):
    """An envelope up to its offsets; later fields are skipped."""

    version: int
    partition: int
    first_offset: int
    next_offset: int


_Read = TypeVar("_Read", _Envelope, _Range)


class Outgoing(msgspec.Struct, array_like=True, frozen=True):
    """Records to publish for a batch, and the timestamps of its reports.

    Attributes
    ----------
    delta
        From `encode_delta`.
    rejected
        Rejects as JSON.
    times
        Unknown in an entry of an earlier release.
    rerouted
        Copies of messages for other partitions; none in an entry of an earlier release.
    """

    delta: bytes
    rejected: list[bytes]
    times: ReportTimes | None = None
    rerouted: list[Rerouted] = []


def encode_outgoing(
    delta: Delta,
    rejected: Iterable[Rejected],
    times: ReportTimes | None = None,
    rerouted: Iterable[Rerouted] = (),
) -> bytes:
    """Encode an entry of the outbox.

    Raises
    ------
    TooLarge
        If the delta does not fit into a message.
    """
    encoded = encode_delta(delta)
    too_large(encoded)
    rejects = [reject.model_dump_json().encode() for reject in rejected]
    outgoing = Outgoing(encoded, rejects, times, list(rerouted))
    return msgspec.msgpack.encode(outgoing)


def decode_outgoing(raw: bytes) -> Outgoing:
    """Decode an entry of the outbox; the store has checked its format."""
    return msgspec.msgpack.decode(raw, type=Outgoing)


def encode_delta(delta: Delta) -> bytes:
    """Encode a delta: a MessagePack array of its five numbers and two Arrow IPC files (zstd)."""
    envelope = _Envelope(
        DELTA_VERSION,
        delta.partition,
        delta.first_offset,
        delta.next_offset,
        delta.watermark,
        _file(delta.changes),
        _file(delta.removed) if delta.removed.height else b"",
    )
    return msgspec.msgpack.encode(envelope)


def decode_delta(raw: bytes) -> Delta:
    """Decode a delta of `encode_delta`.

    Raises
    ------
    StateError
        If the bytes are no delta of this version. Run the detector stage with the version of
        Tocsin that wrote them, or count the reports again under a new prefix.
    """
    envelope = _opened(raw, _Envelope)
    delta = Delta(
        envelope.partition,
        envelope.first_offset,
        envelope.next_offset,
        envelope.watermark,
        _frame("changes", envelope.changes, CASE_CHANGES),
    )
    if not envelope.removed:
        return delta
    return replace(delta, removed=_frame("removed", envelope.removed, REMOVED_CHANGES))


def end_of_delta(raw: bytes) -> tuple[int, int]:
    """Return the partition and next offset of a delta, without decoding its changes.

    Raises
    ------
    StateError
        As in `decode_delta`.
    """
    envelope = _opened(raw, _Range)
    return envelope.partition, envelope.next_offset


def _opened(raw: bytes, form: type[_Read]) -> _Read:
    try:
        envelope = msgspec.msgpack.decode(raw, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        msg = f"delta: must be a delta of version {DELTA_VERSION}; got {error}"
        raise StateError(msg) from error
    if envelope.version != DELTA_VERSION:
        msg = f"delta: must be of version {DELTA_VERSION}; got version {envelope.version}"
        if envelope.version < DELTA_VERSION:
            msg += f". {COUNT_AGAIN}"
        raise StateError(msg)
    return envelope


def _file(frame: pl.DataFrame) -> bytes:
    return frame.write_ipc(None, compression="zstd").getvalue()


def _frame(name: str, raw: bytes, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    try:
        frame = pl.read_ipc(raw)
    # A damaged file makes some readers of polars panic, which is no ordinary exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        msg = f"delta: {name} must be an Arrow IPC file; got {error}"
        raise StateError(msg) from error
    if dict(frame.schema) != dict(columns):
        msg = f"delta: {name} must have the columns {list(columns)}; got {frame.columns}"
        raise StateError(msg)
    return frame
