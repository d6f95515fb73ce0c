"""The uvicorn server of the API."""

import ipaddress
from collections.abc import Iterable

import uvicorn
from starlette.types import ASGIApp

from schemas.errors import InputError
from streams.delivery.server.connections import (
    UNFINISHED_SECONDS,
    connection_limit,
    guarded_protocol,
    raise_descriptor_limit,
)

__all__ = ["http_server"]


def http_server(
    application: ASGIApp,
    *,
    trusted_proxies: Iterable[str] = (),
    most_connections: int | None = None,
    unfinished_seconds: float = UNFINISHED_SECONDS,
) -> uvicorn.Server:
    """Return a server that strangers cannot exhaust.

    Parameters
    ----------
    trusted_proxies
        Addresses or networks of proxies whose `X-Forwarded-For` states the client's address.
    most_connections
        Connections at the same time; by default as many as file descriptors allow.
    unfinished_seconds
        Time for a whole request [s].

    Raises
    ------
    InputError
        If a proxy is not an address or a network.
    """
    proxies = [_proxy(text) for text in trusted_proxies]
    descriptors = raise_descriptor_limit()
    most = most_connections or connection_limit(descriptors)
    return uvicorn.Server(
        uvicorn.Config(
            application,
            http=guarded_protocol(most, unfinished_seconds=unfinished_seconds),
            ws="none",
            access_log=False,  # paths contain signal keys, which may name a lot
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=3,
            log_level="warning",
        )
    )


def _proxy(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text)) if "/" in text else str(ipaddress.ip_address(text))
    except ValueError:
        msg = f"--trusted-proxy: must be an address or a network; got {text!r}"
        raise InputError(msg) from None
