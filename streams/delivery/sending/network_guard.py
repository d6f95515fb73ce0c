"""Network guard: which addresses a webhook may be sent to."""

import ipaddress
from collections.abc import Iterable

from schemas.errors import InputError

__all__ = ["NetworkGuard"]

_IPv6 = ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # well-known prefix, RFC 6052
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that is assigned, RFC 4291
_NAT64_LENGTHS = (32, 40, 48, 56, 64, 96)  # bits, RFC 6052 section 2.2
_RESERVED_OCTET = 8  # zero in an address of a NAT64 prefix shorter than 96 bits
_REFUSED = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/32",  # Teredo, RFC 4380
        "2002::/16",  # 6to4, RFC 3056
        "3fff::/20",  # documentation, RFC 9637
    )
)
# ISATAP (RFC 5214): 5efe in the interface identifier, under any prefix, and then an IPv4 address.
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")


class NetworkGuard:
    """Decides whether an address is a public one.

    Of IPv6 only global unicast passes (2000::/3). Forms that embed an IPv4 address are refused
    outright: 6to4, Teredo, ISATAP, IPv4-compatible (::/96), IPv4-translated and a local NAT64
    prefix (64:ff9b:1::/48), as is site-local. NAT64 and IPv4-mapped addresses are decided by the
    IPv4 address: a network without IPv4 reaches every IPv4 receiver through NAT64.

    Parameters
    ----------
    nat64_prefixes
        NAT64 prefixes of the operator's own network: also decided by the embedded address.

    Raises
    ------
    InputError
        If a prefix is not one of RFC 6052.
    """

    def __init__(self, nat64_prefixes: Iterable[str] = ()) -> None:
        self._nat64 = (_NAT64, *map(_prefix, nat64_prefixes))

    def is_public(self, text: str) -> bool:
        """Return whether an address, as a resolver returns it, is public."""
        address = ipaddress.ip_address(text.partition("%")[0])
        if isinstance(address, _IPv6):
            embedded = address.ipv4_mapped or self._translated(address)
            if embedded is None:
                return _is_public_ipv6(address)
            address = embedded
        return address.is_global and not address.is_multicast

    def _translated(self, address: _IPv6) -> ipaddress.IPv4Address | None:
        """Return the IPv4 address that NAT64 sends to."""
        for prefix in self._nat64:
            if address in prefix:
                rest = range(prefix.prefixlen // 8, len(address.packed))
                octets = [address.packed[n] for n in rest if n != _RESERVED_OCTET]
                return ipaddress.IPv4Address(bytes(octets[:4]))
        return None


def _is_public_ipv6(address: _IPv6) -> bool:
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and not any(address in network for network in _REFUSED)
        and address.packed[8:12] not in _ISATAP
    )


def _prefix(text: str) -> ipaddress.IPv6Network:
    try:
        found = ipaddress.IPv6Network(text)
    except ValueError:
        found = None
    if found is None or found.prefixlen not in _NAT64_LENGTHS:
        lengths = ", ".join(map(str, _NAT64_LENGTHS))
        msg = f"--nat64-prefix: must be an IPv6 network of {lengths} bits; got {text!r}"
        raise InputError(msg)
    return found
