"""Error responses in OpenAPI: each operation declares the problem details that it can send."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from streams.delivery.api.problems import MEDIA_TYPE

__all__ = ["WHENEVER", "WITH_BODY", "WITH_TOKEN", "problems"]

_Statuses = tuple[HTTPStatus, ...]

WHENEVER: _Statuses = (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
"""Errors of every operation: `guard.Guard` comes before all, and reads every body."""
WITH_TOKEN: _Statuses = (
    *WHENEVER,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""Errors of every operation with a token, which is read from the file of the outbox."""
WITH_BODY: _Statuses = (
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
"""Errors of every operation that reads a body, beyond those of its token."""

_WHEN = {
    HTTPStatus.UNAUTHORIZED: "No token, an unknown or a revoked one.",
    HTTPStatus.FORBIDDEN: "The token lacks a scope, or its tier is too low.",
    HTTPStatus.NOT_FOUND: "It does not exist, or the tier may not see it.",
    HTTPStatus.CONFLICT: "It contradicts the present state.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too long.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not application/json.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A parameter or field is malformed, or the tier may not ask.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests or open streams.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A defect; the log of the server says where.",
    HTTPStatus.NOT_IMPLEMENTED: "This server is not configured for it.",
    HTTPStatus.SERVICE_UNAVAILABLE: "It cannot be answered now; the log of the server says why.",
}
_HEADERS: dict[HTTPStatus, dict[str, Any]] = {
    HTTPStatus.UNAUTHORIZED: {
        "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}
    },
    HTTPStatus.TOO_MANY_REQUESTS: {
        "Retry-After": {
            "description": "Wait before the next request [s].",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
}


def problems(statuses: Iterable[HTTPStatus]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that can send these errors.

    >>> problems([HTTPStatus.NOT_FOUND])[404]["description"]
    'It does not exist, or the tier may not see it.'
    """
    return {
        int(status): {
            "description": _WHEN[status],
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemDetails"},
                    "example": {
                        "type": "about:blank",
                        "title": status.phrase,
                        "status": int(status),
                        "detail": _WHEN[status],
                    },
                }
            },
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status in sorted(statuses)
    }
