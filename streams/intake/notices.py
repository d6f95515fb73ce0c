"""Notices as JSON Lines: one `schemas.notice.Notice` per line."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from schemas.errors import IcsrError, RejectCode
from schemas.notice import Notice
from schemas.rejected import Rejected
from streams.intake.native import MOST_BYTES, read_lines
from streams.intake.refusals import code_of

__all__ = ["decode_notice", "read_notices"]


def decode_notice(raw: bytes) -> Notice:
    """Decode one notice.

    Raises
    ------
    IcsrError
        If it is too long, not JSON, or violates the schema. The message names the first field and
        rule, without quoting the notice.
    """
    if len(raw) > MOST_BYTES:
        msg = f"notice: at most {MOST_BYTES} bytes are read; got {len(raw)}"
        raise IcsrError(msg, RejectCode.TOO_LONG)
    try:
        return Notice.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        loc = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
        msg = f"{'.'.join(map(str, loc)) or 'notice'}: {first['msg'].removeprefix('Value error, ')}"
        raise IcsrError(msg, code_of(first)) from error


def read_notices(path: Path) -> Iterator[Notice | Rejected]:
    """Yield the notices of a file, and a reject for every other line.

    Raises
    ------
    InputError
        If the file cannot be read to its end.
    """
    for number, line in read_lines(path):
        try:
            yield decode_notice(line)
        except IcsrError as error:
            yield Rejected(
                source=path.name, position=number, reason=str(error), raw=line, code=error.code
            )
