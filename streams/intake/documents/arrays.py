"""A JSON array of native reports: one document, pretty-printed or not."""

import re
from collections.abc import Iterator
from pathlib import Path

from schemas.rejected import Rejected
from streams.intake.bounded import open_unpacked
from streams.intake.documents.content import Content
from streams.intake.documents.json_items import Items, json_items

__all__ = ["is_array", "read_array"]

_OBJECTS = re.compile(rb"\[\s*(?:[{\]]|\Z)")


def is_array(content: Content) -> bool:
    """Return whether a file begins as an array of objects, or as an empty one."""
    return content.archive is None and _OBJECTS.match(content.head) is not None


def read_array(path: Path) -> Iterator[tuple[int, bytes | Rejected]]:
    """Yield the undecoded reports of an array, numbered from 1, in their order.

    Raises
    ------
    InputError
        If the file cannot be read to its end, or is no array.
    """
    with open_unpacked(path) as stream:
        yield from json_items(stream, path.name, Items(level=1))
