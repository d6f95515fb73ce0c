"""Native JSON Lines: one `schemas.report.Report` per line, in order of receipt."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.errors import IcsrError, InputError, RejectCode
from schemas.link import LINK_MARK, CaseLink
from schemas.rejected import Rejected
from schemas.release import RELEASE_MARK, ReleaseMarker
from schemas.report import Report
from streams.intake.bounded import RECORD_BYTES, ReadMeter, bounded_lines, open_unpacked
from streams.intake.fast_path import decode_fast, may_hold_duplicates
from streams.intake.refusals import decode_as, require_single_fields

__all__ = [
    "MOST_BYTES",
    "OWN_LINE_BYTES",
    "decode_message",
    "decode_report",
    "read_lines",
    "read_messages",
]

MOST_BYTES = 1_000_000
"""Maximum length of a message; a longer one is an attachment or an attack."""

OWN_LINE_BYTES = 64 << 20
"""Maximum length of a line of a file of ours: an alert names its cases, of which many may be."""

_OTHERS = ((LINK_MARK, CaseLink, "link"), (RELEASE_MARK, ReleaseMarker, "release"))


def decode_report(raw: bytes) -> Any:
    """Decode one report: an object with the attributes of `schemas.report.Report`, with defaults.

    Every rule of `Report` is checked. Input that the fast path refuses is validated by the model.

    Raises
    ------
    IcsrError
        If it is too long, not UTF-8, not JSON, violates the schema, or holds a field twice. The
        message names the first field and rule, and the number of further ones. Of the report it
        quotes nothing but the beginning of an unknown field's name.
    """
    if len(raw) > MOST_BYTES:
        msg = f"report: at most {MOST_BYTES} bytes are read; got {len(raw)}"
        raise IcsrError(msg, RejectCode.TOO_LONG)
    if (report := decode_fast(raw)) is not None:
        if may_hold_duplicates(raw):
            require_single_fields(raw, "report")
        return report
    return decode_as(Report, raw, "report")


def decode_message(raw: bytes) -> Any:
    """Decode a message of `pv.reports`: a report as by `decode_report`, a link or a marker.

    Raises
    ------
    IcsrError
        As by `decode_report`.
    """
    try:
        return decode_report(raw)
    except IcsrError as error:
        # Others are tried last, so that reports cost no check: none of them is a valid report.
        if error.code is RejectCode.DUPLICATE_FIELD or len(raw) > MOST_BYTES:
            raise
        found = next((kind for kind in _OTHERS if kind[0] in raw), None)
        if found is None:
            raise
    _, model, name = found
    return decode_as(model, raw, name)


def read_messages(
    path: Path, most: int = RECORD_BYTES, meter: ReadMeter | None = None
) -> Iterator[tuple[int, bytes | Rejected]]:
    """Yield the non-blank lines, with their numbers from 1 and without line ends.

    Parameters
    ----------
    most
        Maximum length of a line [bytes]; a longer one is a reject.
    meter
        Counts the bytes and lines that were read.

    Raises
    ------
    InputError
        If the file cannot be read to its end.
    """
    meter = meter or ReadMeter()
    with open_unpacked(path, meter=meter) as file:
        for number, line in enumerate(bounded_lines(file, path.name, most), start=1):
            meter.n_lines = number
            if isinstance(line, Rejected):
                yield number, line
            elif stripped := (line.removeprefix(BOM_UTF8) if number == 1 else line).strip():
                yield number, stripped


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the non-blank lines of a file that Tocsin wrote, as `read_messages` does.

    Raises
    ------
    InputError
        If the file cannot be read to its end, or a line is too long for a file of ours.
    """
    for number, line in read_messages(path, OWN_LINE_BYTES):
        if isinstance(line, Rejected):
            msg = f"{path}: line {number}: {line.reason}"
            raise InputError(msg)
        yield number, line
