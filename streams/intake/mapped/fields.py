"""Fields of a report that a column can fill, and the values that each can have."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from schemas.base import Message
from schemas.product import Product
from schemas.report import Patient, Reaction, Report, Reporter
from schemas.vocabulary import RevisionKind, Seriousness

__all__ = ["FIELDS", "PARTS", "Kind"]

Kind = type[Any]
"""Type of a field's value: `date`, `int`, `float`, `bool`, `str`, or an enumeration."""

_SCALARS = (date, int, float, bool, str)


def _kind(annotation: Any) -> Kind | None:
    """Return the type of a field that one text can state; None of others."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin in (Union, UnionType) and arguments[1:] == (NoneType,):
        return _kind(arguments[0])
    if isinstance(annotation, type) and (annotation in _SCALARS or issubclass(annotation, StrEnum)):
        return annotation
    return None


def _fields(model: type[Message]) -> dict[str, Kind]:
    kinds = {name: _kind(field.annotation) for name, field in model.model_fields.items()}
    return {name: kind for name, kind in kinds.items() if kind is not None}


FIELDS: Mapping[str, Mapping[str, Kind]] = {
    "report": _fields(Report) | {"seriousness": Seriousness, "revision": RevisionKind},
    "patient": _fields(Patient),
    "reporter": _fields(Reporter),
    "products": _fields(Product) | {"substances": str},
    "reactions": _fields(Reaction),
}
"""Fields by the section of the mapping file, with the type of their values."""

PARTS = ("products", "reactions")
"""Sections of which a report has several."""
