"""Pages that say why an address was refused, or that the desk failed."""

import logging
import secrets
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from streams.console.frame.protection import PAGE_HEADERS
from streams.console.frame.rendering import open_frame
from streams.console.frame.texts import texts_in

__all__ = ["failed", "refused_request", "wrong_address"]

_LOG = logging.getLogger(__name__)


def wrong_address(request: Request, error: Exception) -> HTMLResponse:
    """Answer an address whose parameters cannot be."""
    return _problem(request, str(error), "/desk", HTTPStatus.BAD_REQUEST)


def refused_request(request: Request, error: Exception) -> HTMLResponse:
    """Answer a request by its status: what does not exist and what is withheld look the same."""
    if not isinstance(error, HTTPException):
        raise error
    t = texts_in(open_frame(request).language)
    known = error.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)
    text = t(f"frame.problem_{error.status_code}") if known else error.detail
    return _problem(request, text, "/desk", HTTPStatus(error.status_code))


def failed(request: Request, error: Exception) -> HTMLResponse:
    """Answer that the desk failed, with the id under which the log has the cause."""
    request_id = secrets.token_hex(6)
    _LOG.error("request %s of the desk failed", request_id, exc_info=error)
    frame = open_frame(request)
    text = texts_in(frame.language)("frame.failed", request=request_id)
    page = _problem(request, text, str(request.url.path), HTTPStatus.INTERNAL_SERVER_ERROR)
    page.headers.update(PAGE_HEADERS)  # it is made outside of the middleware that sets them
    return page


def _problem(request: Request, detail: str, back: str, status: HTTPStatus) -> HTMLResponse:
    values = {"detail": detail, "back": back if back.startswith("/desk") else "/desk"}
    return open_frame(request).page("problem.html.j2", "worklist", values, status)
