"""Zip archives and folders of tables and documents, read within limits on size and ratio."""

import contextlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import IO, cast

from schemas.errors import InputError
from schemas.rejected import Rejected
from streams.intake.bounded import (
    LIMITS,
    BufferedBytes,
    Limits,
    MeteredFile,
    ReadMeter,
    bounded_lines,
    open_unpacked,
    require_file,
)

__all__ = ["Archive", "UnpackedArchive", "is_zip", "open_archive", "release_of"]

_CHUNK = 1 << 20  # bytes per read
_ZIP = b"PK"
_TEXT = (".csv", ".txt")  # suffixes of tables
_TABLE = re.compile(r"data|vax|symptoms|demo|drug|reac|outc|rpsr|ther|indi|deleted?|_new")
_FIRST_YEAR = 1990  # no source has files from before
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError),
    ValueError,  # a name that is not the UTF-8 it is marked as
)
"""Exceptions of zipfile for damage, unknown compression methods and encryption."""


class Archive:
    """An open zip file whose members can be read, line by line or not, more than once."""

    def __init__(self, path: Path, zipped: zipfile.ZipFile, limits: Limits) -> None:
        self.path = path
        self._zipped = zipped
        self._limits = limits

    def find(self, pattern: str) -> list[zipfile.ZipInfo]:
        """Return the members whose full path matches, ignoring case, in order of their names."""
        matches = re.compile(pattern, re.IGNORECASE).fullmatch
        found = [
            member
            for member in self._members()
            if matches(member.filename) and not _is_resource_fork(member.filename)
        ]
        return sorted(found, key=lambda member: (member.filename.lower(), member.filename))

    def _members(self) -> list[zipfile.ZipInfo]:
        return self._zipped.infolist()

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

    def __init__(self, path: Path, most: int, meter: ReadMeter | None) -> None:
        super().__init__(MeteredFile(path, meter))
        self._path, self._most = path, most

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes, which zipfile asks for at once for the whole directory."""
        if size is not None and size > self._most:
            msg = f"{self._path}: a directory must have at most {self._most} bytes; got {size}"
            raise InputError(msg)
        return super().read(self._most if size is None or size < 0 else size)


class UnpackedArchive(Archive):
    """Files of a folder and its folders, and members of the zip files among them.

    When a file was written says nothing of its content: copies are new.

    Parameters
    ----------
    paths
        The files, by their path within the folder.
    """

    def __init__(self, path: Path, paths: Mapping[str, Path], limits: Limits) -> None:
        self.path, self._limits = path, limits
        self._files: dict[str, tuple[zipfile.ZipInfo, Path, zipfile.ZipInfo | None]] = {}
        for name, file in paths.items():
            if file.suffix.lower() == ".zip":
                with open_archive(file, limits) as archive:
                    for inner in archive.find(".*"):
                        found = zipfile.ZipInfo(f"{name}/{inner.filename}", inner.date_time)
                        self._files[found.filename] = found, file, inner
            else:
                self._files[name] = zipfile.ZipInfo(name), file, None

    def _members(self) -> list[zipfile.ZipInfo]:
        return [found for found, _, _ in self._files.values()]

    @contextlib.contextmanager
    def opened(self, member: zipfile.ZipInfo) -> Iterator[BufferedBytes]:
        """Open a file, or a member of a zip file, for reading.

        Raises
        ------
        InputError
            As by `Archive.lines`.
        """
        _, path, inner = self._files[member.filename]
        if inner is None:
            with open_unpacked(path) as stream:
                yield stream
            return
        with open_archive(path, self._limits) as archive, archive.opened(inner) as stream:
            yield stream


@contextlib.contextmanager
def open_archive(
    path: Path, limits: Limits = LIMITS, meter: ReadMeter | None = None
) -> Iterator[Archive]:
    """Open a zip file or a folder for reading, or a file with its neighbours of the same release.

    The bytes of a zip file that are read are counted in `meter`.

    Raises
    ------
    InputError
        The file does not exist, has a damaged directory, or is over a limit.
    """
    if path.is_dir():
        yield UnpackedArchive(path, _files_of(path, limits), limits)
        return
    require_file(path)
    if not is_zip(path):
        beside = {one.name: one for one in sorted(path.parent.iterdir()) if one.is_file()}
        same = {
            name: one for name, one in beside.items() if release_of(name) == release_of(path.name)
        }
        yield UnpackedArchive(path.parent, same, limits)
        return
    with _BoundedReads(path, limits.directory_bytes, meter) as file:
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


def is_zip(path: Path) -> bool:
    """Return whether a file begins as a zip archive, or is named as one."""
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP or path.suffix.lower() == ".zip"


def release_of(name: str) -> str:
    """Return what the names of the tables of one release share, in lower case.

    >>> release_of("2021VAERSDATA.csv") == release_of("2021VAERSVAX.csv") == "2021vaers.csv"
    True
    >>> release_of("DEMO18Q1_new.txt") == release_of("drug18q1.txt")
    True
    """
    return _TABLE.sub("", name.lower())


def _beside(path: Path) -> dict[str, Path]:
    """Return a table and its neighbours of the same release, by their names."""
    release = release_of(path.name)
    files = sorted(one for one in path.parent.iterdir() if release_of(one.name) == release)
    return {one.name: one for one in files if one.is_file()}


def _files_of(folder: Path, limits: Limits) -> dict[str, Path]:
    """Return the regular files of a folder and its folders, by their path within it."""
    found: dict[str, Path] = {}
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file():
                found[path.relative_to(folder).as_posix()] = path
        if len(found) > limits.members:
            msg = f"{folder}: must have at most {limits.members} files; got more"
            raise InputError(msg)
    return dict(sorted(found.items()))


def _is_resource_fork(name: str) -> bool:
    """Return whether a member is a resource fork, which macOS adds beside each file."""
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith("._")
