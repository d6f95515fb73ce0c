"""Zip archives of delimited text, read within limits on size and compression ratio."""

import contextlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, cast

from schemas.errors import InputError

__all__ = ["LIMITS", "Archive", "Limits", "open_archive"]

_CHUNK = 1 << 20  # bytes per read
_FIRST_YEAR = 1990  # no source has files from before
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
"""Exceptions of zipfile for damage, unknown compression methods and encryption."""


@dataclass(frozen=True)
class Limits:
    """Limits of unpacking, so that a small hostile archive cannot exhaust memory or disk."""

    member_bytes: int = 4 << 30  # bytes; the largest real file, VAERS 2021 DATA, is below 1 GiB
    ratio: int = 200  # unpacked to packed size; real files have 3 to 15
    ratio_from_bytes: int = 16 << 20  # bytes; an extreme ratio of a smaller member is harmless


LIMITS = Limits()


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

    def lines(self, member: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield the physical lines of a member, with their line ends.

        Raises
        ------
        InputError
            The member is over a limit, encrypted, or packed by an unknown method; or it is damaged,
            which may show only at its end: what it holds is to be used only if that is reached.
        """
        self._require_within_limits(member)
        with self._reading(member) as stream:
            yield from io.BufferedReader(cast(io.RawIOBase, stream), _CHUNK)

    def _require_within_limits(self, member: zipfile.ZipInfo) -> None:
        if member.file_size > self._limits.member_bytes:
            msg = (
                f"{self.path}: a member must unpack to at most {self._limits.member_bytes} bytes; "
                f"got {member.file_size} in {member.filename}"
            )
            raise InputError(msg)
        ratio = member.file_size / max(member.compress_size, 1)
        if member.file_size >= self._limits.ratio_from_bytes and ratio > self._limits.ratio:
            msg = (
                f"{self.path}: a member must be packed at most {self._limits.ratio} times; "
                f"got {ratio:.0f} times in {member.filename}"
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


@contextlib.contextmanager
def open_archive(path: Path, limits: Limits = LIMITS) -> Iterator[Archive]:
    """Open a zip file for reading.

    Raises
    ------
    InputError
        The file does not exist, is not a zip file, or has a damaged directory.
    """
    if not path.is_file():
        msg = f"{path}: must be a file; got {'a folder' if path.is_dir() else 'nothing there'}"
        raise InputError(msg)
    try:
        zipped = zipfile.ZipFile(path)
    except _BROKEN as broken:
        msg = f"{path}: must be a whole zip file; got {broken}"
        raise InputError(msg) from broken
    with zipped:
        yield Archive(path, zipped, limits)


def _is_resource_fork(name: str) -> bool:
    """Return whether a member is a resource fork, which macOS adds beside each file."""
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith("._")
