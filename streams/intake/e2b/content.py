"""Detection of ICH E2B documents by their content, whatever their names."""

import contextlib
import re
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipInfo

from streams.intake.archive import Archive

__all__ = ["begins_as_e2b", "e2b_members", "is_e2b", "is_zip"]

_HEAD = 1 << 16  # bytes; comments and a document type may stand before the root
_ROOT = re.compile(
    r"<(?:[\w.-]+:)?(?:ichicsr|MCCI_IN200100UV01|PORR_IN049016UV|safetyreport)[\s/>]"
)
_ZIP = b"PK"
_GZIP_WINDOW = 31  # 16 + 15: zlib's largest window, with the header of gzip


def is_zip(path: Path) -> bool:
    """Return whether a file begins as a zip archive."""
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def is_e2b(path: Path) -> bool:
    """Return whether a file, gzipped or not, begins as an ICH E2B document."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if path.suffix == ".gz":
        with contextlib.suppress(zlib.error):
            head = zlib.decompressobj(_GZIP_WINDOW).decompress(head, _HEAD)
    return begins_as_e2b(head)


def e2b_members(archive: Archive) -> Iterator[ZipInfo]:
    """Yield the members of an archive that are ICH E2B documents."""
    for member in archive.find(r".*[^/]"):
        with archive.opened(member) as stream:
            found = begins_as_e2b(stream.read(_HEAD))
        if found:
            yield member


def begins_as_e2b(head: bytes) -> bool:
    r"""Return whether the beginning of a document has the root of an ICH E2B document.

    >>> begins_as_e2b(b'<?xml version="1.0"?>\n<ichicsr lang="en">'), begins_as_e2b(b"<html>")
    (True, False)
    """
    text = _decoded(head).lstrip()
    return text.startswith("<") and _ROOT.search(text) is not None


def _decoded(head: bytes) -> str:
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return head.decode("utf-16", "replace")
    if head.startswith((b"<\0", b"\0<")):
        return head.decode("utf-16-le" if head[1:2] == b"\0" else "utf-16-be", "replace")
    return head.removeprefix(BOM_UTF8).decode("latin-1")
