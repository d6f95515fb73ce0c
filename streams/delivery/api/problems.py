"""Error responses as problem details (RFC 9457)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from schemas.errors import InputError, TocsinError

__all__ = ["MEDIA_TYPE", "Problem", "ProblemDetails", "add_handlers", "answer_of", "problem"]

_LOG = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


class ProblemDetails(BaseModel):
    """Body of every error response (RFC 9457)."""

    type: Literal["about:blank"] = Field(description="The status says what kind of error it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599, description="The status of the response.")
    detail: str = Field(
        description="The rule that was broken and what to do, for people; without content of "
        "alerts or cases."
    )


class Problem(Exception):
    """A request that is refused.

    Parameters
    ----------
    detail
        The error and its remedy, without content of alerts or cases.
    headers
        Additional headers of the response.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a response with problem details."""
    details = ProblemDetails(
        type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=detail
    )
    return JSONResponse(
        details.model_dump(),
        status_code=status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def add_handlers(app: FastAPI) -> None:
    """Convert every error of an application into problem details."""
    app.add_exception_handler(Problem, _refused)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(TocsinError, _of_tocsin)
    app.add_exception_handler(Exception, _defect)


def answer_of(request: Request, error: Exception) -> JSONResponse:
    """Return the response to an error outside the routes, and log it."""
    if isinstance(error, TocsinError):
        return _of_tocsin(request, error)
    _LOG.error("defect: %s %s", request.method, request.url.path, exc_info=error)
    return _defect(request, error)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problem(error.status, error.detail, error.headers)


def _of_the_framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), error.headers)


def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{place}: {first['msg']}")


def _of_tocsin(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, InputError):
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    _LOG.error("%s %s: %s", request.method, request.url.path, error)
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "it cannot be answered now; the log of the server says why",
    )


def _defect(request: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect; the log of the server says where")
