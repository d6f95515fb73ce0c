"""Health and metrics over HTTP: requests, responses, and the addresses that may be bound."""

import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from schemas.errors import InputError
from streams.runtime.broker import transactions
from streams.runtime.observability import health as health_module
from streams.runtime.observability.health import LIVE_SECONDS, HealthServer, serving
from streams.runtime.observability.metrics import Metrics
from streams.runtime.observability.readiness import Blocked, Phase, Readiness
from tests.support.clock import Clock
from tests.support.http import get, get_json

NOTHING: dict[int, int | None] = {}


@pytest.fixture
def health(clock: Clock) -> HealthServer:
    return HealthServer(["cases", "detect"], clock=clock)


@pytest.fixture
def connection(health: HealthServer) -> Iterator[HTTPConnection]:
    with serving(("127.0.0.1", 0), Metrics().registry, health) as (host, port):
        made = HTTPConnection(host, port, timeout=10)
        yield made
        made.close()


def test_live_is_a_loop_that_goes_round(
    connection: HTTPConnection, health: HealthServer, clock: Clock
) -> None:
    assert get_json(connection, "/health/live") == (200, {"status": "live", "silent_seconds": 0.0})
    clock.now += LIVE_SECONDS
    assert get_json(connection, "/health/live")[0] == 200
    clock.now += 0.5
    status, body = get_json(connection, "/health/live")
    assert (status, body) == (503, {"status": "hangs", "silent_seconds": LIVE_SECONDS + 0.5})
    health.loop_iteration()
    assert get_json(connection, "/health/live")[0] == 200


def test_a_turn_may_last_as_long_as_its_parts() -> None:
    longest = (
        transactions.FINISH_SECONDS + transactions.ABORT_SECONDS + transactions.REQUEST_MS / 1000
    )
    assert longest < LIVE_SECONDS


def test_ready_is_every_stage_restored_and_in_its_group(
    connection: HTTPConnection, health: HealthServer
) -> None:
    joining = {"status": "joining"}
    stages: dict[str, Any] = {"cases": joining, "detect": joining}
    assert get_json(connection, "/health/ready") == (503, {"status": "joining", "stages": stages})
    health.stage_status("detect", Readiness(Phase.STANDBY), NOTHING)
    health.stage_status("cases", Readiness(Phase.RESTORING, 0.6399), NOTHING)
    restoring = {"status": "restoring", "done": 0.63}
    stages = {"cases": restoring, "detect": {"status": "standby"}}
    assert get_json(connection, "/health/ready") == (503, {**restoring, "stages": stages})
    health.stage_status("cases", Readiness(Phase.RESTORING, 0.9999), NOTHING)
    assert get_json(connection, "/health/ready")[1]["done"] == 0.99
    health.stage_status("cases", Readiness(Phase.ACTIVE), NOTHING)
    stages["cases"] = {"status": "active"}
    assert get_json(connection, "/health/ready") == (200, {"status": "ready", "stages": stages})
    stuck = Blocked(3, "no_answer", 12.9, "publish pv.reports[3]: no answer for 13 s")
    health.stage_status("cases", Readiness(Phase.BLOCKED, blocked=(stuck,)), NOTHING)
    blocked = {"3": {"seconds": 12, "why": "publish pv.reports[3]: no answer for 13 s"}}
    stages["cases"] = {"status": "blocked", "blocked": blocked}
    assert get_json(connection, "/health/ready") == (503, {**stages["cases"], "stages": stages})
    health.stage_status("detect", Readiness(Phase.JOINING), NOTHING)
    assert get_json(connection, "/health/ready")[0] == 503


def test_metrics_are_in_the_format_that_is_asked_for(connection: HTTPConnection) -> None:
    status, kind, body = get(connection, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert "# TYPE tocsin_lag_messages gauge\n" in body
    assert "tocsin_build_info{" in body


def test_any_other_page_says_which_there_are(connection: HTTPConnection) -> None:
    status, body = get_json(connection, "/")
    assert status == 404
    assert body["pages"] == ["/metrics", "/health/live", "/health/ready"]
    assert get_json(connection, "/metrics/../../etc/passwd")[0] == 404
    assert get(connection, "/metrics", "POST")[0] == 405


def test_who_hangs_up_or_says_nothing_leaves_no_word_and_blocks_nobody(
    connection: HTTPConnection,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health_module._Quiet, "timeout", 0.2)
    address = (connection.host, connection.port)
    with socket.create_connection(address) as silent:
        assert get(connection, "/metrics")[0] == 200
        assert silent.recv(1) == b"", "hung up on"
    with socket.create_connection(address) as gone:
        gone.sendall(b"GET /metr")
    assert get(connection, "/metrics")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_an_address_that_cannot_be_had_is_one_line() -> None:
    registry, health = Metrics().registry, HealthServer([])
    with (
        serving(("127.0.0.1", 0), registry, health) as (host, port),
        pytest.raises(InputError, match=rf"^metrics_bind: .* got {host}:{port}: Address already"),
        serving((host, port), registry, health),
    ):
        pass
    with (
        pytest.raises(InputError, match=r"^metrics_bind: must be an address of this machine"),
        serving(("203.0.113.7", 0), registry, health),
    ):
        pass


def test_it_listens_on_the_address_only_and_no_longer_than_it_should(health: HealthServer) -> None:
    with serving(("127.0.0.1", 0), Metrics().registry, health) as address:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", address[1]), timeout=5)
        socket.create_connection(address, timeout=5).close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(address, timeout=5)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_it_listens_on_the_newer_loopback_where_there_is_one(health: HealthServer) -> None:
    served = serving(("::1", 0), Metrics().registry, health)
    if has_ipv6():
        with served as address:
            socket.create_connection(address, timeout=5).close()
    else:
        with pytest.raises(InputError, match="got ::1:0"), served:
            pass


def test_a_standby_that_may_not_take_over_is_not_ready_and_says_why(
    connection: HTTPConnection, health: HealthServer
) -> None:
    health.stage_status("cases", Readiness(Phase.ACTIVE), NOTHING)
    health.stage_status("detect", Readiness(Phase.STANDBY, why="rules added ic"), NOTHING)
    status, body = get_json(connection, "/health/ready")
    assert (status, body["stages"]["detect"]) == (
        503,
        {"status": "standby", "why": "rules added ic"},
    )
    health.stage_status("detect", Readiness(Phase.STANDBY), NOTHING)
    assert get_json(connection, "/health/ready")[0] == 200
