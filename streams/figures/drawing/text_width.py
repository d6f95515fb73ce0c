"""Widths of texts in Inter, to place and shorten names without a browser."""

import json
import unicodedata
from functools import lru_cache
from importlib.resources import files

__all__ = ["shortened", "text_width"]

_UNKNOWN = 700  # thousandths of the size: wider than most letters
_FULL = 1000  # of an ideograph


def text_width(words: str, size: float = 12) -> float:
    """Return the width of a text [px] in the wider of the two faces, so never too small.

    >>> round(text_width("IC 4.44")), round(text_width("症例数")), text_width("")
    (43, 36, 0.0)
    """
    return sum(map(_width, words)) * size / 1000


def shortened(words: str, room: float, size: float = 12) -> str:
    """Return a text that is no wider than its room [px]: its end becomes an ellipsis.

    >>> shortened("Guillain-Barre syndrome", 80), shortened("RV", 80), shortened("RV", 2)
    ('Guillain-Bar…', 'RV', '')
    """
    if text_width(words, size) <= room:
        return words
    kept, left = [], room - text_width("…", size)
    if left < 0:
        return ""
    for character in words:
        left -= _width(character) * size / 1000
        if left < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def _width(character: str) -> int:
    """Return the width of a character in thousandths of the size."""
    known = _widths().get(character)
    if known is not None:
        return known
    if unicodedata.combining(character):
        return 0
    return _FULL if unicodedata.east_asian_width(character) in "WF" else _UNKNOWN


@lru_cache
def _widths() -> dict[str, int]:
    text = files("streams.figures").joinpath("fonts", "widths.json").read_text("utf-8")
    return {character: int(width) for character, width in json.loads(text).items()}
