"""Arrow IPC files of frames with known columns, written and read as fast as IPC streams.

polars uses its engine for large queries to write or read a file; for a hundred rows that takes most
of the time. A file is a stream with `ARROW1` instead of the first eight bytes, and with a footer:
the schema again, and the position of each record batch. `ArrowFiles` writes a stream and adds both,
and reads the stream between them. The bytes equal those of polars, and any reader of Arrow IPC
files can read them.
"""

import io
import struct
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import polars as pl

__all__ = ["ArrowFiles"]

_MARK = b"ARROW1\0\0"
_MESSAGE = struct.Struct("<4xi")  # prefix of a message: the size of its metadata
_BLOCK = struct.Struct("<qi4xq")  # footer entry: a batch's offset, size of metadata, size of body
_END = struct.Struct("<i6x")  # end of a file: the size of its footer, and the magic bytes
_END_OF_STREAM = 8


class _Around(NamedTuple):
    """Bytes before and after the single record batch of a file."""

    schema: bytes
    footer: bytes  # before the block
    end: bytes  # after the block


class ArrowFiles:
    """Writes and reads files of frames with certain columns.

    Parameters
    ----------
    columns
        Types by name, in order. Frames with other columns work too, only slower.

    Attributes
    ----------
    columns
        The parameter.
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
            If it is no Arrow IPC file, or damaged.
        """
        around = self._around
        if around and raw.startswith(_MARK + around.schema[8:]) and raw.endswith(around.end):
            return pl.read_ipc_stream(io.BytesIO(around.schema[:8] + raw[8:]))
        return pl.read_ipc(io.BytesIO(raw))

    @cached_property
    def _around(self) -> _Around | None:
        """Return the framing of a sample file of polars; `None` if its layout is unexpected."""
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
    """Return the start of a stream's single record batch, and the sizes of metadata and body."""
    begin = _MESSAGE.size + _MESSAGE.unpack_from(stream)[0]
    metadata = _MESSAGE.size + _MESSAGE.unpack_from(stream, begin)[0]
    return begin, metadata, len(stream) - _END_OF_STREAM - begin - metadata
