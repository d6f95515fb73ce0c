"""Frames of known columns as Arrow IPC files, at the price of an IPC stream.

polars hands a file to its engine for large queries, to write as to read it; of a hundred rows that
takes longer than all the rest. What it writes is a stream, with `ARROW1` in place of the first
eight bytes, and a footer: the schema once more, and where each record batch stands. So ours writes
a stream and puts the two around it, and reads what is between. The bytes are those of polars, and
any reader of Arrow IPC files reads them.
"""

import io
import struct
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import polars as pl

__all__ = ["ArrowFiles"]

_MARK = b"ARROW1\0\0"
_MESSAGE = struct.Struct("<4xi")  # how a message begins: the size of its metadata
_BLOCK = struct.Struct("<qi4xq")  # of a footer: a batch's offset, size of metadata and of the body
_END = struct.Struct("<i6x")  # how a file ends: the size of its footer, and the mark
_END_OF_STREAM = 8


class _Around(NamedTuple):
    """What stands around a single record batch in a stream and in a file."""

    schema: bytes
    footer: bytes  # before the block
    end: bytes  # after it


class ArrowFiles:
    """Writes and reads files of frames that have certain columns.

    Parameters
    ----------
    columns
        Their types, in order. A frame that has others is written as well, and read, only slower.

    Attributes
    ----------
    columns
        The same.
    """

    def __init__(self, columns: Mapping[str, pl.DataType]) -> None:
        self.columns = dict(columns)

    def write(self, frame: pl.DataFrame) -> bytes:
        """Return the file of a frame, its buffers compressed with zstd."""
        if frame.height and (around := self._around):
            stream = _stream(frame)
            if stream.startswith(around.schema):
                block = _BLOCK.pack(*_place(stream))
                return b"".join((_MARK, stream[8:], around.footer, block, around.end))
        return _file(frame)

    def read(self, raw: bytes) -> pl.DataFrame:
        """Return the frame of a file.

        Raises
        ------
        OSError, polars.exceptions.PolarsError
            If it is none, or damaged.
        """
        around = self._around
        if around and raw.startswith(_MARK + around.schema[8:]) and raw.endswith(around.end):
            return pl.read_ipc_stream(io.BytesIO(around.schema[:8] + raw[8:]))
        return pl.read_ipc(io.BytesIO(raw))

    @cached_property
    def _around(self) -> _Around | None:
        """Learn it from a file of polars; nothing if that is not of the form that is known here."""
        sample = pl.DataFrame(schema=self.columns).clear(1)
        file, stream = _file(sample), _stream(sample)
        begin = len(file) - _END.size - _END.unpack(file[-_END.size :])[0]
        footer, block, end = file[begin:].partition(_BLOCK.pack(*_place(stream)))
        if not block or file[:begin] != _MARK + stream[8:]:
            return None
        return _Around(stream[: _place(stream)[0]], footer, end)


def _stream(frame: pl.DataFrame) -> bytes:
    written = io.BytesIO()
    frame.rechunk().write_ipc_stream(written, compression="zstd")
    return written.getvalue()


def _file(frame: pl.DataFrame) -> bytes:
    written = io.BytesIO()
    frame.write_ipc(written, compression="zstd")
    return written.getvalue()


def _place(stream: bytes) -> tuple[int, int, int]:
    """Return where the one record batch of a stream begins, and the sizes of its two parts."""
    begin = _MESSAGE.size + _MESSAGE.unpack_from(stream)[0]
    metadata = _MESSAGE.size + _MESSAGE.unpack_from(stream, begin)[0]
    return begin, metadata, len(stream) - _END_OF_STREAM - begin - metadata
