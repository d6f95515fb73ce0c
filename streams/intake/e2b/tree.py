"""Access to the elements of a parsed message by local names, in any namespace or prefix."""

from collections.abc import Iterator
from functools import lru_cache

from lxml.etree import _Element as Element

__all__ = ["Element", "attribute", "find", "find_all", "leaves", "local_name", "text_of", "texts"]


@lru_cache(maxsize=1024)
def _wild(path: str) -> str:
    return "/".join(f"{{*}}{name}" for name in path.split("/"))


def find(element: Element | None, path: str) -> Element | None:
    """Return the first descendant at a path of local names, such as `player1/name`."""
    return None if element is None else element.find(_wild(path))


def find_all(element: Element | None, path: str) -> Iterator[Element]:
    """Yield the descendants at a path of local names, in document order."""
    return iter(()) if element is None else element.iterfind(_wild(path))


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace; empty of an entity reference."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element | None, path: str, name: str) -> str:
    """Return an attribute of the first descendant at a path; empty if there is none."""
    found = find(element, path) if path else element
    return "" if found is None else found.get(name, "")


def text_of(element: Element | None, path: str = "") -> str:
    """Return the text of the first descendant at a path, with the text of its children."""
    found = find(element, path) if path else element
    if found is None:
        return ""
    return (found.text or "") if len(found) == 0 else "".join(found.itertext())


def texts(element: Element | None, path: str) -> list[str]:
    """Return the texts at a path that are not blank."""
    return [text for each in find_all(element, path) if (text := text_of(each).strip())]


def leaves(parent: Element | None) -> dict[str, str]:
    """Return the texts of the children without children, by local name; the first of each name."""
    found: dict[str, str] = {}
    for child in parent if parent is not None else ():
        if len(child) == 0 and child.text:
            found.setdefault(local_name(child), child.text.strip())
    return found
