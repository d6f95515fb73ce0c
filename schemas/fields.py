"""Fast decoder of a model's messages: pydantic's rules, compiled a second time for msgspec.

A report states few of its hundred fields. Building the model costs four times as much as checking
the stated fields and filling in constants. This module translates the compiled rules of a pydantic
model to msgspec, whose decoder builds objects with the same attributes. The rules are derived from
the model, so there is one contract.

Fast path: the decoder accepts only input that the model would accept with equal values. Everything
else falls back to the model, which accepts it or raises the error. A property test compares the two
(docs/adr/0013).
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

# Spelt out, since Python's `re` and pydantic's engine may interpret `\d` differently.
_PATTERNS: dict[str, Any] = {
    "^[A-Z]{2}$": Literal.__getitem__(tuple(map("".join, product(ascii_uppercase, repeat=2))))
}
_EXACT = 2**53  # larger integers fall back to the model
_CONFIG = {"extra_fields_behavior": "forbid", "strict": True, "allow_inf_nan": False}
_NEUTRAL = {"type", "metadata", "ref"}  # keys of a rule without effect on validation
_BOUNDS = {"ge", "gt", "le", "lt"}
_LENGTHS = {"min_length", "max_length"}

_Rule = dict[str, Any]


class _NoCounterpart(Exception):
    """A rule without an exact counterpart in msgspec; the message names the rule."""


def fields_decoder(model: type[BaseModel]) -> msgspec.json.Decoder[Any]:
    """Return a decoder that gives objects with the attributes of a model, defaults included.

    It accepts a message only if the model does. It does not know fields whose rules have no exact
    counterpart: a message with such a field falls back to the model, one without gets the default.

    Raises
    ------
    TypeError
        If every message would fall back: the rule of a mandatory field has no counterpart.
    """
    try:
        return msgspec.json.Decoder(_type(_whole(dict(model.__pydantic_core_schema__))))
    except _NoCounterpart as missing:
        rule = " ".join(missing.args)
        msg = f"fields_decoder: {model.__name__} needs a counterpart of a rule; got {rule!r}"
        raise TypeError(msg) from missing


def _whole(rule: _Rule) -> _Rule:
    """Replace references by their definitions."""
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
    for strict, loose in (
        ("gt", "ge"),
        ("lt", "le"),
    ):  # msgspec accepts one constraint of each kind
        if strict in limits and loose in limits:
            raise _NoCounterpart(strict, loose)
    return Annotated[plain, msgspec.Meta(**limits)] if limits else plain


def _only(rule: _Rule, *keys: str) -> None:
    """Raise if a rule has keys that are not translated."""
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
    constants: dict[str, Any] = {}  # of fields that the decoder does not know
    earliest: list[tuple[str, date]] = []
    for name, field in rule["schema"]["fields"].items():
        inner, default = field["schema"], tuple[Any, ...]()
        if inner["type"] == "default":
            _only(inner, "default", "schema")
            inner, default = inner["schema"], (inner["default"],)
        try:
            _only(field, "schema")
            if inner["type"] == "date" and "ge" in inner and not default:
                # msgspec has no bounds for dates.
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
        gc=False,  # values read from JSON have no cycles
        forbid_unknown_fields=True,
    )


def _checks(
    earliest: list[tuple[str, date]], validators: list[Callable[[Any], Any]]
) -> Callable[[Any], None]:
    """Return the checks to run after decoding; a ValueError makes the message fall back."""

    def check(stated: Any) -> None:
        for name, limit in earliest:
            if getattr(stated, name) < limit:
                msg = f"{name}: must not be before {limit}"
                raise ValueError(msg)
        for validate in validators:
            validate(stated)

    return check
