"""Native JSON: one `schemas.report.Report` a line, in the order in which they were received."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from pydantic import ValidationError

from schemas.errors import IcsrError
from schemas.report import Report

__all__ = ["MOST_BYTES", "decode_report", "read_lines"]

MOST_BYTES = 1_000_000
"""The longest message that is read; a report of more is an attachment or an attack."""


def decode_report(raw: bytes) -> Report:
    """Read one report.

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
        return Report.model_validate_json(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        first = problems[0]
        place = ".".join(map(str, first["loc"])) or "report"
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        msg = f"{place}: {first['msg']}{more}"
        raise IcsrError(msg) from error


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield every line that is not blank, with its number from 1 and without its line end."""
    opener = gzip.open if path.suffix == ".gz" else open
    with cast(IO[bytes], opener(path, "rb")) as lines:
        for number, line in enumerate(lines, start=1):
            if stripped := line.strip():
                yield number, stripped
