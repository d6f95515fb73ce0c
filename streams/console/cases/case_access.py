"""Access to cases: readers without the scope are answered as if there were none."""

from http import HTTPStatus

from fastapi import HTTPException

from streams.console.frame.rendering import Frame
from streams.delivery.api.tokens import Scope

__all__ = ["require_cases"]


def require_cases(frame: Frame) -> None:
    """Answer 404 to a reader who may not read cases.

    Raises
    ------
    HTTPException
        404, as for a signal that does not exist.
    """
    if Scope.CASES_READ not in frame.who.scopes:
        raise HTTPException(HTTPStatus.NOT_FOUND, "no such signal")
