"""Native JSON: one `schemas.report.Report` a line, in the order in which they were received."""

import gzip
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from pydantic import ValidationError

from schemas.errors import IcsrError, InputError, RejectCode
from schemas.link import LINK_MARK, CaseLink
from schemas.report import Report
from streams.intake.fast_path import decode_fast
from streams.intake.refusals import code_of

__all__ = ["MOST_BYTES", "decode_message", "decode_report", "read_lines"]

_BLOCK = 1 << 20  # bytes read at a time; of the usual 8,192 lines are put together again

MOST_BYTES = 1_000_000
"""The longest message that is read; a report of more is an attachment or an attack."""


def decode_report(raw: bytes) -> Any:
    """Read one report: an object with the attributes of `schemas.report.Report`, defaults included.

    Every rule of `Report` holds. What the fast path does not accept is read by the model.

    Raises
    ------
    IcsrError
        If it is too long, not UTF-8, not JSON, or breaks the schema. The message names the first
        place and rule, and how many more there are; it quotes nothing of the report.
    """
    if len(raw) > MOST_BYTES:
        msg = f"report: at most {MOST_BYTES} bytes are read; got {len(raw)}"
        raise IcsrError(msg, RejectCode.TOO_LONG)
    if (report := decode_fast(raw)) is not None:
        return report
    try:
        return Report.model_validate_json(raw)
    except ValidationError as error:
        raise _refused(error, "report") from error


def decode_message(raw: bytes) -> Any:
    """Read what stands on `pv.reports`: a report as of `decode_report`, or a `CaseLink`.

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
    problems = error.errors(include_url=False, include_input=False)
    first = problems[0]
    loc, rule = first["loc"], first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":  # the field's name is the sender's, not ours
        loc, rule = loc[:-1], "holds a field that the schema does not know"
    place = ".".join(map(str, loc)) or what
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return IcsrError(f"{place}: {rule}{more}", code_of(first))


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield every line that is not blank, with its number from 1 and without its line end.

    Raises
    ------
    InputError
        If the file cannot be read to its end.
    """
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, start=1):
                if number == 1:
                    line = line.removeprefix(BOM_UTF8)
                if stripped := line.strip():
                    yield number, stripped
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: must be readable to its end; got {error}"
        raise InputError(msg) from error


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb", buffering=_BLOCK)
