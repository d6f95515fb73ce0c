"""Notices as JSON Lines: one `schemas.notice.Notice` per line."""

from collections.abc import Iterator
from pathlib import Path

from schemas.errors import IcsrError, RejectCode
from schemas.notice import Notice
from schemas.rejected import Rejected
from streams.intake.bounded import ReadMeter
from streams.intake.native import MOST_BYTES, read_messages
from streams.intake.refusals import decode_as

__all__ = ["decode_notice", "read_notices"]


def decode_notice(raw: bytes) -> Notice:
    """Decode one notice.

    Raises
    ------
    IcsrError
        As by `streams.intake.native.decode_report`.
    """
    if len(raw) > MOST_BYTES:
        msg = f"notice: at most {MOST_BYTES} bytes are read; got {len(raw)}"
        raise IcsrError(msg, RejectCode.TOO_LONG)
    return decode_as(Notice, raw, "notice")


def read_notices(path: Path, meter: ReadMeter | None = None) -> Iterator[Notice | Rejected]:
    """Yield the notices of a file, and a reject for every other line; `meter` counts the lines.

    Raises
    ------
    InputError
        If the file cannot be read to its end.
    """
    for number, line in read_messages(path, meter=meter):
        if isinstance(line, Rejected):
            yield line
            continue
        try:
            yield decode_notice(line)
        except IcsrError as error:
            yield Rejected(
                source=path.name, position=number, reason=str(error), raw=line, code=error.code
            )
