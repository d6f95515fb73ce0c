"""A model's own rules, checked into plain dictionaries: for the few fields of many messages.

Of a report's hundred fields few are set. Building the model fills in the defaults of the others,
nested models and all, which costs more than checking what is there. Here the same compiled rules
give dictionaries of what was sent, and nothing else. The rules are derived from the model, so there
is one contract; a property test holds the two doors to the same verdict (docs/adr/0009).
"""

from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaValidator

__all__ = ["fields_validator"]


def fields_validator(model: type[BaseModel]) -> SchemaValidator:
    """Return a validator with the rules of a model that gives a dictionary of the fields sent.

    Field types, bounds, patterns, strictness and the refusal of unknown fields are the model's.
    Defaults are not filled in, and what a model validator checks between fields is left to the
    caller.

    Raises
    ------
    TypeError
        If the model is built of something that has no plain counterpart here yet.
    """
    return SchemaValidator(_plain(dict(model.__pydantic_core_schema__)))


def _plain(schema: dict[str, Any]) -> Any:
    kind = schema["type"]
    if kind == "model":
        return {**_plain(schema["schema"]), "config": schema["config"]}
    if kind == "function-after" and schema["schema"]["type"] == "model":
        return _plain(schema["schema"])
    if kind == "model-fields":
        fields = {name: _field(field["schema"]) for name, field in schema["fields"].items()}
        return {"type": "typed-dict", "fields": fields, "extra_behavior": "forbid"}
    if kind == "nullable":
        return {**schema, "schema": _plain(schema["schema"])}
    if kind == "tuple":
        return {**schema, "items_schema": [_plain(item) for item in schema["items_schema"]]}
    if kind in ("bool", "date", "datetime", "enum", "float", "int", "literal", "str"):
        return schema
    msg = f"fields_validator: a plain counterpart must be written for schemas of type {kind!r}"
    raise TypeError(msg)


def _field(schema: dict[str, Any]) -> dict[str, Any]:
    has_default = schema["type"] == "default"
    inner = schema["schema"] if has_default else schema
    return {"type": "typed-dict-field", "schema": _plain(inner), "required": not has_default}
