"""Access control of the API: rate limits, body sizes, security headers and token scopes."""

import ipaddress
import math
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import InputError
from streams.delivery.api.problems import Problem, answer_of, problem
from streams.delivery.api.service import Service
from streams.delivery.api.tokens import Scope as TokenScope
from streams.delivery.api.tokens import Token

__all__ = ["Guard", "Limiter", "needs", "the_service"]

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_REFUSED_COSTS = 10  # requests of an address that a refused token counts as
_IPV6_BITS = 64  # of an address: its owner usually owns all that share these bits
_BEARER = HTTPBearer(auto_error=False, description="A token of `tocsin tokens add`.")


class Limiter:
    """Rate limiter with a moving window, in the memory of this process."""

    def __init__(self, rate: str) -> None:
        try:
            self._rate: RateLimitItem = parse(rate)
        except ValueError:
            msg = f"rate: must be such as 120/minute; got {rate!r}"
            raise InputError(msg) from None
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def wait_for(self, who: str, cost: int = 1) -> int | None:
        """Count a request; return the seconds to wait before a retry, None if within the rate."""
        if self._windows.hit(self._rate, who, cost=cost):
            return None
        reset = self._windows.get_window_stats(self._rate, who).reset_time
        return max(1, math.ceil(reset - time.time()))


class Guard:
    """Middleware that limits request rates and body sizes, and sets security headers.

    A request with a valid token counts for the token only, any other one for its address: strangers
    behind the proxy of a subscriber cannot use up the subscriber's rate.
    """

    def __init__(
        self, app: ASGIApp, *, service: Service, by_token: Limiter, by_address: Limiter
    ) -> None:
        self._app, self._most, self._tokens = app, service.most_body, service.tokens
        self._by_token, self._by_address = by_token, by_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            wait = await self._counted(scope)
        except Exception as error:  # the handlers of the application come after this middleware
            await answer_of(Request(scope), error)(scope, receive, guarded)
            return
        if wait is not None:
            await _too_many(wait)(scope, receive, guarded)
            return
        # The body is read here up to the limit, before any parser: a stated length may be wrong,
        # and a body without one may be endless.
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                refused = problem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {self._most} bytes are read"
                )
                refused.headers["connection"] = "close"
                await refused(scope, receive, guarded)
                return
        handed = False

        async def replay() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, guarded)

    async def _counted(self, scope: Scope) -> int | None:
        """Find the token of a request and count it; return the seconds to wait, if any."""
        given = _bearer(scope)
        token = await run_in_threadpool(self._find, given) if given else None
        scope.setdefault("state", {})["token"] = token
        if token is not None:
            return self._by_token.wait_for(token.token_id)
        return self._by_address.wait_for(_address(scope), _REFUSED_COSTS if given else 1)

    def _find(self, text: str) -> Token | None:
        with self._tokens() as store:
            return store.find(text)


def the_service(request: Request) -> Service:
    """Return the service of the application."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


def needs(scope: TokenScope) -> Callable[..., Token]:
    """Return a dependency that requires a token with a scope, within its rate limit."""

    def authorise(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> Token:
        token: Token | None = request.scope["state"]["token"]
        if token is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "a valid token is needed: Authorization: Bearer tocsin_...",
                {"www-authenticate": "Bearer"},
            )
        if scope not in token.scopes:
            raise Problem(HTTPStatus.FORBIDDEN, f"the token must have the scope {scope}")
        return token

    return authorise


_LATER = "too many requests; retry after the seconds given in Retry-After"


def _too_many(wait: int) -> ASGIApp:
    return problem(HTTPStatus.TOO_MANY_REQUESTS, _LATER, {"retry-after": str(wait)})


def _address(scope: Scope) -> str:
    """Return the address that a request without a token counts for."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0]) if client else None
    except ValueError:  # a proxy may state anything
        address = None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.IPv6Network((int(address), _IPV6_BITS), strict=False))
    return str(address)


def _bearer(scope: Scope) -> str | None:
    """Return the text of the bearer token of a request."""
    kind, _, text = Headers(scope=scope).get("authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" and text.strip() else None
