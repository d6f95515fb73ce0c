"""Codes of rejects that violate a schema, by pydantic's type of error, never by its text."""

from typing import TYPE_CHECKING

from schemas.errors import RefusedValue, RejectCode

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["code_of"]

_NO_OBJECT = ("json_invalid", "model_type")  # not JSON; JSON, but not an object


def code_of(problem: "ErrorDetails") -> RejectCode:
    """Return the code of a message from its first error, which must include its context."""
    if not problem["loc"] and problem["type"] in _NO_OBJECT:
        return RejectCode.NOT_JSON
    error = problem.get("ctx", {}).get("error")
    return error.code if isinstance(error, RefusedValue) else RejectCode.SCHEMA
