"""Text that is safe to print on a terminal."""

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""Escape what is not printable: names of files and members of archives are others' text.

    >>> print(printable("a\x1b[31m.jsonl"))
    a\x1b[31m.jsonl
    """
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )
