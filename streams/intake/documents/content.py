"""Content of a source, from which its format is detected: names of members, and how it begins."""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipInfo

from streams.intake.archive import Archive, is_zip, open_archive
from streams.intake.bounded import BufferedBytes, open_unpacked, require_file
from streams.intake.faers.layout import FAERS_DEMO
from streams.intake.vaers import VAERS_DATA

__all__ = ["JSON_MEMBER", "Content", "content_of", "open_documents"]

JSON_MEMBER = r".*\.json"
"""Path of a member that is a JSON document, in any case."""

_HEAD = 1 << 16  # bytes; the first record of a download and the root of a document stand in them
_OF_TABLES = re.compile(f"{VAERS_DATA}|{FAERS_DEMO}", re.IGNORECASE)


@dataclass(frozen=True)
class Content:
    """Names and beginning of a source.

    Parameters
    ----------
    archive
        The open archive or folder; None of a single file.
    head
        First bytes of the file, unpacked, or of the first JSON member or the only member of an
        archive, without byte order marks and spaces before.
    """

    path: Path
    archive: Archive | None
    head: bytes

    def has(self, *patterns: str) -> bool:
        """Return whether an archive has members that match each of the patterns."""
        return self.archive is not None and all(map(self.archive.find, patterns))


@contextmanager
def content_of(path: Path) -> Iterator[Content]:
    """Open a source and read how it begins.

    Raises
    ------
    InputError
        It does not exist, is no file, or cannot be unpacked.
    """
    if not path.is_dir():
        require_file(path)
    if is_archive(path):
        with open_archive(path) as archive:
            documents = _documents(archive)
            head = b""
            if documents:
                with archive.opened(documents[0]) as stream:
                    head = stream.read(_HEAD)
            yield Content(path, archive, _trimmed(head))
        return
    with open_unpacked(path) as stream:
        head = stream.read(_HEAD)
    yield Content(path, None, _trimmed(head))


def open_documents(path: Path) -> Iterator[tuple[BufferedBytes, str, bytes]]:
    """Yield each document of a file or an archive, with its source label and its head."""
    if not is_archive(path):
        with open_unpacked(path) as stream:
            yield stream, path.name, stream.peek()
        return
    with open_archive(path) as archive:
        for member in _documents(archive):
            with archive.opened(member) as stream:
                yield stream, archive.label(member), stream.peek()


def is_archive(path: Path) -> bool:
    """Return whether a source has members: a folder, a zip file, a table with its neighbours."""
    return path.is_dir() or is_zip(path) or _OF_TABLES.fullmatch(path.name) is not None


def _documents(archive: Archive) -> list[ZipInfo]:
    """Return the JSON members of an archive, or its only member."""
    found = archive.find(JSON_MEMBER)
    others = [] if found else archive.find(r".*[^/]")
    return found or (others if len(others) == 1 else [])


def _trimmed(head: bytes) -> bytes:
    while head.startswith(BOM_UTF8):  # line listings of EudraVigilance have two
        head = head.removeprefix(BOM_UTF8)
    return head.lstrip()
