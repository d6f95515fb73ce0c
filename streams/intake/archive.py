"""Zip archives of delimited text, read within limits: a report archive comes from outside."""

import codecs
import contextlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from schemas.errors import InputError

__all__ = ["LIMITS", "Archive", "Limits", "open_archive"]

_CHUNK = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
"""What zipfile raises for damage, an unknown compression method, and encryption."""


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to, so that a small hostile file cannot fill the machine."""

    member_bytes: int = 4 << 30  # the largest real file, VAERS 2021 DATA, is below 1 GiB
    ratio: int = 200  # real files are packed 3 to 15 times
    ratio_from_bytes: int = 16 << 20  # below this an extreme ratio does no harm


LIMITS = Limits()


class Archive:
    """An open zip file whose text members can be read line by line, more than once."""

    def __init__(self, path: Path, zipped: zipfile.ZipFile, limits: Limits) -> None:
        self.path = path
        self._zipped = zipped
        self._limits = limits

    def find(self, pattern: str) -> list[zipfile.ZipInfo]:
        """Return the members whose whole path matches, in any case, in order of their names."""
        matches = re.compile(pattern, re.IGNORECASE).fullmatch
        found = [
            member
            for member in self._zipped.infolist()
            if matches(member.filename) and not _is_resource_fork(member.filename)
        ]
        return sorted(found, key=lambda member: (member.filename.lower(), member.filename))

    def label(self, member: zipfile.ZipInfo) -> str:
        """Return where a row of the member comes from: `archive.zip!folder/member.txt`."""
        return f"{self.path.name}!{member.filename}"

    def encoding(self, member: zipfile.ZipInfo) -> str:
        """Read a member once to its end: prove it whole, and tell UTF-8 from CP1252.

        Returns
        -------
        str
            `utf-8` if the whole member is, else `cp1252`.

        Raises
        ------
        InputError
            The member is over a limit, damaged, encrypted, or packed by an unknown method.
        """
        self._require_within_limits(member)
        decoder = codecs.getincrementaldecoder("utf-8")()
        encoding = "utf-8"
        with self._reading(member) as stream:
            while chunk := stream.read(_CHUNK):
                if encoding == "utf-8":
                    try:
                        decoder.decode(chunk)
                    except UnicodeDecodeError:
                        encoding = "cp1252"
        if encoding == "utf-8" and decoder.getstate()[0]:  # the last character is cut off
            encoding = "cp1252"
        return encoding

    def lines(self, member: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield the physical lines of a member, each with its line end."""
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
        There is no such file, or it is not a zip file, or its directory is damaged.
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
    """Whether a member is what macOS adds beside each file."""
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith("._")
