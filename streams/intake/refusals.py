"""Verdicts of a schema on a JSON message: its model, or a reject with reason and code."""

import json
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import ValidationError

from schemas.base import Message
from schemas.errors import IcsrError, RefusedValue, RejectCode

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["UNKNOWN_FIELD", "code_of", "decode_as", "quoted", "require_single_fields"]

UNKNOWN_FIELD = "holds a field that the schema does not know"
"""Rule of a reject; the name that follows it is the sender's text."""

_NO_OBJECT = ("json_invalid", "model_type")  # not JSON; JSON, but not an object
_LONGEST = 40  # characters of a quoted name; the longest of the schemas has fewer
_CLOSE = 0.75  # difflib's ratio: one or two letters of a short name differ

_Model = TypeVar("_Model", bound=Message)


def decode_as(model: type[_Model], raw: bytes, what: str) -> _Model:
    """Decode a JSON message by its model.

    Parameters
    ----------
    what
        What it is, for errors that name no field: `report`, `link` or `notice`.

    Raises
    ------
    IcsrError
        If it is not JSON, violates the schema, or holds a field twice.
    """
    try:
        decoded = model.model_validate_json(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        first = problems[0]
        loc, rule = first["loc"], first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            loc, rule = loc[:-1], _unknown(str(loc[-1]), model, loc[:-1])
        place = ".".join(map(str, loc)) or what
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        msg = f"{place}: {rule}{more}"
        raise IcsrError(msg, code_of(first)) from error
    require_single_fields(raw, what)
    return decoded


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


def _unknown(name: str, model: type[Message], loc: tuple[int | str, ...]) -> str:
    rule = f"{UNKNOWN_FIELD}, {quoted(name)}"
    for part in loc:
        if isinstance(part, str):
            model = next(_models(model.model_fields[part].annotation))
    close = get_close_matches(name[: 2 * _LONGEST], model.model_fields, n=1, cutoff=_CLOSE)
    return f"{rule}; perhaps {close[0]!r} is meant" if close else rule


def _models(annotation: Any) -> Iterator[type[Message]]:
    if isinstance(annotation, type) and issubclass(annotation, Message):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def quoted(text: str) -> str:
    r"""Return the beginning of a sender's text in quotes, safe to print on a terminal.

    >>> print(quoted("colour\x1b[31m"))
    'colour\x1b[31m'
    >>> print(quoted("x" * 99))
    'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'
    """
    shown = ""
    for character in text[: _LONGEST + 1]:
        escaped = character if character.isprintable() else repr(character)[1:-1]
        if len(shown) + len(escaped) > _LONGEST:
            return f"'{shown}...'"
        shown += escaped
    return f"'{shown}'"


def code_of(problem: "ErrorDetails") -> RejectCode:
    """Return the code of a message from its first error, which must include its context."""
    if not problem["loc"] and problem["type"] in _NO_OBJECT:
        return RejectCode.NOT_JSON
    error = problem.get("ctx", {}).get("error")
    return error.code if isinstance(error, RefusedValue) else RejectCode.SCHEMA
