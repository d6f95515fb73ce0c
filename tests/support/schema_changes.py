"""Changes between two JSON Schemas of one contract, and whether each is breaking.

An *input* is written by others: whatever they may write today they may write tomorrow. An *output*
is read by others, and by us from topics that never expire: what they rely on today stays as it is,
and what was written years ago is still right. Both may gain fields that can be missing, and codes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.contracts import Direction

__all__ = ["Change", "changes"]

# Texts for people, whose wording is no contract; a default of one is such a text.
_TEXTS = (".caveat",)
_SAYS_NOTHING = {"$defs", "$id", "$schema", "title", "description", "examples", "deprecated"}
_LOWER = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UPPER = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_STRUCTURE = {
    "type", "properties", "required", "items", "prefixItems", "additionalProperties", "anyOf",
    "enum", "const", "default",
}  # fmt: skip
Schema = Mapping[str, Any]


class Change(NamedTuple):
    """One difference."""

    breaking: bool
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def changes(old: Schema, new: Schema, direction: Direction) -> list[Change]:
    """Return every difference of meaning between two schemas, in the order of the old one."""
    comparison = _Comparison(old.get("$defs", {}), new.get("$defs", {}), direction)
    return list(dict.fromkeys(comparison.of(old, new, "message")))


class _Comparison:
    def __init__(self, old_parts: Schema, new_parts: Schema, direction: Direction) -> None:
        self._old_parts, self._new_parts = old_parts, new_parts
        self._input = direction is Direction.INPUT
        self._inside: set[tuple[str, str]] = set()

    def of(self, old: Schema, new: Schema, place: str) -> Iterator[Change]:
        """Compare two schemas that stand in one place; a part is not entered within itself."""
        names = (str(old.get("$ref")), str(new.get("$ref")))
        if "$ref" in old and "$ref" in new:
            if names in self._inside:
                return
            self._inside.add(names)
        yield from self._defaults(old, new, place)
        yield from self._alternatives(
            _alternatives(old, self._old_parts), _alternatives(new, self._new_parts), place
        )
        self._inside.discard(names)

    def _defaults(self, old: Schema, new: Schema, place: str) -> Iterator[Change]:
        if place.endswith(_TEXTS):
            return
        if "default" in old and not _holds(new.get("default", ...), old["default"]):
            yield Change(True, place, f"the default was {old['default']!r}")

    def _alternatives(self, old: list[Schema], new: list[Schema], place: str) -> Iterator[Change]:
        left = list(new)
        for one in old:
            candidates = [(list(self._alternative(one, other, place)), other) for other in left]
            fitting = [found for found in candidates if _same_kind(one, found[1], self._input)]
            if not fitting:
                yield Change(True, place, f"{_kind(one)} is gone")
                continue
            found, other = min(fitting, key=lambda pair: sum(c.breaking for c in pair[0]))
            left.remove(other)
            yield from found
        for other in left:
            yield Change(not self._input, place, f"{_kind(other)} is new")

    def _alternative(self, old: Schema, new: Schema, place: str) -> Iterator[Change]:
        if old.get("type") != new.get("type"):
            yield Change(not self._input, place, f"was {_kind(old)}, is {_kind(new)}")
        yield from self._codes(old, new, place)
        yield from self._fields(old, new, place)
        yield from self._members(old, new, place)
        for name in sorted({*old, *new} - _SAYS_NOTHING - _STRUCTURE):
            if old.get(name) != new.get(name):
                yield self._bound(name, old.get(name), new.get(name), place)

    def _codes(self, old: Schema, new: Schema, place: str) -> Iterator[Change]:
        before, after = _codes(old), _codes(new)
        if before is None and after is None:
            return
        if after is None:
            yield Change(not self._input, place, "its codes are no longer a closed list")
        elif before is None:
            yield Change(True, place, "is now a closed list of codes")
        else:
            for code in before:
                if code not in after:
                    yield Change(True, place, f"the code {code!r} is gone")
            for code in after:
                if code not in before:
                    yield Change(False, place, f"the code {code!r} is new")

    def _fields(self, old: Schema, new: Schema, place: str) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
        for name, schema in before.items():
            at = f"{place}.{name}"
            if name not in after:
                yield Change(True, at, "is gone")
                continue
            if name in needed_before and name not in needed_after:
                yield Change(not self._input, at, "may now be missing")
            if name in needed_after and name not in needed_before:
                yield Change(True, at, "must now be there")
            yield from self.of(schema, after[name], at)
        for name in after:
            if name not in before:
                needed = name in needed_after
                yield Change(needed, f"{place}.{name}", f"is new{', and must be there' * needed}")
        if self._input and _open(old) and not _open(new):
            yield Change(True, place, "other fields are now refused")

    def _members(self, old: Schema, new: Schema, place: str) -> Iterator[Change]:
        for name in ("items", "additionalProperties"):
            before, after = old.get(name), new.get(name)
            if isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self.of(before, after, f"{place}[]")
            elif isinstance(before, Mapping) or isinstance(after, Mapping):
                tightened = isinstance(after, Mapping)
                yield Change(tightened or not self._input, place, f"{name} changed")
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(before) != len(after):
            yield Change(True, place, "the number of its members changed")
        for number, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from self.of(one, other, f"{place}[{number}]")

    def _bound(self, name: str, old: Any, new: Any, place: str) -> Change:
        if new is None:
            tightened = False
        elif old is None:
            tightened = True
        elif name in _LOWER:
            tightened = new > old
        elif name in _UPPER:
            tightened = new < old
        else:
            tightened = True  # a pattern or format that is another one may refuse anything
        return Change(tightened or not self._input, place, f"{name} was {old!r}, is {new!r}")


def _alternatives(schema: Schema, parts: Schema) -> list[Schema]:
    """Return the schema of a place with references resolved; keywords beside one apply as well."""
    schema = {name: part for name, part in schema.items() if name not in _SAYS_NOTHING}
    if "$ref" in schema:
        beside = {name: part for name, part in schema.items() if name not in ("$ref", "default")}
        found = _alternatives(parts[schema["$ref"].removeprefix("#/$defs/")], parts)
        return [{**option, **beside} for option in found]
    if "anyOf" in schema:
        return [
            alternative for part in schema["anyOf"] for alternative in _alternatives(part, parts)
        ]
    return [schema]


def _same_kind(old: Schema, new: Schema, of_input: bool) -> bool:
    if old.get("type") == new.get("type"):
        return True
    wider = new.get("type") is None or (old.get("type"), new.get("type")) == ("integer", "number")
    return of_input and wider


def _kind(schema: Schema) -> str:
    return str(schema.get("type", "anything"))


def _codes(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _open(schema: Schema) -> bool:
    return schema.get("additionalProperties", True) is not False


def _holds(new: Any, old: Any) -> bool:
    """Return whether a default is unchanged; one that is an object may have more members."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return all(_holds(new.get(name, ...), value) for name, value in old.items())
    return type(new) is type(old) and new == old
