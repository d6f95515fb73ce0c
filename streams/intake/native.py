"""Native JSON: one `schemas.report.Report` a line, in the order in which they were received."""

import gzip
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from pydantic import ValidationError

from schemas.errors import IcsrError, InputError
from schemas.fields import fields_validator
from schemas.link import LINK_MARK, CaseLink
from schemas.report import DATES_IN_ORDER, Report

__all__ = ["MOST_BYTES", "decode_message", "decode_report", "read_lines"]

_VALIDATE = fields_validator(Report).validate_json

MOST_BYTES = 1_000_000
"""The longest message that is read; a report of more is an attachment or an attack."""


def decode_report(raw: bytes) -> dict[str, Any]:
    """Read one report into the fields it states; what it does not state has its default.

    Every rule of `schemas.report.Report` holds. `Report` itself can be had of the same bytes with
    `Report.model_validate_json`, at twice the cost.

    Raises
    ------
    IcsrError
        If it is too long, not UTF-8, not JSON, or breaks the schema. The message names the first
        place and rule, and how many more there are; it quotes nothing of the report.
    """
    if len(raw) > MOST_BYTES:
        msg = f"report: at most {MOST_BYTES} bytes are read; got {len(raw)}"
        raise IcsrError(msg)
    try:
        fields: dict[str, Any] = _VALIDATE(raw)
    except ValidationError as error:
        raise _refused(error, "report") from error
    if fields["latest_received"] < fields["first_received"]:
        msg = f"report: {DATES_IN_ORDER}"
        raise IcsrError(msg)
    return fields


def decode_message(raw: bytes) -> dict[str, Any] | CaseLink:
    """Read what stands on `pv.reports`: the fields of a report, or a link between two.

    Raises
    ------
    IcsrError
        As of `decode_report`.
    """
    try:
        return decode_report(raw)
    except IcsrError:
        # Only here, so that no report pays for the links there are: none can be read as a report.
        if LINK_MARK not in raw or len(raw) > MOST_BYTES:
            raise
    try:
        return CaseLink.model_validate_json(raw)
    except ValidationError as error:
        raise _refused(error, "link") from error


def _refused(error: ValidationError, what: str) -> IcsrError:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    first = problems[0]
    loc, rule = first["loc"], first["msg"]
    if first["type"] == "extra_forbidden":  # the field's name is the sender's, not ours
        loc, rule = loc[:-1], "holds a field that the schema does not know"
    place = ".".join(map(str, loc)) or what
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return IcsrError(f"{place}: {rule}{more}")


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield every line that is not blank, with its number from 1 and without its line end.

    Raises
    ------
    InputError
        If the file cannot be read to its end.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with cast(IO[bytes], opener(path, "rb")) as lines:
            for number, line in enumerate(lines, start=1):
                text = line.removeprefix(BOM_UTF8) if number == 1 else line
                if stripped := text.strip():
                    yield number, stripped
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: must be readable to its end; got {error}"
        raise InputError(msg) from error
