"""What `tocsin serve --desk` refuses before it listens, and which hosts it answers."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from schemas.errors import InputError
from streams.cli.served_desk import ServedDesk
from streams.runtime.settings import Settings
from tests.support.api_server import service_in
from tests.support.openid import SETTINGS_TOML


def _desk(folder: Path, address: str | None = None, *, local: bool = False) -> ServedDesk:
    return ServedDesk(folder / "desk", address, None, local, on_kafka=False)


def test_loopback_needs_neither_sign_in_nor_address(tmp_path: Path) -> None:
    _desk(tmp_path).require_guarded(loopback=True)


@pytest.mark.parametrize(
    ("address", "local", "message"),
    [
        ("https://desk.example", False, "--openid or --local-accounts"),
        (None, True, "must have a --desk-address with https; got none"),
        ("http://desk.example", True, "with https; got http://desk.example"),
    ],
)
def test_others_are_served_behind_a_sign_in_and_tls(
    tmp_path: Path, address: str | None, local: bool, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _desk(tmp_path, address, local=local).require_guarded(loopback=False)
    _desk(tmp_path, "https://desk.example", local=True).require_guarded(loopback=False)


def test_a_provider_needs_the_address_that_it_returns_to(tmp_path: Path) -> None:
    (tmp_path / "openid.toml").write_text(SETTINGS_TOML, encoding="utf-8")
    desk = ServedDesk(tmp_path, None, tmp_path / "openid.toml", False, on_kafka=False)
    with pytest.raises(InputError, match="--desk-address"), ExitStack() as opened:
        opened.enter_context(desk.opened(service_in(tmp_path), Settings(), ("alerts",), 8080))


def test_its_own_names_and_its_address_are_answered(tmp_path: Path) -> None:
    desk = _desk(tmp_path, "https://desk.example", local=True)
    with desk.opened(service_in(tmp_path), Settings(), ("alerts.jsonl",), 8080) as application:
        for host, status in (
            ("desk.example", 303),
            ("127.0.0.1:8080", 303),
            ("[::1]:8080", 303),
            ("localhost:8081", 421),
            ("evil.example", 421),
        ):
            client = TestClient(application, base_url="https://x", follow_redirects=False)
            answer = client.get("/desk", headers={"host": host, "accept": "text/html"})
            assert (host, answer.status_code) == (host, status)
