"""Webhook deliveries: signed, to public addresses only, without following redirects."""

import ipaddress
import socket
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import httpx2
from standardwebhooks.webhooks import Webhook

from schemas.errors import InputError
from streams.delivery.send_schedule import Attempt, SendOutcome

__all__ = ["WebhookSender", "require_secret", "resolve"]

_TIMEOUT = httpx2.Timeout(15.0, connect=5.0)
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
    """Posts messages to webhooks.

    Parameters
    ----------
    allow_hosts
        Hosts that the operator allows with a private address or without encryption.
    client
        HTTP client; it must not follow redirects.
    resolver
        Resolves a host to its addresses. They are checked before the connection, and the request
        goes to a checked address, so that a second lookup cannot replace it (DNS rebinding).
    """

    def __init__(
        self,
        *,
        allow_hosts: Collection[str] = (),
        client: httpx2.Client | None = None,
        resolver: Resolver = resolve,
    ) -> None:
        self._allowed = frozenset(allow_hosts)
        self._client = client or httpx2.Client(
            timeout=_TIMEOUT, follow_redirects=False, trust_env=False
        )
        self._resolve = resolver

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
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        address = self._address(host, port, parts.scheme)
        if isinstance(address, Attempt):
            return address
        signatures = " ".join(Webhook(s).sign(alert_id, now, body) for s in secrets)
        shown = f"[{address}]" if ":" in address else address
        try:
            answer = self._client.post(
                parts._replace(netloc=f"{shown}:{port}").geturl(),
                content=body.encode(),
                headers={
                    "host": parts.netloc.rpartition("@")[2],
                    "content-type": "application/json",
                    "user-agent": "tocsin-webhooks",
                    "webhook-id": alert_id,
                    "webhook-timestamp": str(int(now.timestamp())),
                    "webhook-signature": signatures,
                },
                extensions={"sni_hostname": host},
            )
        except httpx2.HTTPError as error:
            return Attempt(SendOutcome.FAILED, type(error).__name__)
        if answer.is_success:
            return Attempt(SendOutcome.DELIVERED, str(answer.status_code))
        outcome = SendOutcome.GONE if answer.status_code == _GONE else SendOutcome.FAILED
        return Attempt(outcome, f"status {answer.status_code}")

    def _address(self, host: str, port: int, scheme: str) -> str | Attempt:
        if host in self._allowed:
            pass
        elif scheme != "https":
            return Attempt(SendOutcome.REFUSED, "not https")
        try:
            addresses = self._resolve(host, port)
        except OSError as error:
            return Attempt(SendOutcome.FAILED, f"no address: {type(error).__name__}")
        # All must be public: the owner of the name decides which one the next lookup returns.
        if host not in self._allowed and not all(map(_is_public, addresses)):
            return Attempt(SendOutcome.REFUSED, "a private address")
        return next(iter(addresses), None) or Attempt(SendOutcome.FAILED, "no address")


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return found.is_global and not found.is_multicast
