"""URLs of webhooks: one strict parser for saving and for sending."""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

import idna

from schemas.errors import InputError

__all__ = ["HTTPS_PORT", "AllowedHosts", "WebhookUrl", "parse_webhook_url"]

HTTPS_PORT = 443
_HTTP_PORT = 80
_MOST_PORT = 65_535
_MOST_HOST = 253  # characters of a host name (RFC 1035, without the final dot)
_MOST_SHOWN = 80  # characters of a URL in an error message
_BRACKETS = re.compile(r"^\[[^\]]+\](:[0-9]+)?$")
# What a resolver may read as an IPv4 address in another notation: 127.1, 0x7f.0.0.1, 2130706433.
_NUMBER = re.compile(r"^(0x[0-9a-f]*|[0-9]+)$")


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """Parts of a URL that a webhook may be posted to.

    Attributes
    ----------
    host
        ASCII, in lower case: a name as A-labels, or an address without brackets.
    target
        Path and query, as sent in the request.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Return host and port as the header `Host` states them: no port if it is the usual one."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        usual = HTTPS_PORT if self.scheme == "https" else _HTTP_PORT
        return shown if self.port == usual else f"{shown}:{self.port}"


class AllowedHosts:
    """Hosts that the operator exempts: private address, `http` and ports other than 443.

    Parameters
    ----------
    entries
        `HOST` for every port of a host, or `HOST:PORT` for one; IPv6 in brackets with a port.

    Raises
    ------
    InputError
        If an entry is malformed.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._allowed = frozenset(map(_allowed_entry, entries))

    @classmethod
    def of(cls, entries: "Iterable[str] | AllowedHosts") -> Self:
        """Return entries as `AllowedHosts`."""
        if isinstance(entries, cls):
            return entries
        assert not isinstance(entries, AllowedHosts)
        return cls(entries)

    def allows(self, host: str, port: int) -> bool:
        """Return whether a host is exempt on a port."""
        return (host, None) in self._allowed or (host, port) in self._allowed


def parse_webhook_url(url: str, allowed: AllowedHosts) -> WebhookUrl:
    """Parse a URL as strictly as sending needs it; names are looked up at each attempt.

    Raises
    ------
    InputError
        If it is not `https` on port 443 with a host, a path and an optional query in ASCII,
        unless the operator allows its host.
    """
    if not url.isprintable() or any(sign.isspace() or sign == "\\" for sign in url):
        raise _refused(url, "have no spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        stated = parts.port
    except ValueError:
        raise _refused(url, f"have a host, and a port of 1 to {_MOST_PORT}") from None
    if parts.scheme not in ("https", "http"):
        raise _refused(url, "begin with https://")
    if "@" in parts.netloc:
        raise _refused(url, "have no user name or password: messages are signed instead")
    if "#" in url:
        raise _refused(url, "have no fragment (#)")
    if not (parts.path + parts.query).isascii():
        raise _refused(url, "have a path and query in ASCII: percent-encode other characters")
    host = _host(parts, url)
    port = stated if stated is not None else HTTPS_PORT if parts.scheme == "https" else _HTTP_PORT
    if port == 0:
        raise _refused(url, f"have a port of 1 to {_MOST_PORT}")
    if not allowed.allows(host, port):
        if parts.scheme != "https":
            raise _refused(url, f"be https, unless the operator allows the host{_HOW}")
        if port != HTTPS_PORT:
            raise _refused(url, f"have port 443, unless the operator allows another one{_HOW}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebhookUrl(parts.scheme, host, port, target)


_HOW = " (--allow-host HOST:PORT)"


def _host(parts: SplitResult, url: str) -> str:
    """Return the host of a split URL in ASCII."""
    if not parts.hostname or parts.netloc.endswith(":"):
        raise _refused(url, "have a host, and no colon without a port")
    if "[" in parts.netloc:
        return _ipv6(parts.hostname if _BRACKETS.match(parts.netloc) else "", url)
    return _name(parts.hostname, url)


def _ipv6(text: str, url: str) -> str:
    try:
        return ipaddress.IPv6Address(text if "%" not in text else "").compressed
    except ValueError:
        raise _refused(url, "have an IPv6 address, without a zone, in its brackets") from None


def _name(text: str, url: str) -> str:
    """Return a host name as A-labels, or an IPv4 address in its usual notation."""
    try:
        ascii_name = idna.encode(text, uts46=True, std3_rules=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        ascii_name = ""
    if not ascii_name or ascii_name.endswith(".") or len(ascii_name) > _MOST_HOST:
        rule = "have a host name that DNS can hold: labels of 1 to 63 letters, digits and hyphens"
        raise _refused(url, rule)
    if _NUMBER.match(ascii_name.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(ascii_name))
        except ValueError:
            raise _refused(url, "write an IPv4 address as four numbers") from None
    return ascii_name


def _refused(url: str, rule: str) -> InputError:
    """Return the error for a URL; the URL is shown without control or format characters."""
    plain = "".join("?" if unicodedata.category(sign)[0] in "CZ" else sign for sign in url)
    return InputError(f"webhook: the URL must {rule}; got {plain[:_MOST_SHOWN]!r}")


def _allowed_entry(text: str) -> tuple[str, int | None]:
    """Parse `HOST` or `HOST:PORT`; a bare IPv6 address has no port."""
    try:
        return ipaddress.ip_address(text).compressed, None
    except ValueError:
        pass
    try:
        parts = urlsplit(f"//{text}")
        host, port = _host(parts, text), parts.port
    except (ValueError, InputError):
        host, port = "", None
    if not host or port == 0 or parts.netloc != text or "@" in text:
        msg = f"--allow-host: must be HOST or HOST:PORT; got {text!r}"
        raise InputError(msg)
    return host, port
