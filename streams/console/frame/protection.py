"""Middleware of the pages: hosts, sizes of requests, and headers of responses."""

from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["PAGE_HEADERS", "Protection"]

PAGE_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_MOST_BODY = 64 * 1024  # bytes of a form


class Protection:
    """Refuses foreign hosts and large bodies; sets security headers.

    A name of another site that resolves to this machine would let that site's pages read the desk:
    only the named hosts are answered.

    Parameters
    ----------
    hosts
        Values of `Host` that are answered.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in PAGE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        if headers.get("host", "") not in self._hosts:
            refused = PlainTextResponse("unknown host\n", HTTPStatus.MISDIRECTED_REQUEST)
            await refused(scope, receive, guarded)
            return
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            unreadable = PlainTextResponse("content-length: no number\n", HTTPStatus.BAD_REQUEST)
            await unreadable(scope, receive, guarded)
            return
        # Without a stated length the server would have to count: no browser sends a form so.
        if int(length) > _MOST_BODY or "transfer-encoding" in headers:
            refused = PlainTextResponse(
                f"at most {_MOST_BODY:,} bytes are read\n", HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            )
            await refused(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)
