"""Detection of the format of a source by its content."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from schemas.errors import InputError
from streams.intake.authorities.canada_vigilance import CANADA_TABLES
from streams.intake.authorities.eudravigilance import is_line_listing
from streams.intake.authorities.jader import JADER_TABLES
from streams.intake.authorities.maude import is_maude
from streams.intake.documents.arrays import is_array
from streams.intake.documents.content import Content, content_of
from streams.intake.documents.fhir import is_fhir
from streams.intake.documents.openfda import is_openfda
from streams.intake.e2b.content import begins_as_e2b, e2b_members
from streams.intake.faers.layout import FAERS_DEMO
from streams.intake.foreign_content import describe_content
from streams.intake.vaers import VAERS_DATA

__all__ = ["FORMATS", "Format", "KnownFormat", "detect_format"]

Format = Literal[
    "native",
    "array",
    "vaers",
    "faers",
    "e2b",
    "openfda",
    "jader",
    "eudravigilance",
    "canada_vigilance",
    "maude",
    "fhir",
]

_TABLES = (VAERS_DATA, FAERS_DEMO, JADER_TABLES[0], CANADA_TABLES[0])
_NATIVE_SUFFIXES = (".jsonl", ".ndjson", ".json")


class KnownFormat(NamedTuple):
    """A format: its name, what its files are, and whether a content is of it."""

    name: Format
    files: str
    recognises: Callable[[Content], bool]


def _has(*members: str) -> Callable[[Content], bool]:
    return lambda content: content.has(*members)


def _is_native(content: Content) -> bool:
    name = content.path.name.lower().removesuffix(".gz")
    return content.archive is None and name.endswith(_NATIVE_SUFFIXES)


def _is_e2b(content: Content) -> bool:
    if content.archive is None:
        return begins_as_e2b(content.head)
    # Members of an archive of tables are not opened: some are documents about them.
    is_of_tables = any(content.has(pattern) for pattern in _TABLES)
    if is_of_tables and not content.path.is_dir():
        return False
    return next(e2b_members(content.archive), None) is not None


FORMATS = (
    KnownFormat("vaers", "a zip file or a folder with *VAERSDATA.csv", _has(VAERS_DATA)),
    KnownFormat("faers", "with DEMO*.txt", _has(FAERS_DEMO)),
    KnownFormat("jader", "with demo*.csv of JADER", _has(*JADER_TABLES)),
    KnownFormat("canada_vigilance", "with reports.txt of Canada Vigilance", _has(*CANADA_TABLES)),
    KnownFormat("maude", "with mdrfoi*.txt of MAUDE, or its JSON documents", is_maude),
    KnownFormat("eudravigilance", "a line listing of EudraVigilance", is_line_listing),
    KnownFormat("e2b", "ICH E2B documents in XML", _is_e2b),
    KnownFormat("openfda", "JSON documents of openFDA drug events", is_openfda),
    KnownFormat("fhir", "FHIR adverse events as JSON", is_fhir),
    KnownFormat("array", "a JSON array of reports", is_array),
    KnownFormat("native", "a .jsonl, .ndjson or .json file, gzipped or not", _is_native),
)
"""Known formats. The first one that recognises a file is its format; archives must be of one."""

_KNOWN = ", ".join(known.files for known in FORMATS[:-1]) + f", or {FORMATS[-1].files}"


def detect_format(path: Path) -> Format:
    """Detect the format of a source: of a zip file by its members, else by how it begins.

    Raises
    ------
    InputError
        The file does not exist, is damaged, or has an unknown format.
    """
    with content_of(path) as content:
        found = [known.name for known in FORMATS if known.recognises(content)]
        has_members = content.archive is not None
    if len(found) == 1 or (found and not has_members):
        return found[0]
    if found:
        msg = f"{path}: must hold files of one format; got {' and '.join(found)}"
        raise InputError(msg)
    kind = "folder" if path.is_dir() else "zip file"
    got = f"a {kind} with none of these" if has_members else describe_content(path)
    msg = f"{path}: must be {_KNOWN}; got {got or 'a file that is none of them'}"
    raise InputError(msg)
