"""Detection of fields that a JSON object holds twice: such a message says two things.

Parsers keep the last value without a word (RFC 8259, section 4), so a valid report is checked for
duplicates on its own. The exact check costs as much as reading the report. A cheaper one before it
finds most reports free of duplicates, and never one that is not.
"""

import json
from types import GenericAlias, NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from schemas.base import Message
from schemas.errors import IcsrError, RejectCode
from schemas.report import Report

__all__ = ["may_hold_duplicates", "require_single_fields"]


def require_single_fields(raw: bytes, what: str) -> None:
    """Refuse a JSON text in which an object, at any depth, holds a field twice.

    Escaped and unescaped forms of a name are one name.

    Parameters
    ----------
    raw
        A text that a model of `schemas` accepts, so every name in it is a name of the schema.
    what
        What it is, for the message: `report`, `link` or `notice`.

    Raises
    ------
    IcsrError
        If there is such a field. The message names it.
    """

    def require_distinct(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            msg = f"{what}: holds the field {twice!r} twice"
            raise IcsrError(msg, RejectCode.DUPLICATE_FIELD)

    json.loads(raw, object_pairs_hook=require_distinct)


def may_hold_duplicates(raw: bytes) -> bool:
    """Return whether a valid report may hold a field twice; False is certain.

    The report is decoded into its objects, which keep one value of each field, and encoded again
    without spaces between fields. With a field its colon is lost. Colons of texts stay with their
    text, which is kept whole or not at all, so they cannot make up for that of a lost field.
    """
    try:
        kept = _ENCODE(_DECODE(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return True
    # Nothing makes it longer, so at the same length nothing was lost.
    return len(kept) != len(raw) and kept.count(b":") != raw.count(b":")


def _objects(model: type[Message]) -> Any:
    """Return a type with the fields of a model: objects as such, other values as raw JSON."""
    return msgspec.defstruct(
        model.__name__,
        [
            (name, _type(field.annotation), msgspec.UNSET)
            for name, field in model.model_fields.items()
        ],
        kw_only=True,
        gc=False,  # what is decoded of JSON holds no cycle
    )


def _type(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType) and arguments[1:] == (NoneType,):
        inner = _type(arguments[0])
        return inner if inner is msgspec.Raw else inner | None
    if origin is tuple and arguments[1:] == (...,):
        inner = _type(arguments[0])
        return inner if inner is msgspec.Raw else GenericAlias(tuple, (inner, ...))
    if isinstance(annotation, type) and issubclass(annotation, Message):
        return _objects(annotation)
    return msgspec.Raw


_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(_objects(Report)).decode
