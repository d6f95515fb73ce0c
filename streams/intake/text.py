"""Cleaning of text from source files: no control characters, limited length."""

import re
import unicodedata

__all__ = ["clean", "parse_decimal"]

_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+", re.ASCII)


def clean(text: str, limit: int) -> str | None:
    r"""Strip a value, drop control characters, truncate it to a limit; blank is unknown.

    >>> clean("  9Q01042 \x00", 200), clean(" ", 200), clean("abcdef", 3)
    ('9Q01042', None, 'abc')
    """
    if not text:
        return None
    if not text.isprintable():
        text = "".join(
            " " if character in "\t\r\n" else character
            for character in text
            if character in "\t\r\n" or unicodedata.category(character) != "Cc"
        )
    text = text.strip()
    return (text if len(text) <= limit else text[:limit].rstrip()) or None


def parse_decimal(text: str) -> float | None:
    """Parse a non-negative decimal number; anything else is unknown.

    >>> parse_decimal("0.2"), parse_decimal(".5"), parse_decimal("-1"), parse_decimal("1e400")
    (0.2, 0.5, None, None)
    """
    text = text.strip()
    return float(text) if _DECIMAL.fullmatch(text) else None
