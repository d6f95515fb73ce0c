"""A model's own rules, compiled a second time: for the few fields of many messages.

Of a report's hundred fields few are stated. Building the model costs four times what it takes to
check them and to fill in constants. Here the rules that pydantic compiled from a model are read and
given to msgspec, whose decoder makes objects with the same attributes. The rules are derived from
the model, so there is one contract.

The decoder is a door for those who are certainly right. What it lets in the model lets in, with
equal values. What it turns away is not refused by that: the model must be asked, for it alone gives
verdicts and reasons. A property test holds the two doors to this (docs/adr/0013).
"""

from collections.abc import Callable
from datetime import date
from itertools import product
from string import ascii_uppercase
from types import GenericAlias
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel

__all__ = ["fields_decoder"]

# What Python's `re` and pydantic's engine might read differently is spelt out.
_PATTERNS: dict[str, Any] = {
    "^[A-Z]{2}$": Literal.__getitem__(tuple(map("".join, product(ascii_uppercase, repeat=2))))
}
_EXACT = 2**53  # integers beyond it are left to the model
_CONFIG = {"extra_fields_behavior": "forbid", "strict": True, "allow_inf_nan": False}
_NEUTRAL = {"type", "metadata", "ref"}  # keys of a rule that allow and refuse nothing
_BOUNDS = {"ge", "gt", "le", "lt"}
_LENGTHS = {"min_length", "max_length"}

_Rule = dict[str, Any]


class _NoCounterpart(Exception):
    """A rule that the decoder cannot state exactly as the model does: its text names it."""


def fields_decoder(model: type[BaseModel]) -> msgspec.json.Decoder[Any]:
    """Return a decoder that gives objects with the attributes of a model, defaults included.

    It accepts a message only if the model does. A field whose rule has no exact counterpart is not
    known to it: who states that field is turned away, and who does not finds its default.

    Raises
    ------
    TypeError
        If every message would be turned away: a field that must be stated has no counterpart.
    """
    try:
        return msgspec.json.Decoder(_type(_whole(dict(model.__pydantic_core_schema__))))
    except _NoCounterpart as missing:
        rule = " ".join(missing.args)
        msg = f"fields_decoder: {model.__name__} needs a counterpart of a rule; got {rule!r}"
        raise TypeError(msg) from missing


def _whole(rule: _Rule) -> _Rule:
    """Put what is defined once and used twice into every place that uses it."""
    if rule["type"] != "definitions":
        return rule
    known = {each["ref"]: each for each in rule["definitions"]}

    def filled(part: Any, above: frozenset[str]) -> Any:
        if isinstance(part, list):
            return [filled(each, above) for each in part]
        if not isinstance(part, dict):
            return part
        if part.get("type") == "definition-ref":
            ref = part["schema_ref"]
            return part if ref in above else filled(known[ref], above | {ref})
        parts = part.keys() & {"schema", "items_schema", "fields"} if "type" in part else part
        return {**part, **{key: filled(part[key], above) for key in parts}}

    whole: _Rule = filled(rule["schema"], frozenset())
    return whole


def _type(rule: _Rule) -> Any:
    kind = rule["type"]
    if kind == "function-after" and rule["schema"]["type"] == "model":
        _only(rule, "function", "schema")
        _only(rule["function"], "function")
        return _struct(rule["schema"], [rule["function"]["function"]])
    if kind == "model":
        return _struct(rule, [])
    if kind == "nullable":
        _only(rule, "schema")
        return _type(rule["schema"]) | None
    if kind == "tuple":
        _only(rule, "items_schema", "variadic_item_index", *_LENGTHS)
        if len(rule["items_schema"]) == 1:
            items = GenericAlias(tuple, (_type(rule["items_schema"][0]), ...))
            return _constrained(items, rule, _LENGTHS)
    elif kind == "str" and "pattern" in rule:
        _only(rule, "pattern")
        if rule["pattern"] in _PATTERNS:
            return _PATTERNS[rule["pattern"]]
    elif kind in _PLAIN:
        plain, keys = _PLAIN[kind]
        _only(rule, *keys)
        return _constrained(plain, rule, keys)
    elif kind == "int":
        _only(rule, *_BOUNDS)
        lowest = {} if "gt" in rule else {"ge": -_EXACT}
        highest = {} if "lt" in rule else {"le": _EXACT}
        return _constrained(int, lowest | highest | rule, _BOUNDS)
    elif kind == "literal":
        _only(rule, "expected")
        if all(isinstance(value, str) for value in rule["expected"]):
            return Literal.__getitem__(tuple(rule["expected"]))
    elif kind == "enum":
        _only(rule, "cls", "members", "sub_type")
        if rule["sub_type"] == "str":
            return rule["cls"]
    raise _NoCounterpart(kind)


_PLAIN: dict[str, tuple[type, set[str]]] = {
    "bool": (bool, set()),
    "date": (date, set()),
    "float": (float, _BOUNDS),
    "str": (str, _LENGTHS),
}


def _constrained(plain: Any, rule: _Rule, keys: set[str]) -> Any:
    limits = {key: rule[key] for key in sorted(keys & rule.keys())}
    for strict, loose in (("gt", "ge"), ("lt", "le")):  # msgspec takes one of each
        if strict in limits and loose in limits:
            raise _NoCounterpart(strict, loose)
    return Annotated[plain, msgspec.Meta(**limits)] if limits else plain


def _only(rule: _Rule, *keys: str) -> None:
    """Refuse a rule that holds more than what is read of it."""
    if more := rule.keys() - _NEUTRAL - set(keys):
        raise _NoCounterpart(rule["type"], *sorted(more))


def _struct(rule: _Rule, validators: list[Callable[[Any], Any]]) -> Any:
    _only(rule, "cls", "config", "custom_init", "root_model", "schema")
    _only(rule["schema"], "computed_fields", "fields", "model_name")
    config = {key: value for key, value in rule["config"].items() if key != "title"}
    odd = rule["custom_init"] or rule["root_model"] or rule["schema"]["computed_fields"]
    if config != _CONFIG or odd or rule["schema"]["type"] != "model-fields":
        raise _NoCounterpart(*sorted(config), rule["cls"].__name__)
    fields: list[Any] = []
    constants: dict[str, Any] = {}  # of fields that cannot be stated here
    earliest: list[tuple[str, date]] = []
    for name, field in rule["schema"]["fields"].items():
        inner, default = field["schema"], tuple[Any, ...]()
        if inner["type"] == "default":
            _only(inner, "default", "schema")
            inner, default = inner["schema"], (inner["default"],)
        try:
            _only(field, "schema")
            if inner["type"] == "date" and "ge" in inner and not default:
                # msgspec knows no bounds of dates.
                earliest.append((name, inner["ge"]))
                inner = {key: value for key, value in inner.items() if key != "ge"}
            stated = _type(inner)
        except _NoCounterpart:
            if not default:
                raise
            constants[name] = default[0]
        else:
            fields.append((name, stated, *default))
    if earliest or validators:
        constants["__post_init__"] = _checks(earliest, validators)
    return msgspec.defstruct(
        rule["cls"].__name__,
        fields,
        namespace=constants,
        kw_only=True,
        frozen=True,
        gc=False,  # what is read of JSON holds no cycle
        forbid_unknown_fields=True,
    )


def _checks(
    earliest: list[tuple[str, date]], validators: list[Callable[[Any], Any]]
) -> Callable[[Any], None]:
    """Return what is left to check once the fields are read; a ValueError turns away."""

    def check(stated: Any) -> None:
        for name, limit in earliest:
            if getattr(stated, name) < limit:
                msg = f"{name}: must not be before {limit}"
                raise ValueError(msg)
        for validate in validators:
            validate(stated)

    return check
