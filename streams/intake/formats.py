"""Detection of the format of a source by its content."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from schemas.errors import InputError
from streams.intake.authorities.eudravigilance import is_line_listing
from streams.intake.authorities.jader import JADER_TABLES
from streams.intake.documents.arrays import is_array
from streams.intake.documents.content import Content, content_of
from streams.intake.documents.openfda import is_openfda
from streams.intake.e2b.content import begins_as_e2b, e2b_members
from streams.intake.faers.layout import FAERS_DEMO
from streams.intake.foreign_content import describe_content
from streams.intake.vaers import VAERS_DATA

__all__ = ["FORMATS", "Format", "KnownFormat", "detect_format"]

Format = Literal["native", "array", "vaers", "faers", "e2b", "openfda", "jader", "eudravigilance"]

_NATIVE_SUFFIXES = (".jsonl", ".ndjson", ".json")


class KnownFormat(NamedTuple):
    """A format: its name, what its files are, and whether a content is of it."""

    name: Format
    files: str
    recognises: Callable[[Content], bool]


def _is_native(content: Content) -> bool:
    name = content.path.name.lower().removesuffix(".gz")
    return content.archive is None and name.endswith(_NATIVE_SUFFIXES)


def _is_e2b(content: Content) -> bool:
    if content.archive is None:
        return begins_as_e2b(content.head)
    return next(e2b_members(content.archive), None) is not None


FORMATS = (
    KnownFormat("vaers", "a zip file with *VAERSDATA.csv", lambda one: one.has(VAERS_DATA)),
    KnownFormat("faers", "a zip file with DEMO*.txt", lambda one: one.has(FAERS_DEMO)),
    KnownFormat("jader", "a zip file with demo*.csv of JADER", lambda one: one.has(*JADER_TABLES)),
    KnownFormat("eudravigilance", "a line listing of EudraVigilance", is_line_listing),
    KnownFormat("e2b", "an ICH E2B document in XML or a zip file with some", _is_e2b),
    KnownFormat("openfda", "a JSON document of openFDA drug events", is_openfda),
    KnownFormat("array", "a JSON array of reports", is_array),
    KnownFormat("native", "a .jsonl, .ndjson or .json file, gzipped or not", _is_native),
)
"""Known formats. The first one that recognises a content is its format."""

_KNOWN = ", ".join(known.files for known in FORMATS[:-1]) + f", or {FORMATS[-1].files}"


def detect_format(path: Path) -> Format:
    """Detect the format of a source: of a zip file by its members, else by how it begins.

    Raises
    ------
    InputError
        The file does not exist, is damaged, or has an unknown format.
    """
    with content_of(path) as content:
        for known in FORMATS:
            if known.recognises(content):
                return known.name
        is_archive = content.archive is not None
    got = "a zip file with none of these" if is_archive else describe_content(path)
    msg = f"{path}: must be {_KNOWN}; got {got or 'a file that is none of them'}"
    raise InputError(msg)
