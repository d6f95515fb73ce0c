"""Network guard: IPv6 forms that embed an IPv4 address, and other addresses that are not public."""

import pytest

from schemas.errors import InputError
from streams.delivery.sending.network_guard import NetworkGuard


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "fec0::1",  # site-local
        "ff0e::1",  # multicast of global scope
        "::ffff:10.0.0.1",  # IPv4-mapped
        "::ffff:0:8.8.8.8",  # IPv4-translated
        "::127.0.0.1",  # IPv4-compatible
        "::8.8.8.8",
        "64:ff9b::7f00:1",  # NAT64
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",  # NAT64, local prefix
        "64:ff9b:1:808:8:800::",
        "2002:7f00:1::1",  # 6to4
        "2002:808:808::1",
        "2001::7f00:1",  # Teredo
        "2001:db8::1",
        "3fff::1",
        "5f00::1",  # segment routing
        "2606:4700::5efe:a00:1",  # ISATAP
        "2606:4700::200:5efe:a00:1",
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not NetworkGuard().is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"],
)
def test_a_public_address_passes_also_through_nat64(address: str) -> None:
    assert NetworkGuard().is_public(address)


@pytest.mark.parametrize(
    ("prefix", "private", "public"),
    [  # RFC 6052, section 2.4, with 10.0.0.1 and 8.8.8.8 for 192.0.2.33
        ("2a01::/32", "2a01:0:a00:1::", "2a01:0:808:808::"),
        ("2a01:0:100::/40", "2a01:0:10a:0:1::", "2a01:0:108:808:8::"),
        ("2a01:0:122::/48", "2a01:0:122:a00:0:100::", "2a01:0:122:808:8:800::"),
        ("2a01:0:122:300::/56", "2a01:0:122:30a:0:1::", "2a01:0:122:308:8:808::"),
        ("2a01:0:122:344::/64", "2a01:0:122:344:a:0:100:0", "2a01:0:122:344:8:808:800::"),
        ("2a01:0:122:344::/96", "2a01:0:122:344::10.0.0.1", "2a01:0:122:344::8.8.8.8"),
    ],
)
def test_a_nat64_prefix_of_the_operator_is_decided_by_the_embedded_address(
    prefix: str, private: str, public: str
) -> None:
    guard = NetworkGuard([prefix])
    assert not guard.is_public(private)
    assert guard.is_public(public)
    assert NetworkGuard().is_public(private), "without the prefix it is like any other"


@pytest.mark.parametrize("prefix", ["", "x", "10.0.0.0/8", "2a01::/33", "2a01::1/96"])
def test_a_malformed_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(InputError, match="--nat64-prefix: must be an IPv6 network of 32, 40"):
        NetworkGuard([prefix])
