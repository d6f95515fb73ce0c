"""Decoding and cleaning of text from source files."""

import re
from collections import Counter

from schemas.visible_text import visible
from streams.intake.refusals import quoted

__all__ = ["clean", "count_unmapped", "decode_line", "parse_decimal"]

_MOST_UNMAPPED = 1_000  # distinct values that are counted; a hostile file makes up more
_LONGEST_UNMAPPED = 20  # characters of a value in a count
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+", re.ASCII)


def decode_line(raw: bytes) -> str:
    r"""Decode a line that is valid UTF-8 as such, and any other as Windows-1252.

    The files mix both. A byte that neither of them defines becomes a replacement character.

    >>> decode_line("naïve".encode()), decode_line("naïve".encode("cp1252")), decode_line(b"\x81")
    ('naïve', 'naïve', '\ufffd')
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def clean(text: str, limit: int) -> str | None:
    r"""Strip a value, drop what nobody sees, truncate it to a limit; blank is unknown.

    >>> clean("  9Q01042 \x00", 200), clean(" ", 200), clean("abcdef", 3)
    ('9Q01042', None, 'abc')
    """
    if not text:
        return None
    text = visible(text).strip()
    return (text if len(text) <= limit else text[:limit].rstrip()) or None


def parse_decimal(text: str) -> float | None:
    """Parse a non-negative decimal number; anything else is unknown.

    >>> parse_decimal("0.2"), parse_decimal(".5"), parse_decimal("-1"), parse_decimal("1e400")
    (0.2, 0.5, None, None)
    """
    text = text.strip()
    return float(text) if _DECIMAL.fullmatch(text) else None


def count_unmapped(counts: Counter[str], column: str, value: str) -> None:
    """Count a value that has no counterpart in a report, by column and value.

    >>> counts = Counter()
    >>> count_unmapped(counts, "sex", " X "); counts
    Counter({"sex 'X'": 1})
    """
    name = f"{column} {quoted(value.strip()[:_LONGEST_UNMAPPED])}"
    if name not in counts and len(counts) >= _MOST_UNMAPPED:
        name = "other values"
    counts[name] += 1
