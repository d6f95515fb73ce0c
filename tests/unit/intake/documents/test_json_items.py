"""Items of JSON documents are split where a JSON parser splits them, whatever the blocks."""

import io
import json
import random
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.rejected import Rejected
from streams.intake.bounded import RECORD_BYTES
from streams.intake.documents.json_items import Items, json_items

RESULTS, ARRAY, OBJECTS = Items(2, "results"), Items(1), Items(0)
_TEXTS = ('"', "\\", '\\"', "{", "}", "[", "]", "results", 'a "results": [', "é", "\\\\", " ")


class _Blocks(io.BytesIO):
    """A stream whose reads return at most so many bytes."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(content)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._most)

    def peek(self, size: int = 0, /) -> bytes:
        return b""


def _items(content: bytes, items: Items, block: int = 1 << 20) -> list[bytes | Rejected]:
    found = list(json_items(_Blocks(content, block), "a.json", items))
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return [item for _, item in found]


def _value(drawn: random.Random, depth: int) -> Any:
    kind = drawn.randrange(4 if depth else 2)
    if kind == 0:
        return drawn.choice([None, True, 1.5, -3])
    if kind == 1:
        return "".join(drawn.choices(_TEXTS, k=drawn.randrange(6)))
    parts = [_value(drawn, depth - 1) for _ in range(drawn.randrange(4))]
    return parts if kind == 2 else {drawn.choice(_TEXTS) + str(i): v for i, v in enumerate(parts)}


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64, 1 << 20])
def test_items_are_those_of_a_parser(block: int) -> None:
    drawn = random.Random(block)
    for _ in range(60):
        records = [{"a": _value(drawn, 3)} for _ in range(drawn.randrange(4))]
        document = {"meta": {"results": {"total": 3}, "x": _value(drawn, 3)}, "results": records}
        indent = drawn.choice([None, 1])
        of_key = _items(json.dumps(document, indent=indent).encode(), RESULTS, block)
        of_array = _items(json.dumps(records, ensure_ascii=False).encode(), ARRAY, block)
        of_lines = _items(b"\n".join(json.dumps(one).encode() for one in records), OBJECTS, block)
        for found in (of_key, of_array, of_lines):
            assert [json.loads(item) for item in found if isinstance(item, bytes)] == records


def test_only_the_array_of_that_name_in_the_outermost_object_counts() -> None:
    document = b'{"others": [{"a": 1}], "x": {"results": [{"b": 2}]}, "results" :\n [{"c": 3}]}'
    assert _items(document, RESULTS) == [b'{"c": 3}']


def test_a_byte_order_mark_is_skipped() -> None:
    assert _items(b'\xef\xbb\xbf[{"a": 1}]', ARRAY) == [b'{"a": 1}']


@pytest.mark.parametrize(
    ("content", "items", "n_good"),
    [(b'[{"a": 1}, 7, {"b": 2}]', ARRAY, 2), (b'{"a": 1} x\n{"b": 2}', OBJECTS, 2)],
)
def test_what_is_no_object_is_a_reject(content: bytes, items: Items, n_good: int) -> None:
    found = _items(content, items)
    rejects = [item for item in found if isinstance(item, Rejected)]
    assert len(found) - len(rejects) == n_good
    assert [each.position for each in rejects] == [2]
    assert rejects[0].reason.startswith("an item must be a JSON object")


@pytest.mark.parametrize("block", [100_000, 1 << 21])
def test_a_long_item_is_a_reject_with_its_beginning(block: int) -> None:
    long = b'{"a": "' + b"x" * RECORD_BYTES + b'"}'
    good, reject, last = _items(b'[{"a": 1},' + long + b',{"b": 2}]', ARRAY, block)
    assert (good, last) == (b'{"a": 1}', b'{"b": 2}')
    assert isinstance(reject, Rejected)
    assert reject.raw == long[:4096]
    assert reject.reason == f"an item must have at most 1048576 bytes; got {len(long)}"


@pytest.mark.parametrize(
    ("content", "items", "says"),
    [
        (b'[{"a": 1}, {"b"', ARRAY, "must be a whole JSON document; got its end after 1 items"),
        (b'{"results": [{"a": 1}', RESULTS, "must be a whole JSON document; got its end after 1"),
        (b'{"meta": []}', RESULTS, "must hold an array 'results'; got none"),
        (b'{"a": 1}', ARRAY, "must hold an array; got none"),
        (b"]", ARRAY, "got more closing brackets than opening"),
    ],
)
def test_a_damaged_document_is_refused(content: bytes, items: Items, says: str) -> None:
    with pytest.raises(InputError, match=f"^a.json: .*{says}"):
        _items(content, items)
