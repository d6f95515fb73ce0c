"""Zip archives of delimited text, read within limits on size and compression ratio."""

import contextlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import IO, cast

from schemas.errors import InputError
from schemas.rejected import Rejected
from streams.intake.bounded import LIMITS, BufferedBytes, Limits, bounded_lines, require_file

__all__ = ["Archive", "open_archive"]

_CHUNK = 1 << 20  # bytes per read
_FIRST_YEAR = 1990  # no source has files from before
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError),
    ValueError,  # a name that is not the UTF-8 it is marked as
)
"""Exceptions of zipfile for damage, unknown compression methods and encryption."""


class Archive:
    """An open zip file whose text members can be read line by line, more than once."""

    def __init__(self, path: Path, zipped: zipfile.ZipFile, limits: Limits) -> None:
        self.path = path
        self._zipped = zipped
        self._limits = limits

    def find(self, pattern: str) -> list[zipfile.ZipInfo]:
        """Return the members whose full path matches, ignoring case, in order of their names."""
        matches = re.compile(pattern, re.IGNORECASE).fullmatch
        found = [
            member
            for member in self._zipped.infolist()
            if matches(member.filename) and not _is_resource_fork(member.filename)
        ]
        return sorted(found, key=lambda member: (member.filename.lower(), member.filename))

    def label(self, member: zipfile.ZipInfo) -> str:
        """Return the source label of a member: `archive.zip!folder/member.txt`."""
        return f"{self.path.name}!{member.filename}"

    def written(self, member: zipfile.ZipInfo) -> date | None:
        """Return the day a member was written; None if the archive does not know it.

        A zip file counts from 1980, and programs that write no times leave a day near that.
        """
        year, month, day = member.date_time[:3]
        try:
            return date(year, month, day) if year >= _FIRST_YEAR else None
        except ValueError:
            return None

    def lines(self, member: zipfile.ZipInfo) -> Iterator[bytes | Rejected]:
        """Yield the physical lines of a member, with their line ends; an overlong one as a reject.

        Raises
        ------
        InputError
            The member is over a limit, encrypted, or packed by an unknown method; or it is damaged,
            which may show only at its end: what it holds is to be used only if that is reached.
        """
        with self.opened(member) as stream:
            yield from bounded_lines(stream, self.label(member))

    @contextlib.contextmanager
    def opened(self, member: zipfile.ZipInfo) -> Iterator[BufferedBytes]:
        """Open a member for reading.

        Raises
        ------
        InputError
            As by `lines`.
        """
        self._require_within_limits(member)
        with self._reading(member) as stream:
            yield io.BufferedReader(cast(io.RawIOBase, stream), _CHUNK)

    def _require_within_limits(self, member: zipfile.ZipInfo) -> None:
        if member.file_size > self._limits.member_bytes:
            msg = (
                f"{self.path}: a member must unpack to at most {self._limits.member_bytes} bytes; "
                f"got {member.file_size} in {member.filename}"
            )
            raise InputError(msg)
        self._require_ratio(member.file_size, member.compress_size, member.filename)
        # Members may share their packed bytes, and state sizes that are within the limit alone.
        unpacked = sum(each.file_size for each in self._zipped.infolist())
        self._require_ratio(unpacked, self.path.stat().st_size, "all members together")

    def _require_ratio(self, unpacked: int, packed: int, what: str) -> None:
        ratio = unpacked / max(packed, 1)
        if unpacked >= self._limits.ratio_from_bytes and ratio > self._limits.ratio:
            msg = (
                f"{self.path}: a member must be packed at most {self._limits.ratio} times; "
                f"got {ratio:.0f} times in {what}"
            )
            raise InputError(msg)

    @contextlib.contextmanager
    def _reading(self, member: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
        try:
            with self._zipped.open(member) as stream:
                yield stream
        except _BROKEN as broken:
            msg = f"{self.path}: must be a whole zip file; got {broken} in {member.filename}"
            raise InputError(msg) from broken


class _BoundedReads(io.BufferedReader):
    """A file of which no single read is long, as that of a hostile directory would be."""

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(path.open("rb", buffering=0))
        self._path, self._most = path, most

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes, which zipfile asks for at once for the whole directory."""
        if size is not None and size > self._most:
            msg = f"{self._path}: a directory must have at most {self._most} bytes; got {size}"
            raise InputError(msg)
        return super().read(self._most if size is None or size < 0 else size)


@contextlib.contextmanager
def open_archive(path: Path, limits: Limits = LIMITS) -> Iterator[Archive]:
    """Open a zip file for reading.

    Raises
    ------
    InputError
        The file does not exist, is not a zip file, has a damaged directory, or is over a limit.
    """
    require_file(path)
    with _BoundedReads(path, limits.directory_bytes) as file:
        try:
            zipped = zipfile.ZipFile(file)
        except _BROKEN as broken:
            msg = f"{path}: must be a whole zip file; got {broken}"
            raise InputError(msg) from broken
        with zipped:
            members = zipped.infolist()
            if len(members) > limits.members:
                msg = f"{path}: must have at most {limits.members} members; got {len(members)}"
                raise InputError(msg)
            yield Archive(path, zipped, limits)


def _is_resource_fork(name: str) -> bool:
    """Return whether a member is a resource fork, which macOS adds beside each file."""
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith("._")
