"""Access to the elements of a parsed message by local names, in any namespace or prefix."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from lxml.etree import _Element as Element

__all__ = [
    "Children",
    "Element",
    "attribute",
    "children",
    "find",
    "find_all",
    "local_name",
    "text_of",
    "texts",
]


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
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2] if tag.startswith("{") else tag


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


class Children(NamedTuple):
    """The children of an element by local name: texts of those with text alone, and the others."""

    texts: dict[str, str]  # the first of each name, stripped
    elements: dict[str, list[Element]]

    def first(self, name: str) -> "Children":
        """Return the children of the first child of a name; none if there is no such child."""
        found = self.elements.get(name)
        return children(found[0]) if found else Children({}, {})

    def each(self, name: str) -> list["Children"]:
        """Return the children of each child of a name."""
        return [children(element) for element in self.elements.get(name, ())]


def children(parent: Element | None) -> Children:
    """Return the children of an element, in one pass."""
    texts: dict[str, str] = {}
    elements: dict[str, list[Element]] = {}
    for child in parent if parent is not None else ():
        text = (child.text or "").strip()
        if text and len(child) == 0:
            texts.setdefault(local_name(child), text)
        else:
            elements.setdefault(local_name(child), []).append(child)
    return Children(texts, elements)
