"""Items of a JSON document, one at a time: a document of any size in the memory of one item.

Brackets are found by numpy in blocks of bytes, and each item is left to a decoder as it is. A
decoder of whole documents takes memory by the document, and one that streams is ten times slower
(docs/adr/0053).
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from schemas.errors import InputError, RejectCode
from schemas.rejected import LONGEST_BEGINNING, Rejected
from streams.intake.bounded import RECORD_BYTES, BufferedBytes

__all__ = ["Items", "json_items"]

_BLOCK = 1 << 20  # bytes per read
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_BEFORE = 256  # bytes before a bracket in which the name of its array stands
_QUOTE, _OPEN, _CLOSE = 1, 2, 3
_KINDS = np.zeros(256, dtype=np.uint8)
_KINDS[ord('"')] = _QUOTE
_KINDS[[ord("["), ord("{")]] = _OPEN
_KINDS[[ord("]"), ord("}")]] = _CLOSE


@dataclass(frozen=True)
class Items:
    """Where the items of a document are: objects one after the other, or items of an array.

    Parameters
    ----------
    level
        Number of brackets around an item.
    array
        Name of the array in the outermost object; None if it is the document itself.
    """

    level: int
    array: str | None = None


def json_items(
    stream: BufferedBytes, where: str, items: Items
) -> Iterator[tuple[int, bytes | Rejected]]:
    """Yield the items, numbered from 1, undecoded; one that is too long, or no object, as a reject.

    Parameters
    ----------
    where
        Source label, for rejects and errors.

    Raises
    ------
    InputError
        The document ends within an item, closes more brackets than it opens, or lacks the array:
        what it holds before is yielded.
    """
    scan, found = _Scan(), _Found(where, items)
    first = True
    while block := stream.read(_BLOCK):
        if first:
            block, first = block.removeprefix(BOM_UTF8), False
        yield from found.add(block, *scan.brackets(block))
    yield from found.end()


@dataclass
class _Scan:
    """State between the blocks of a document: within a string or not, and how deep."""

    in_string: int = 0
    depth: int = 0
    escaped: bool = False  # whether the last byte was a backslash that escapes the next one

    def brackets(self, block: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the places of brackets outside of strings, whether each opens, and the depths."""
        masked = self._without_escapes(block)
        kinds = _KINDS[np.frombuffer(masked, dtype=np.uint8)]
        places = np.flatnonzero(kinds)
        kinds = kinds[places]
        quotes = kinds == _QUOTE
        within = (np.cumsum(quotes) + self.in_string) & 1
        outside = ~quotes & (within == 0)
        if len(within):
            self.in_string = int(within[-1])
        places, opens = places[outside], kinds[outside] == _OPEN
        depths = self.depth + np.cumsum(np.where(opens, 1, -1))
        if len(depths):
            self.depth = int(depths[-1])
        return places, opens, depths

    def _without_escapes(self, block: bytes) -> bytes:
        if self.escaped:
            block, self.escaped = b"_" + block[1:], False
        if b"\\" not in block:
            return block
        masked = _ESCAPE.sub(b"__", block)
        self.escaped = masked.endswith(b"\\")
        return masked


@dataclass
class _Found:
    """Items that begin and end in blocks, and the text between them."""

    where: str
    items: Items
    number: int = 0
    n_arrays: int = 0
    in_array: bool = False
    in_item: bool = False
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    gap: bytes = b""  # text outside of items, without spaces
    before: bytes = b""  # the end of the last block

    def __post_init__(self) -> None:
        level, name = self.items.level, self.items.array
        self._name = (
            None
            if name is None
            else re.compile(rb'(?<!\\)"' + re.escape(name.encode()) + rb'"\s*:\s*\Z')
        )
        self.in_array = not level

    def add(
        self, block: bytes, places: np.ndarray, opens: np.ndarray, depths: np.ndarray
    ) -> Iterator[tuple[int, bytes | Rejected]]:
        """Yield the items that end in a block."""
        level, start = self.items.level, 0
        chosen = depths <= level + 1
        if len(depths) and int(depths.min()) < 0:
            msg = f"{self.where}: must be a JSON document; got more closing brackets than opening"
            raise InputError(msg)
        events = zip(
            places[chosen].tolist(), opens[chosen].tolist(), depths[chosen].tolist(), strict=True
        )
        for place, is_open, depth in events:
            if self.in_item:
                if not is_open and depth == level:
                    self._keep(block[start : place + 1])
                    start, self.in_item = place + 1, False
                    yield self._item()
            elif is_open and depth == level + 1 and self.in_array:
                yield from self._between(block[start:place])
                start, self.in_item = place, True
            elif level and is_open and depth == level:
                self.in_array = self._is_the_array(block, place)
                self.n_arrays += self.in_array
                start = place + 1
            elif level and self.in_array and depth == level - 1:
                yield from self._between(block[start:place])
                start, self.in_array = place + 1, False
        if self.in_item:
            self._keep(block[start:])
        elif self.in_array:
            self._add_gap(block[start:])
        self.before = (self.before + block[-_BEFORE:])[-_BEFORE:]

    def end(self) -> Iterator[tuple[int, bytes | Rejected]]:
        """Yield what is left as a reject; refuse a document that ends too early."""
        if self.in_item or (self.in_array and self.items.level):
            msg = (
                f"{self.where}: must be a whole JSON document; "
                f"got its end after {self.number} items"
            )
            raise InputError(msg)
        if self.items.level and not self.n_arrays:
            array = f"an array {self.items.array!r}" if self.items.array else "an array"
            msg = f"{self.where}: must hold {array}; got none"
            raise InputError(msg)
        yield from self._between(b"")

    def _is_the_array(self, block: bytes, place: int) -> bool:
        if self._name is None:
            return block[place : place + 1] == b"["
        text = (self.before + block[max(place - _BEFORE, 0) : place])[-_BEFORE:]
        return block[place : place + 1] == b"[" and self._name.search(text) is not None

    def _keep(self, part: bytes) -> None:
        self.size += len(part)
        if self.size <= RECORD_BYTES or not self.parts:
            self.parts.append(part if self.size <= RECORD_BYTES else part[:LONGEST_BEGINNING])

    def _item(self) -> tuple[int, bytes | Rejected]:
        self.number += 1
        raw, size = b"".join(self.parts), self.size
        self.parts, self.size = [], 0
        if size <= RECORD_BYTES:
            return self.number, raw
        return self.number, Rejected(
            source=self.where,
            position=self.number,
            reason=f"an item must have at most {RECORD_BYTES} bytes; got {size}",
            raw=raw[:LONGEST_BEGINNING],
            code=RejectCode.TOO_LONG,
        )

    def _add_gap(self, text: bytes) -> None:
        if text and len(self.gap) <= LONGEST_BEGINNING:
            self.gap = (self.gap + text.strip())[: LONGEST_BEGINNING + 1]

    def _between(self, text: bytes) -> Iterator[tuple[int, bytes | Rejected]]:
        """Yield a reject if something other than a comma stands before an item or at the end."""
        self._add_gap(text)
        gap, self.gap = self.gap, b""
        if gap in (b"", b","):
            return
        self.number += 1
        yield (
            self.number,
            Rejected(
                source=self.where,
                position=self.number,
                reason="an item must be a JSON object; got something else before or after one",
                raw=gap[:LONGEST_BEGINNING],
                code=RejectCode.NOT_JSON,
            ),
        )
