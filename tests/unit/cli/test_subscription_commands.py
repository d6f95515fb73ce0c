"""`tocsin subscriptions --rotate` and `--waiting`: keys shown once, what waits and why."""

from pathlib import Path

import pytest

from streams.delivery.outbox import Outbox
from streams.delivery.sending.signing_keys import derived_key
from tests.support.alerts import NOW, signal
from tests.support.cli import invoke

KEY = "k" * 32
SUBSCRIBE = ("--subscriber", "PMDA", "--tier", "authority", "--yes")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIER_KEY", KEY)


def test_a_key_is_rotated_and_printed_once() -> None:
    invoke("subscribe", "hook", "--url", "https://receiver.example/hook", *SUBSCRIBE)
    printed = invoke("subscriptions", "--rotate", "hook", "--subscriber", "PMDA").output
    with Outbox(Path("outbox.db"), key=KEY.encode()) as outbox:
        (status,) = outbox.statuses()
    assert derived_key(status.subscription, 2, key=KEY.encode()) in printed
    assert "whsec" not in invoke("subscriptions").output


@pytest.mark.parametrize(
    ("more", "why"), [((), "not_read"), (("--digest", "daily"), "digest")], ids=["stream", "digest"]
)
def test_what_waits_is_listed_with_its_reason(more: tuple[str, ...], why: str) -> None:
    invoke("subscribe", "s", "--stream", *SUBSCRIBE, *more)
    with Outbox(Path("outbox.db"), key=KEY.encode()) as outbox:
        outbox.put(signal(drug="A"), source="a", position=0, now=NOW)
    shown = invoke("subscriptions", "--waiting", "s").output
    assert "A|Sepsis|cumulative" in shown
    assert why in shown
    assert ("2024-01-02 00:00:00" in shown) == (why == "digest")
    invoke("subscriptions", "--pause", "s")
    assert "paused: paused by the operator" in invoke("subscriptions", "--waiting", "s").output


def test_one_that_does_not_exist_is_an_error_and_so_are_two_acts() -> None:
    assert "must be one that exists; got 'x'" in str(
        invoke("subscriptions", "--waiting", "x").exception
    )
    two = invoke("subscriptions", "--rotate", "a", "--waiting", "a").exception
    assert "give one of --pause" in str(two)
