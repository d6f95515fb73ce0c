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
from schemas.release import EARLIEST_RELEASE
from schemas.report import EARLIEST, Report
from schemas.report_limits import LONGEST_SUBSTANCE, broken_limit
from schemas.vocabulary import Country

__all__ = ["decode_fast", "may_hold_duplicates"]

_PLAIN = (bool, date, float, int, str)
# Spelt out: in a pattern Python's `$` would let a line end pass.
_COUNTRIES: Any = Literal.__getitem__(tuple(map("".join, product(ascii_uppercase, repeat=2))))
_COMPARED = {"first_received", "latest_received", "released_on"}  # msgspec has no limits of dates


def decode_fast(raw: bytes) -> Any | None:
    """Decode a report: an object with its attributes, or None where the model has to be asked."""
    try:
        report = _DECODE(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    release = report.release
    if release is not None and release.released_on < EARLIEST_RELEASE:
        return None
    # A short message breaks no limit: it has no room for so many parts, nor for so long a name.
    if len(raw) > LONGEST_SUBSTANCE and broken_limit(report) is not None:
        return None
    return report if EARLIEST <= report.first_received <= report.latest_received else None


def may_hold_duplicates(raw: bytes) -> bool:
    """Return whether a valid report may hold a field twice; False is certain.

    Parsers keep the last value without a word (RFC 8259, section 4), and the exact check
    (`streams.intake.refusals.require_single_fields`) costs more than `decode_fast`.

    The report is decoded into its objects, which keep one value of each field, and encoded again
    without spaces between fields. With a field its colon is lost. Colons of texts stay with their
    text, which is kept whole or not at all, so they cannot make up for that of a lost field.
    """
    try:
        kept = _ENCODE(_DECODE_OBJECTS(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return True
    # Nothing makes it longer, so at the same length nothing was lost.
    return len(kept) != len(raw) and kept.count(b":") != raw.count(b":")


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


def _objects(model: type[Message]) -> Any:
    """Return a type with the fields of a model: objects as such, other values as raw JSON."""
    return msgspec.defstruct(
        model.__name__,
        [
            (name, _object_or_raw(field.annotation), msgspec.UNSET)
            for name, field in model.model_fields.items()
        ],
        kw_only=True,
        gc=False,  # what is decoded of JSON holds no cycle
    )


def _object_or_raw(annotation: Any) -> Any:
    """Return the counterpart of a field's type in `_objects`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType) and arguments[1:] == (NoneType,):
        inner = _object_or_raw(arguments[0])
        return inner if inner is msgspec.Raw else inner | None
    if origin is tuple and arguments[1:] == (...,):
        inner = _object_or_raw(arguments[0])
        return inner if inner is msgspec.Raw else GenericAlias(tuple, (inner, ...))
    if isinstance(annotation, type) and issubclass(annotation, Message):
        return _objects(annotation)
    return msgspec.Raw


_DECODE = msgspec.json.Decoder(_struct(Report)).decode
_DECODE_OBJECTS = msgspec.json.Decoder(_objects(Report)).decode
_ENCODE = msgspec.json.Encoder().encode
