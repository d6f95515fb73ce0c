"""The server of the API: whose word on a client's address is taken."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.delivery.api.application import make_application
from streams.delivery.server.http_server import http_server
from tests.support.api_server import client_of, service_in, serving, token_of


@pytest.mark.parametrize(
    ("proxies", "second"), [((), 429), (("127.0.0.1",), 200), (("127.0.0.0/8",), 200)]
)
def test_the_address_of_a_client_is_stated_by_trusted_proxies_only(
    tmp_path: Path, proxies: Sequence[str], second: int
) -> None:
    service = service_in(tmp_path, address_rate="3/minute")
    with (
        serving(service, trusted_proxies=proxies) as address,
        client_of(address, None) as client,
    ):
        stranger, other = ({"x-forwarded-for": f"203.0.113.{n}"} for n in (1, 2))
        for _ in range(3):
            assert client.get("/v1/health", headers=stranger).status_code == 200
        assert client.get("/v1/health", headers=stranger).status_code == 429
        assert client.get("/v1/health", headers=other).status_code == second
        # What a client writes itself is before what the proxy adds.
        forged = {"x-forwarded-for": "198.51.100.7, 203.0.113.1"}
        assert client.get("/v1/health", headers=forged).status_code == 429


def test_a_token_behind_the_proxy_of_strangers_keeps_its_rate(tmp_path: Path) -> None:
    service = service_in(tmp_path, address_rate="5/minute")
    token = token_of(service)
    with serving(service) as address, client_of(address, None) as stranger:
        while stranger.get("/v1/health").status_code == 200:
            pass
        with client_of(address, token) as client:
            assert [client.get("/v1/signals").status_code for _ in range(10)] == [200] * 10


def test_addresses_of_one_ipv6_network_count_together(tmp_path: Path) -> None:
    service = service_in(tmp_path, address_rate="3/minute")
    with (
        serving(service, trusted_proxies=["127.0.0.1"]) as address,
        client_of(address, None) as client,
    ):
        statuses = [
            client.get("/v1/health", headers={"x-forwarded-for": f"2001:db8::{n}"}).status_code
            for n in range(4)
        ]
        assert statuses == [200, 200, 200, 429]
        for other in ("2001:db8:0:1::1", "unknown"):
            found = client.get("/v1/health", headers={"x-forwarded-for": other})
            assert found.status_code == 200


@pytest.mark.parametrize("proxy", ["*", "proxy.example", "10.0.0.1/8"])
def test_a_proxy_must_be_an_address_or_a_network(proxy: str) -> None:
    with pytest.raises(InputError, match="--trusted-proxy: must be an address or a network; got"):
        http_server(make_application(), trusted_proxies=[proxy])
