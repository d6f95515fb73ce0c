"""Webhook deliveries: signed, to public addresses only, without following redirects."""

import socket
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

import anyio
import httpx2
from standardwebhooks.webhooks import Webhook

from schemas.errors import InputError
from streams.delivery.sending.network_guard import NetworkGuard
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.sending.webhook_url import AllowedHosts, WebhookUrl, parse_webhook_url

__all__ = ["ATTEMPT_SECONDS", "WebhookSender", "require_secret", "resolve"]

ATTEMPT_SECONDS = 20.0
"""Total deadline of an attempt [s]: connection, TLS, request and the headers of the response.

The name is looked up before, with a deadline of its own of the same length.
"""
_CONNECT_SECONDS = 5.0  # s: a receiver that does not answer at all ends early
_GONE = 410

Resolver = Callable[[str, int], Collection[str]]


def resolve(host: str, port: int) -> Collection[str]:
    """Return every address of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({str(address[4][0]) for address in found})


def require_secret(secret: str, where: str) -> str:
    """Return a valid signing key: base64 of at least 24 bytes, with or without `whsec_`.

    Raises
    ------
    InputError
        If it is invalid; the message does not quote it.
    """
    try:
        enough = len(Webhook(secret)._whsecret) >= 24
    except Exception:
        enough = False
    if not enough:
        msg = f"{where}: must hold base64 of at least 24 random bytes, after `whsec_`; got other"
        raise InputError(msg)
    return secret


class WebhookSender:
    """Posts messages to webhooks; threads may share one.

    Each attempt has a connection of its own: a kept one would go to the address, not to the name,
    for which its certificate was checked.

    Parameters
    ----------
    allow_hosts
        Hosts that the operator exempts, as for `AllowedHosts`.
    transport
        HTTP transport; by default of the network.
    resolver
        Resolves a host to its addresses. They are checked before the connection, and the request
        goes to a checked address, so that a second lookup cannot replace it (DNS rebinding).
    guard
        Decides which addresses are public.
    seconds
        Total deadline of an attempt [s].
    """

    def __init__(
        self,
        *,
        allow_hosts: Iterable[str] | AllowedHosts = (),
        transport: httpx2.AsyncBaseTransport | None = None,
        resolver: Resolver = resolve,
        guard: NetworkGuard | None = None,
        seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._allowed = AllowedHosts.of(allow_hosts)
        self._transport, self._resolve, self._seconds = transport, resolver, seconds
        self._guard = guard or NetworkGuard()
        # Made once, since reading the authorities takes long; a transport given has its own.
        self._tls = True if transport else httpx2.create_ssl_context(trust_env=False)

    def send(
        self, url: str, secrets: Sequence[str], alert_id: str, body: str, now: datetime
    ) -> Attempt:
        """Make one attempt.

        Parameters
        ----------
        secrets
            Signing keys; a signature by each is sent, so that keys can be rotated.
        alert_id
            Sent as `webhook-id`, the same at every attempt, so that receivers recognise repeats.
        """
        try:
            to = parse_webhook_url(url, self._allowed)
        except InputError as error:
            return Attempt(SendOutcome.REFUSED, str(error))
        address = self._address(to)
        if isinstance(address, Attempt):
            return address
        headers = {
            "host": to.authority,
            "content-type": "application/json",
            "user-agent": "tocsin-webhooks",
            "connection": "close",
            "webhook-id": alert_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Webhook(s).sign(alert_id, now, body) for s in secrets),
        }
        try:
            status = anyio.run(self._post, to, address, headers, body.encode())
        except httpx2.HTTPError as error:
            return Attempt(SendOutcome.FAILED, type(error).__name__)
        except TimeoutError:
            return Attempt(SendOutcome.FAILED, f"no response within {self._seconds:g} s")
        if httpx2.codes.is_success(status):
            return Attempt(SendOutcome.DELIVERED, str(status))
        outcome = SendOutcome.GONE if status == _GONE else SendOutcome.FAILED
        return Attempt(outcome, f"status {status}")

    async def _post(
        self, to: WebhookUrl, address: str, headers: dict[str, str], body: bytes
    ) -> int:
        """Post a body to an address and return the status; the response's body is not read."""
        client = httpx2.AsyncClient(
            transport=self._transport,
            verify=self._tls,
            timeout=httpx2.Timeout(self._seconds, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )
        shown = f"[{address}]" if ":" in address else address
        with anyio.fail_after(self._seconds):
            async with (
                client,
                client.stream(
                    "POST",
                    f"{to.scheme}://{shown}:{to.port}{to.target}",
                    content=body,
                    headers=headers,
                    extensions={"sni_hostname": to.host},
                ) as answer,
            ):
                return answer.status_code

    def _address(self, to: WebhookUrl) -> str | Attempt:
        """Return the address to send to, or why there is none."""
        try:
            addresses = _within(self._seconds, lambda: self._resolve(to.host, to.port))
        except OSError as error:
            return Attempt(SendOutcome.FAILED, f"no address: {type(error).__name__}")
        # All must be public: the owner of the name decides which one the next lookup returns.
        exempt = self._allowed.allows(to.host, to.port)
        if not exempt and not all(map(self._guard.is_public, addresses)):
            return Attempt(SendOutcome.REFUSED, "a private address")
        return next(iter(addresses), None) or Attempt(SendOutcome.FAILED, "no address")


def _within(seconds: float, lookup: Callable[[], Collection[str]]) -> Collection[str]:
    """Return the result of a lookup, or raise its error; an `OSError` when the time is over.

    A lookup cannot be cancelled: its thread ends by itself, when the resolver gives up.
    """
    found: list[Collection[str] | Exception] = []

    def run() -> None:
        try:
            found.append(lookup())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, name="tocsin-lookup", daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        msg = f"no address within {seconds:g} s"
        raise TimeoutError(msg)
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]
