"""Parsing of pictures: their elements, texts, descriptions and the places of texts."""

import re
from dataclasses import dataclass
from math import inf
from xml.etree import ElementTree

from streams.figures.drawing.text_width import text_width

__all__ = [
    "Extent",
    "elements",
    "entries_of",
    "extents",
    "intervals_in",
    "number_in",
    "root_of",
    "texts_of",
]

_NAMESPACE = "{http://www.w3.org/2000/svg}"
_NUMBER = r"(?:[−\d.,]+|unbounded|undefined|上限なし|算出不能)"


def root_of(svg: str) -> ElementTree.Element:
    """Return the parsed picture."""
    return ElementTree.fromstring(svg)


def elements(svg: str, tag: str, cls: str = "") -> list[ElementTree.Element]:
    """Return the elements of a tag that have all of some classes, outside of definitions."""
    root = root_of(svg)
    defined = {id(each) for defs in root.iter(f"{_NAMESPACE}defs") for each in defs.iter()}
    return [
        each
        for each in root.iter(f"{_NAMESPACE}{tag}")
        if id(each) not in defined and set(cls.split()) <= set(each.get("class", "").split())
    ]


def texts_of(svg: str, cls: str = "") -> list[str]:
    """Return the visible texts, without tooltips."""
    return [
        (each.text or "") + "".join(sub.tail or "" for sub in each)
        for each in elements(svg, "text", cls)
    ]


def entries_of(svg: str) -> list[str]:
    """Return the lines of the description."""
    (desc,) = elements(svg, "desc")
    return (desc.text or "").splitlines()


def intervals_in(entry: str) -> list[tuple[float | None, ...]]:
    """Return the estimates with bounds of an entry of a description."""
    found = re.findall(rf"({_NUMBER}) \[({_NUMBER}), ({_NUMBER})\]", entry)
    return [tuple(number_in(each) for each in one) for one in found]


def number_in(text: str) -> float | None:
    """Return a number as a picture writes it; None for an undefined one."""
    if text in ("undefined", "算出不能"):
        return None
    if text in ("unbounded", "上限なし"):
        return inf
    return float(text.replace("−", "-").replace(",", ""))


@dataclass(frozen=True)
class Extent:
    """Place of a text [px]."""

    words: str
    left: float
    right: float
    baseline: float


def extents(svg: str) -> list[Extent]:
    """Return where each text lies, by the widths of Inter."""
    found = []
    for each, words in zip(elements(svg, "text"), texts_of(svg), strict=True):
        classes = set(each.get("class", "").split())
        size = 10.5 if {"s", "cn", "inv"} & classes else 15 if "l" in classes else 12
        wide = text_width(words, size)
        start = float(each.get("x", "0")) - wide * (
            1 if "e" in classes else 0.5 if "m" in classes else 0
        )
        found.append(Extent(words, start, start + wide, float(each.get("y", "0"))))
    return found
