"""Deltas and outbox entries as bytes, and the message for every way they can be wrong."""

import io
from datetime import date
from pathlib import Path

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from schemas.delta import CASE_CHANGES, DELTA_VERSION, Delta
from schemas.errors import StateError
from schemas.rejected import Rejected
from streams.runtime.wire.batches import ReportTimes
from streams.runtime.wire.deltas import (
    decode_delta,
    decode_outgoing,
    encode_delta,
    encode_outgoing,
    end_of_delta,
)
from streams.runtime.wire.rerouting import Rerouted

ROW = (
    "A",
    date(1969, 12, 31),
    "adult",
    "male",
    "asia",
    True,
    False,
    ["zinc"],
    ["Rash", "x"],
    "JP\x1fp\x1fPHARMA",
    "Acne\x1fPain",
    57,
    True,
    True,
    [37],
    [0, 738_945],
    ["Zinc"],
    ["", "X"],
    "",
    41.5,
    "US-CA",
    -1,
)


def _delta(*rows: tuple[object, ...]) -> Delta:
    changes = pl.DataFrame(rows, schema=dict(CASE_CHANGES), orient="row")
    return Delta(3, 10, 12, -1, changes)


def _envelope(version: int, changes: pl.DataFrame | bytes) -> bytes:
    raw = io.BytesIO()
    if isinstance(changes, bytes):
        raw.write(changes)
    else:
        changes.write_ipc(raw)
    return msgspec.msgpack.encode([version, 3, 10, 12, -1, raw.getvalue()])


@pytest.mark.parametrize("rows", [(), (ROW,), (ROW, ROW)])
def test_a_delta_survives(rows: tuple[tuple[object, ...], ...]) -> None:
    delta = _delta(*rows)
    decoded = decode_delta(encode_delta(delta))
    assert_frame_equal(decoded.changes, delta.changes)
    numbers = (decoded.partition, decoded.first_offset, decoded.next_offset, decoded.watermark)
    assert numbers == (3, 10, 12, -1)
    assert end_of_delta(encode_delta(delta)) == (3, 12)


def test_equal_deltas_are_equal_bytes() -> None:
    assert encode_delta(_delta(ROW)) == encode_delta(_delta(ROW))


def test_an_entry_of_the_outbox_survives() -> None:
    reject = Rejected(source="pv.reports[3]", position=11, reason="bad", raw=b"\xff\x00{")
    outgoing = decode_outgoing(encode_outgoing(_delta(ROW), [reject]))
    assert outgoing.delta == encode_delta(_delta(ROW))
    assert [Rejected.model_validate_json(raw) for raw in outgoing.rejected] == [reject]
    assert outgoing.times is None
    timed = decode_outgoing(encode_outgoing(_delta(ROW), [reject], ReportTimes(3, 9)))
    assert timed.times == ReportTimes(3, 9)


def test_an_entry_that_an_earlier_release_left_has_no_times() -> None:
    outgoing = decode_outgoing(msgspec.msgpack.encode([b"delta", [b"reject"]]))
    assert (outgoing.delta, outgoing.rejected, outgoing.times) == (b"delta", [b"reject"], None)


def test_an_entry_of_the_outbox_keeps_re_routed_messages() -> None:
    headers = [("trace", b"1"), ("trace", b"2"), ("rerouted-from", b"pv.reports[3]@11")]
    copies = [Rerouted(1, b"C1", b"\xff{}", headers, -1), Rerouted(0, b"C2", b"{}", headers, 5)]
    outgoing = decode_outgoing(encode_outgoing(_delta(ROW), [], ReportTimes(3, 9), copies))
    assert outgoing.rerouted == copies
    assert outgoing.times == ReportTimes(3, 9)


def test_an_entry_that_an_earlier_release_left_re_routes_nothing() -> None:
    for fields in ([b"delta", [b"reject"]], [b"delta", [b"reject"], [3, 9]]):
        assert decode_outgoing(msgspec.msgpack.encode(fields)).rerouted == []


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff\xff", b"{}", msgspec.msgpack.encode([1, 2]), msgspec.msgpack.encode(["1"] * 6)],
    ids=repr,
)
def test_what_is_no_delta_is_refused(raw: bytes) -> None:
    with pytest.raises(StateError, match=rf"^delta: must be a delta of version {DELTA_VERSION}; "):
        decode_delta(raw)
    with pytest.raises(StateError, match=rf"^delta: must be a delta of version {DELTA_VERSION}; "):
        end_of_delta(raw)


OLDER = r"^delta: must be of version 5; got version 4\. Count the reports again under"


def test_a_delta_of_another_version_is_refused() -> None:
    with pytest.raises(StateError, match=r"^delta: must be of version 5; got version 6$"):
        decode_delta(_envelope(6, _delta(ROW).changes))
    with pytest.raises(StateError, match=OLDER):
        decode_delta(_envelope(4, _delta(ROW).changes))
    with pytest.raises(StateError, match=OLDER):
        end_of_delta(_envelope(4, _delta(ROW).changes))


@pytest.mark.parametrize(
    "changes",
    [
        pl.DataFrame({"case_id": ["A"]}),
        _delta(ROW).changes.drop("fatal"),
        _delta(ROW).changes.cast({"n": pl.Int64}),
        _delta(ROW).changes.select(list(reversed(CASE_CHANGES))).with_columns(extra=1),
    ],
)
def test_changes_with_other_columns_are_refused(changes: pl.DataFrame) -> None:
    with pytest.raises(
        StateError, match=r"^delta: changes must have the columns \['case_id', 'day', .*; got \["
    ):
        decode_delta(_envelope(DELTA_VERSION, changes))


@pytest.mark.parametrize("cut", [0, 40, -30])
def test_changes_that_are_torn_are_refused(cut: int) -> None:
    raw = io.BytesIO()
    _delta(ROW).changes.write_ipc(raw)
    with pytest.raises(StateError, match=r"^delta: changes must be an Arrow IPC file; got "):
        decode_delta(_envelope(DELTA_VERSION, raw.getvalue()[:cut]))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [(b"torn", "must be an Arrow IPC file"), (None, "must have the columns")],
)
def test_removals_that_are_none_are_refused(raw: bytes | None, reason: str) -> None:
    written = io.BytesIO()
    _delta(ROW).changes.write_ipc(written)
    envelope = [DELTA_VERSION, 3, 10, 12, -1, written.getvalue(), raw or written.getvalue()]
    with pytest.raises(StateError, match=f"^delta: removed {reason}"):
        decode_delta(msgspec.msgpack.encode(envelope))


def test_a_delta_that_makes_the_reader_panic_is_refused() -> None:
    """Bytes of a delta with one changed: a buffer that is said to be packed is empty."""
    raw = (Path(__file__).parent / "damaged" / "delta-with-an-empty-buffer.bin").read_bytes()
    with pytest.raises(StateError, match="delta: changes must be an Arrow IPC file"):
        decode_delta(raw)
