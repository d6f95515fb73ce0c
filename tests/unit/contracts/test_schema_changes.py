"""What breaks a contract and what does not; `jsonschema` shows it on messages."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.contracts import CONTRACTS, Direction, json_schema
from schemas.subscription import Tier
from tests.golden import files
from tests.golden.files import breaking_changes, texts
from tests.support.schema_changes import changes

INPUT, OUTPUT = Direction.INPUT, Direction.OUTPUT
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
NULLABLE = {"anyOf": [TEXT, {"type": "null"}]}
CODES = {"type": "string", "enum": ["new", "closed"]}


def message(*needed: str, **fields: Any) -> dict[str, Any]:
    """Return the schema of a message that knows no other fields."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(needed),
        "additionalProperties": False,
    }


def _valid(schema: dict[str, Any], value: Any) -> bool:
    return Draft202012Validator(schema).is_valid(value)


# Each: name, old, new, which direction it breaks, and a message the old allows that shows it on
# input (None: no message shows it, only readers suffer).
CASES = [
    ("a field is gone", message(a=TEXT, b=TEXT), message(a=TEXT), {INPUT, OUTPUT}, {"b": "x"}),
    ("renamed", message("a", a=TEXT), message("b", b=TEXT), {INPUT, OUTPUT}, {"a": "x"}),
    ("a type is another", message(a=TEXT), message(a=WHOLE), {INPUT, OUTPUT}, {"a": "x"}),
    ("no null any more", message(a=NULLABLE), message(a=TEXT), {INPUT, OUTPUT}, {"a": None}),
    ("null as well", message(a=TEXT), message(a=NULLABLE), {OUTPUT}, None),
    ("a whole number", message(a={"type": "number"}), message(a=WHOLE), {INPUT, OUTPUT},
     {"a": 0.5}),
    ("any number", message(a=WHOLE), message(a={"type": "number"}), {OUTPUT}, None),
    ("anything", message(a=WHOLE), message(a={}), {OUTPUT}, None),
    ("must be there", message(a=TEXT), message("a", a=TEXT), {INPUT, OUTPUT}, {}),
    ("may be missing", message("a", a=TEXT), message(a=TEXT), {OUTPUT}, None),
    ("new and needed", message(), message("a", a=TEXT), {INPUT, OUTPUT}, {}),
    ("new", message(), message(a=TEXT), set(), None),
    ("a code is gone", message(a=CODES), message(a={**CODES, "enum": ["new"]}), {INPUT, OUTPUT},
     {"a": "closed"}),
    ("a new code", message(a=CODES), message(a={**CODES, "enum": ["new", "closed", "old"]}), set(),
     None),
    ("any text", message(a=CODES), message(a=TEXT), {OUTPUT}, None),
    ("codes only", message(a=TEXT), message(a=CODES), {INPUT, OUTPUT}, {"a": "x"}),
    ("another version", message(v={"const": "1.0"}), message(v={"const": "1.1"}), {INPUT, OUTPUT},
     {"v": "1.0"}),
    ("a further version", message(v={"const": "1.0"}), message(v={"enum": ["1.0", "1.1"]}), set(),
     None),
    ("shorter", message(a={**TEXT, "maxLength": 9}), message(a={**TEXT, "maxLength": 3}),
     {INPUT, OUTPUT}, {"a": "12345"}),
    ("longer", message(a={**TEXT, "maxLength": 3}), message(a={**TEXT, "maxLength": 9}), {OUTPUT},
     None),
    ("a bound", message(a=WHOLE), message(a={**WHOLE, "minimum": 0}), {INPUT, OUTPUT}, {"a": -1}),
    ("a lower bound", message(a={**WHOLE, "minimum": 1}), message(a={**WHOLE, "minimum": 0}),
     {OUTPUT}, None),
    ("no bound", message(a={**WHOLE, "minimum": 0}), message(a=WHOLE), {OUTPUT}, None),
    ("a pattern", message(a=TEXT), message(a={**TEXT, "pattern": "^x"}), {INPUT, OUTPUT},
     {"a": "y"}),
    ("another pattern", message(a={**TEXT, "pattern": "y"}), message(a={**TEXT, "pattern": "^x"}),
     {INPUT, OUTPUT}, {"a": "y"}),
    ("closed", {"type": "object"}, message(), {INPUT}, {"a": 1}),
    ("opened", message(), {"type": "object"}, set(), None),
    ("of its members", message(a={"type": "array", "items": TEXT}),
     message(a={"type": "array", "items": WHOLE}), {INPUT, OUTPUT}, {"a": ["x"]}),
    ("of its values", {"type": "object", "additionalProperties": TEXT},
     {"type": "object", "additionalProperties": CODES}, {INPUT, OUTPUT}, {"a": "x"}),
    ("of a pair", message(a={"type": "array", "prefixItems": [TEXT]}),
     message(a={"type": "array", "prefixItems": [TEXT, WHOLE]}), {INPUT, OUTPUT},
     {"a": ["x", "y"]}),
    ("within", message(a=message("b", b=TEXT)), message(a=message()), {INPUT, OUTPUT},
     {"a": {"b": "x"}}),
    ("words", message(a={**TEXT, "description": "x"}), message(a={**TEXT, "title": "y"}), set(),
     None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "breaks", "shown"), [pytest.param(*case, id=name) for name, *case in CASES]
)
def test_each_change_is_judged(
    old: dict[str, Any], new: dict[str, Any], breaks: set[Direction], shown: Any
) -> None:
    found = {d for d in Direction if any(change.breaking for change in changes(old, new, d))}
    assert found == breaks
    if shown is not None:
        assert _valid(old, shown)
        assert not _valid(new, shown), "what could be written can no longer be"
    assert changes(old, old, INPUT) == changes(new, new, OUTPUT) == []


def test_what_only_adds_is_said_as_well() -> None:
    found = changes(message(a=CODES), message(a={**CODES, "enum": ["new", "closed", "x"]}, b=TEXT),
                    OUTPUT)  # fmt: skip
    assert [str(change) for change in found] == [
        "message.a: the code 'x' is new",
        "message.b: is new",
    ]
    assert not any(change.breaking for change in found)


def test_a_default_that_says_something_else_breaks() -> None:
    old = message(a={**WHOLE, "default": 1}, b={"type": "object", "default": {"x": 1}})
    more = message(a={**WHOLE, "default": 1}, b={"type": "object", "default": {"x": 1, "y": 2}})
    other = message(a={**WHOLE, "default": 2}, b={"type": "object", "default": {"y": 1}})
    assert changes(old, more, INPUT) == []
    assert [change.place for change in changes(old, other, INPUT)] == ["message.a", "message.b"]
    texts = [message(caveat={"type": "string", "default": text}) for text in ("One.", "Another.")]
    assert changes(*texts, Direction.OUTPUT) == []  # the wording of a text is no contract


def test_references_are_followed_also_into_themselves() -> None:
    def tree(**leaf: Any) -> dict[str, Any]:
        node = message(leaf=leaf, under={"type": "array", "items": {"$ref": "#/$defs/Node"}})
        return {**message("root", root={"$ref": "#/$defs/Node"}), "$defs": {"Node": node}}

    assert changes(tree(type="string"), tree(type="string", maxLength=3), INPUT)[0].place == (
        "message.root.leaf"
    )
    inlined = message("root", root=tree(type="string")["$defs"]["Node"])
    inlined["$defs"] = tree(type="string")["$defs"]
    assert changes(tree(type="string"), inlined, OUTPUT) == []


def _fields(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(schema, dict):
        for name in schema.get("properties", ()):
            yield (*path, "properties", name)
        for name, part in schema.items():
            yield from _fields(part, (*path, name))


def _without(schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    changed = copy.deepcopy(schema)
    part = changed
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return changed


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.name)
def test_no_field_of_any_contract_can_go_unseen(contract: Any) -> None:
    schema = json_schema(contract)
    paths = list(_fields(schema))
    written = [field for field in contract.model.model_fields.values() if not field.exclude]
    assert len(paths) >= len(written)
    for path in paths:
        found = changes(schema, _without(schema, path), contract.direction)
        assert any(change.breaking for change in found), path
        # And one that comes, as an optional one, breaks nothing.
        found = changes(_without(schema, path), schema, contract.direction)
        gone = {change.what for change in found if change.breaking}
        assert gone <= {"is new, and must be there"}, path


def test_a_field_that_leaves_the_copy_of_a_lower_tier_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert breaking_changes() == []
    whole = files.first_copy

    def less(tier: Tier, alert: Any) -> dict[str, Any]:
        return {k: v for k, v in whole(tier, alert).items() if k != "caveat"}

    monkeypatch.setattr(files, "first_copy", less)
    assert breaking_changes() == [
        f"{name}.{tier} (output), message.caveat: is gone"
        for name in ("alert", "safety-alert")
        for tier in ("consumer", "public")
    ]


def test_no_contract_broke_since_the_golden_files() -> None:
    assert breaking_changes() == []


def test_the_golden_files_are_up_to_date() -> None:
    stale = [
        path.name
        for path, text in texts().items()
        if not path.exists() or json.loads(path.read_text(encoding="utf-8")) != json.loads(text)
    ]
    assert stale == [], "the contracts gained something: `make golden` writes these files anew"
