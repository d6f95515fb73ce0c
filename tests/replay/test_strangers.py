"""Strangers attack one `serve` and one `deliver`, for some seconds; `make attack` takes minutes."""

from pathlib import Path

from tests.attacks.strangers import Attack, attack


def test_an_authority_gets_every_alert_in_order_while_strangers_attack(tmp_path: Path) -> None:
    size = Attack(seconds=8, subscriptions=40, half_open=200, alerts_a_second=2, burst=10)
    result = attack(tmp_path, size)
    print(*result.lines(), sep="\n")  # shown if it fails
    assert result.written >= 15
    assert result.in_order
    # The slowest receivers hold their connections for 20 s, and the machine may be busy.
    assert max(result.latencies) < 15
    assert result.growth("deliver") < 50
    assert result.growth("serve") < 50
    assert max(result.descriptors.values()) < 1000
    assert result.statuses["token 200"] > 0
    for log in ("deliver.log", "serve.log"):
        assert "Traceback" not in (tmp_path / log).read_text()
