"""The fast path of native JSON: reports decoded by msgspec, by the rules of the model's fields.

It accepts less than `schemas.report.Report`, never more, and with equal values. What it does not
accept the model has to judge: it alone gives verdicts and reasons (docs/adr/0033).
"""

from dataclasses import asdict
from datetime import date
from enum import Enum
from itertools import product
from string import ascii_uppercase
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from schemas.base import Message
from schemas.report import EARLIEST, Report
from schemas.vocabulary import Country

__all__ = ["decode_fast"]

_PLAIN = (bool, date, float, int, str)
# Spelt out: in a pattern Python's `$` would let a line end pass.
_COUNTRIES: Any = Literal.__getitem__(tuple(map("".join, product(ascii_uppercase, repeat=2))))
_COMPARED = {"first_received", "latest_received"}  # msgspec has no limits of dates


def decode_fast(raw: bytes) -> Any | None:
    """Decode a report: an object with its attributes, or None where the model has to be asked."""
    try:
        report = _DECODE(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return report if EARLIEST <= report.first_received <= report.latest_received else None


def _struct(model: type[Message]) -> Any:
    """Return a type with the fields of a model and their defaults.

    A field without a counterpart has its default there, and no report that states it is accepted.
    """
    fields: list[Any] = []
    constants: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        default = () if field.is_required() else (field.default,)
        try:
            stated = _type(field.annotation, [] if name in _COMPARED else field.metadata)
        except TypeError:
            if not default:
                raise
            constants[name] = field.default
        else:
            fields.append((name, stated, *default))
    return msgspec.defstruct(
        model.__name__,
        fields,
        namespace=constants,
        kw_only=True,
        frozen=True,
        gc=False,  # what is decoded of JSON holds no cycle
        forbid_unknown_fields=True,
    )


def _type(annotation: Any, limits: list[Any]) -> Any:
    """Return the counterpart of a field's type and limits; a TypeError says that there is none."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation == Country:
        return _COUNTRIES
    if origin in (Union, UnionType) and arguments[1:] == (NoneType,):
        return _type(arguments[0], limits) | None
    if origin is tuple and arguments[1:] == (...,):
        annotation = GenericAlias(tuple, (_type(arguments[0], []), ...))
    elif isinstance(annotation, type) and issubclass(annotation, Message):
        annotation = _struct(annotation)
    elif not (
        annotation in _PLAIN
        or origin is Literal
        or (isinstance(annotation, type) and issubclass(annotation, Enum))
    ):
        raise TypeError(annotation)
    stated = {name: value for limit in limits for name, value in asdict(limit).items()}
    return Annotated[annotation, msgspec.Meta(**stated)] if stated else annotation


_DECODE = msgspec.json.Decoder(_struct(Report)).decode
