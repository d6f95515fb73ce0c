"""Source files read within limits: kind of file, length of a line, compression ratio.

Every reader opens its file or archive member here, so that no small file can exhaust memory.
"""

import contextlib
import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, TypeVar

from schemas.errors import InputError, RejectCode
from schemas.rejected import LONGEST_BEGINNING, Rejected

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "LIMITS",
    "RECORD_BYTES",
    "BufferedBytes",
    "Limits",
    "MeteredFile",
    "ReadMeter",
    "bounded_lines",
    "next_items",
    "open_unpacked",
    "require_file",
]

RECORD_BYTES = 1 << 20  # bytes; the longest VAERS record, with its narrative, has 33,000
"""Maximum length of a line, and of a record that spans lines."""

_CHUNK = 1 << 20  # bytes per read; with the default of 8,192, lines span several blocks
_CHUNK_BYTES = 32 << 20  # bytes of undecoded items that are held at once

_Item = TypeVar("_Item")


class BufferedBytes(Protocol):
    """A stream of bytes with a buffer that can be looked into, such as `io.BufferedReader`."""

    def readline(self, size: int, /) -> bytes:
        """Return the next bytes up to a line end, at most so many."""
        ...

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most so many."""
        ...

    def peek(self, size: int = 0, /) -> bytes:
        """Return the bytes of the buffer without reading on; none at the end."""
        ...


@dataclass(frozen=True)
class Limits:
    """Limits of unpacking, so that a small hostile file cannot exhaust memory or disk."""

    member_bytes: int = 4 << 30  # bytes; the largest real file, VAERS 2021 DATA, is below 1 GiB
    ratio: int = 200  # unpacked to packed size; real files have 3 to 15
    ratio_from_bytes: int = 16 << 20  # bytes; an extreme ratio of less is harmless
    members: int = 10_000  # files of an archive; real archives have below 100
    directory_bytes: int = 4 << 20  # bytes of an archive's directory, 46 and a name each


LIMITS = Limits()


@dataclass
class ReadMeter:
    """How much of a source file has been read, for a display of progress."""

    n_bytes: int = 0  # of the file, packed as it is
    n_lines: int = 0  # of native JSON Lines
    n_reports: int | None = None  # of an archive, known before the first of them is returned


class MeteredFile(io.FileIO):
    """A file whose bytes are counted as they are read, once for each full buffer."""

    def __init__(self, path: Path, meter: ReadMeter | None) -> None:
        super().__init__(path)
        self._meter = meter or ReadMeter()

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        """Read into a buffer, and count the bytes."""
        read = super().readinto(buffer)
        self._meter.n_bytes += read or 0
        return read


def require_file(path: Path) -> None:
    """Require a regular file, or a link to one: reading a pipe or a device may never end.

    Raises
    ------
    InputError
        It is something else; the message says what.
    """
    if not path.is_file():
        msg = f"{path}: must be a file; got {_kind(path)}"
        raise InputError(msg)


def _kind(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return "a link to nothing" if path.is_symlink() else "nothing there"
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")


@contextlib.contextmanager
def open_unpacked(
    path: Path, limits: Limits = LIMITS, meter: ReadMeter | None = None
) -> Iterator[BufferedBytes]:
    """Open a file for reading, unpacked if its name ends in `.gz`; count its bytes in `meter`.

    Raises
    ------
    InputError
        It is no file, or damaged, or packed over the limit of the ratio, which shows while reading.
    """
    require_file(path)
    try:
        with io.BufferedReader(MeteredFile(path, meter), _CHUNK) as file:
            if path.suffix != ".gz":
                yield file
                return
            with gzip.open(file) as unpacked:
                yield io.BufferedReader(_RatioGuard(unpacked, file, path, limits), _CHUNK)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: must be readable to its end; got {error}"
        raise InputError(msg) from error


class _RatioGuard(io.RawIOBase):
    """Unpacked bytes of a stream that stops where they are too many for the packed ones."""

    def __init__(
        self, unpacked: gzip.GzipFile, packed: IO[bytes], path: Path, limits: Limits
    ) -> None:
        self._unpacked, self._packed = unpacked, packed
        self._path, self._limits = path, limits
        self._n_unpacked = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read the next bytes; refuse the file once the ratio is over the limit."""
        read = self._unpacked.readinto(buffer)
        self._n_unpacked += read
        limits = self._limits
        if self._n_unpacked >= limits.ratio_from_bytes:
            ratio = self._n_unpacked / max(self._packed.tell(), 1)
            if ratio > limits.ratio:
                msg = (
                    f"{self._path}: a file must be packed at most {limits.ratio} times; "
                    f"got {ratio:.0f} times in its first {self._n_unpacked} bytes"
                )
                raise InputError(msg)
        return read


def bounded_lines(
    stream: BufferedBytes, where: str, most: int = RECORD_BYTES
) -> Iterator[bytes | Rejected]:
    """Yield the physical lines with their ends; a longer one is never held, and is a reject.

    Parameters
    ----------
    where
        Source label of the rejects.
    most
        Maximum length of a line with its end [bytes].
    """
    lines = iter(partial(stream.readline, most + 1), b"")
    for number, line in enumerate(lines, start=1):
        if len(line) <= most:
            yield line
            continue
        length, beginning = len(line), line[:LONGEST_BEGINNING]
        if not line.endswith(b"\n"):
            length += _skip_line(stream)
        yield Rejected(
            source=where,
            position=number,
            reason=f"a line must have at most {most} bytes; got {length}",
            raw=beginning,
            code=RejectCode.TOO_LONG,
        )


def _skip_line(stream: BufferedBytes) -> int:
    """Skip the rest of a line, six times as fast as by `readline`; return its length."""
    skipped = 0
    while buffered := stream.peek():
        end = buffered.find(b"\n") + 1
        skipped += len(stream.read(end or len(buffered)))
        if end:
            break
    return skipped


def next_items(
    items: Iterator[_Item], most: int, most_bytes: int = _CHUNK_BYTES
) -> Iterator[_Item]:
    """Yield the next items of a source, to be held at once: a number of them, and of their bytes.

    Items are undecoded lines, rejects, and reports, alone or behind their number.
    """
    size = 0
    for item in islice(items, most):
        yield item
        content = item[1] if isinstance(item, tuple) else item
        if isinstance(content, bytes):
            size += len(content)
        elif isinstance(content, Rejected):
            size += len(content.raw)
        if size >= most_bytes:
            return
