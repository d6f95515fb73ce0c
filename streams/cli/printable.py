"""Text that is safe to print on a terminal."""

import unicodedata

__all__ = ["printable", "printable_lines"]


def printable(text: str) -> str:
    r"""Escape what is not printable: names of files and members of archives are others' text.

    >>> print(printable("a\x1b[31m.jsonl"))
    a\x1b[31m.jsonl
    """
    return "".join(
        character if character.isprintable() else _escaped(character) for character in text
    )


def printable_lines(text: str) -> str:
    r"""Escape what steers a terminal, or shows text other than it is; keep lines, tabs and blanks.

    In JSON, which escapes the other controls itself, the escapes stand for what they replace.

    >>> print(printable_lines('"a\u3000b": "\x9b2J\u202e"\n'), end="")
    "a　b": "\u009b2J\u202e"
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"
        else _escaped(character)
        for character in text
    )


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x7F:
        return repr(character)[1:-1]
    # As in JSON: what is beyond the first 65,536 characters is a pair.
    pair = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{pair[start : start + 4]}" for start in range(0, len(pair), 4))
