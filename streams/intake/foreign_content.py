"""Descriptions of files that are of no format of ours, from how they begin."""

import re
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

__all__ = ["describe_content"]

_HEAD = 1 << 16  # bytes; the fields of an openFDA download and the root of XML stand in the first
_GZIP, _GZIP_WINDOW = b"\x1f\x8b", 31  # 16 + 15: zlib's largest window, with the header of gzip
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "|", "$": "$"}
_OPENFDA = re.compile(rb'\A\{\s*"meta"\s*:.*"results"\s*:\s*\[', re.DOTALL)
_E2B = re.compile(rb"<(ichicsr|\w*:?MCCI_IN200100UV01)\b", re.IGNORECASE)
_HTML = re.compile(rb"\A<(!doctype\s+)?html\b", re.IGNORECASE)
_WHAT_TO_WRITE = "write one report a line, each a JSON object"


def describe_content(path: Path) -> str | None:
    """Describe the content of a file that holds no report of ours; None if nothing is known.

    The description quotes nothing of the file.
    """
    if path.is_dir():
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.startswith(_GZIP):
        return _described(head)
    inner = _described(_unpacked(head))
    if path.suffix != ".gz":
        return f"a gzipped file, whose name must end with .gz{f' ({inner})' if inner else ''}"
    return f"gzipped: {inner}" if inner else None


def _unpacked(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(_GZIP_WINDOW).decompress(head, _HEAD)
    except zlib.error:
        return b""


def _described(head: bytes) -> str | None:
    if not head:
        return "an empty file"
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in head[:2]:
        return "text in UTF-16; save it as UTF-8"
    if head.startswith(b"PAR1"):
        return "a Parquet file"
    text = head.removeprefix(BOM_UTF8).lstrip()
    if text.startswith(b"["):
        return f"a JSON array; {_WHAT_TO_WRITE}"
    if text.startswith(b"{"):
        return _described_object(text)
    if text.startswith(b"<"):
        return _described_markup(text)
    return _described_table(text)


def _described_object(text: bytes) -> str | None:
    if _OPENFDA.match(text):
        return "a download of openFDA, one JSON object with meta and results"
    if not text.partition(b"\n")[0].rstrip().endswith(b"}"):
        return f"a JSON object over several lines; {_WHAT_TO_WRITE}"
    return None


def _described_markup(text: bytes) -> str:
    if _HTML.match(text):
        return "a web page"
    return "XML, an E2B message" if _E2B.search(text) else "XML"


def _described_table(text: bytes) -> str | None:
    """Describe delimited text by the separator that its first two lines hold as often."""
    lines = text.decode("latin-1").splitlines()[:2]
    for separator, name in _SEPARATORS.items():
        columns = {line.count(separator) + 1 for line in lines}
        if len(columns) == 1 and (number := columns.pop()) > 1:
            return f"a table of {number} columns, separated by {name}"
    return None
