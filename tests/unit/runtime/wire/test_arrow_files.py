"""Files are those of polars, to the byte, and are read as polars reads them."""

import io
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas.delta import CASE_CHANGES, REMOVED_CHANGES
from streams.runtime.wire.arrow_files import ArrowFiles

PAIRS = {"key": pl.Binary(), "value": pl.Binary()}
FILES = {len(columns): ArrowFiles(columns) for columns in (PAIRS, CASE_CHANGES, REMOVED_CHANGES)}

VALUES: dict[Any, st.SearchStrategy[Any]] = {
    pl.String: st.one_of(st.none(), st.text(max_size=20)),
    pl.Binary: st.one_of(st.none(), st.binary(max_size=20)),
    pl.Boolean: st.one_of(st.none(), st.booleans()),
    pl.Date: st.integers(0, 99).map(lambda days: date(2026, 1, 1) + timedelta(days)),
    pl.Int8: st.integers(-1, 1),
    pl.UInt8: st.integers(0, 100),
    pl.List: st.none(),
}


@st.composite
def frames(draw: st.DrawFn, files: ArrowFiles) -> pl.DataFrame:
    size = draw(st.sampled_from([0, 1, 2, 9, 70]))
    columns = []
    for name, kind in files.columns.items():
        values = VALUES[type(kind)]
        if isinstance(kind, pl.List):
            values = st.one_of(
                values,
                st.lists(st.text(max_size=9) if kind.inner == pl.String else st.integers(0, 9)),
            )
        few = draw(st.lists(values, min_size=1, max_size=9))
        columns.append(pl.Series(name, (few * size)[:size], kind, strict=False))
    return pl.DataFrame(columns)


def _of_polars(frame: pl.DataFrame, **how: Any) -> bytes:
    written = io.BytesIO()
    frame.write_ipc(written, compression="zstd", **how)
    return written.getvalue()


@settings(deadline=None, max_examples=150)
@given(st.data(), st.sampled_from(list(FILES.values())))
def test_the_bytes_are_those_of_polars(data: st.DataObject, files: ArrowFiles) -> None:
    frame = data.draw(frames(files))
    raw = files.write(frame)
    assert raw == _of_polars(frame)
    assert_frame_equal(pl.read_ipc(io.BytesIO(raw)), frame)
    assert_frame_equal(files.read(raw), frame)


@pytest.mark.parametrize("files", FILES.values())
def test_neither_way_takes_the_engine(files: ArrowFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame(schema=files.columns).clear(3)
    files.write(frame)  # the first time it learns from polars
    monkeypatch.delattr(pl.DataFrame, "write_ipc")
    monkeypatch.delattr(pl, "read_ipc")
    assert_frame_equal(files.read(files.write(frame)), frame)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_other_columns_are_written_and_read_too(rows: int) -> None:
    other = pl.DataFrame({"key": [b"k"] * rows, "value": [1] * rows, "more": ["x"] * rows})
    raw = FILES[2].write(other)
    assert_frame_equal(pl.read_ipc(io.BytesIO(raw)), other)
    assert_frame_equal(FILES[2].read(raw), other)


def test_a_frame_of_several_chunks_and_a_file_of_several_batches_are_read_whole() -> None:
    part = pl.DataFrame({"key": [b"a", b"b", b"c"], "value": [b"1", None, b"3"]}, schema=PAIRS)
    frame = pl.concat([part, part, part], rechunk=False)
    assert frame.n_chunks() == 3
    assert_frame_equal(pl.read_ipc(io.BytesIO(FILES[2].write(frame))), frame)
    assert_frame_equal(FILES[2].read(_of_polars(frame, record_batch_size=2)), frame)


def test_a_large_frame_is_read_whole() -> None:
    keys = [b"%d" % number for number in range(300_000)]
    frame = pl.DataFrame({"key": keys, "value": keys[::-1]}, schema=PAIRS)
    raw = FILES[2].write(frame)
    assert_frame_equal(pl.read_ipc(io.BytesIO(raw)), frame)
    assert_frame_equal(FILES[2].read(raw), frame)
    assert_frame_equal(FILES[2].read(_of_polars(frame)), frame)


@pytest.mark.parametrize("cut", [0, 7, 8, 100, -6, -1])
def test_a_torn_file_is_refused(cut: int) -> None:
    raw = FILES[2].write(pl.DataFrame({"key": [b"a"], "value": [b"b"]}, schema=PAIRS))
    with pytest.raises((OSError, pl.exceptions.PolarsError)):
        FILES[2].read(raw[:cut])


def test_a_library_that_writes_otherwise_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    files = ArrowFiles(PAIRS)
    write = pl.DataFrame.write_ipc

    def otherwise(frame: pl.DataFrame, file: io.BytesIO, **how: Any) -> None:
        write(frame, file, compression="uncompressed")

    monkeypatch.setattr(pl.DataFrame, "write_ipc", otherwise)
    frame = pl.DataFrame({"key": [b"a"], "value": [b"b"]}, schema=PAIRS)
    raw = files.write(frame)
    assert_frame_equal(pl.read_ipc(io.BytesIO(raw)), frame)
    assert_frame_equal(files.read(raw), frame)
