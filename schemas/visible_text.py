"""Text without characters that nobody sees, so that names that look alike are alike."""

import unicodedata

__all__ = ["visible"]

_HIDDEN = {"Cc", "Cf", "Cs"}
"""General categories of Unicode: controls, formats (bidirectional, zero width), surrogates."""

_BREAKS = {"Zl", "Zp"}  # line and paragraph separators

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0").union(
    map(chr, range(0xFE00, 0xFE10)), map(chr, range(0xE0100, 0xE01F0))
)
"""Other default-ignorable characters of Unicode: joiners, fillers, variation selectors."""


def visible(text: str) -> str:
    r"""Remove characters that nobody sees; what separates lines or fields becomes a space.

    Removed are control characters, format characters (zero width, marks and overrides of writing
    direction, soft hyphens), surrogates, fillers and variation selectors.

    >>> visible("as\u200bpi\x00rin\t100\x1fmg"), visible("\u202e\u3164")
    ('aspirin 100 mg', '')
    """
    if text.isascii() and text.isprintable():
        return text
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if category in _BREAKS or (category == "Cc" and character.isspace()):
            kept.append(" ")
        elif category not in _HIDDEN and character not in _BLANK:
            kept.append(character)
    return "".join(kept)
