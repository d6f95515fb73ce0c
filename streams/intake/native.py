"""Native JSON: one `schemas.report.Report` a line, in the order in which they were received."""

import gzip
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import msgspec
from pydantic import ValidationError

from schemas.errors import IcsrError, InputError
from schemas.fields import fields_decoder
from schemas.report import Report

__all__ = ["MOST_BYTES", "decode_report", "read_lines"]

_DECODE = fields_decoder(Report).decode

MOST_BYTES = 1_000_000
"""The longest message that is read; a report of more is an attachment or an attack."""


def decode_report(raw: bytes) -> Any:
    """Read one report: an object with the attributes of `schemas.report.Report`, defaults included.

    Every rule of `Report` holds. What `schemas.fields` is not sure of is read by the model.

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
        return _DECODE(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _ask_the_model(raw)


def _ask_the_model(raw: bytes) -> Report:
    try:
        return Report.model_validate_json(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        first = problems[0]
        loc, rule = first["loc"], first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":  # the field's name is the sender's, not ours
            loc, rule = loc[:-1], "holds a field that the schema does not know"
        place = ".".join(map(str, loc)) or "report"
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        msg = f"{place}: {rule}{more}"
        raise IcsrError(msg) from error


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
