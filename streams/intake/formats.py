"""Detection of the format of report files."""

from pathlib import Path
from typing import Literal

from schemas.errors import InputError
from streams.intake.archive import open_archive
from streams.intake.bounded import require_file
from streams.intake.e2b.content import e2b_members, is_e2b
from streams.intake.faers.layout import FAERS_DEMO
from streams.intake.foreign_content import describe_content
from streams.intake.vaers import VAERS_DATA

__all__ = ["Format", "detect_format"]

Format = Literal["native", "vaers", "faers", "e2b"]

_NATIVE_SUFFIXES = (".jsonl", ".ndjson", ".json")
_KNOWN = (
    "a zip file with *VAERSDATA.csv, a zip file with DEMO*.txt, "
    "an ICH E2B document in XML or a zip file with some, "
    "or a .jsonl, .ndjson or .json file, gzipped or not"
)


def detect_format(path: Path) -> Format:
    """Detect the format of a file: of zip files by members, of XML by its root, else by its name.

    Raises
    ------
    InputError
        The file does not exist, is a damaged zip file, or has an unknown format.
    """
    require_file(path)
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK" or path.suffix.lower() == ".zip"
    if is_zip:
        with open_archive(path) as archive:
            if archive.find(VAERS_DATA):
                return "vaers"
            if archive.find(FAERS_DEMO):
                return "faers"
            if next(e2b_members(archive), None):
                return "e2b"
        msg = f"{path}: must be {_KNOWN}; got a zip file with neither"
        raise InputError(msg)
    if is_e2b(path):
        return "e2b"
    if path.name.lower().removesuffix(".gz").endswith(_NATIVE_SUFFIXES):
        return "native"
    msg = f"{path}: must be {_KNOWN}; got {describe_content(path) or 'a file that is none of them'}"
    raise InputError(msg)
