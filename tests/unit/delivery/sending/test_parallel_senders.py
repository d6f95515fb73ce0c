"""Senders side by side: one subscription's slowness or failure stays its own."""

import threading
from datetime import datetime
from pathlib import Path

import pytest

from schemas.subscription import Tier
from streams.delivery.channels import Delivery, deliver
from streams.delivery.outbox import Outbox
from streams.delivery.sending import parallel_senders
from streams.delivery.sending.parallel_senders import ParallelSenders
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.subscription_status import Due
from tests.support.alerts import KEY, NOW, signal, subscription

OK = Attempt(SendOutcome.DELIVERED, "204")


def outbox_in(folder: Path, *names: str, alerts: int = 1) -> Outbox:
    outbox = Outbox(folder / "outbox.db", key=KEY)
    for name in names:
        outbox.subscribe(subscription(name=name))
    for n in range(alerts):
        outbox.put(signal(revision=n + 1), source="a", position=n, now=NOW)
    return outbox


def test_a_receiver_that_does_not_answer_delays_no_other(tmp_path: Path) -> None:
    slow, sent = threading.Event(), []

    def send(due: Due, now: datetime) -> Attempt:
        name = due.subscription.subscription_id
        if name.startswith("slow") and not slow.wait(10):
            return Attempt(SendOutcome.FAILED, "")
        sent.append(name)
        return OK

    names = [f"slow-{n}" for n in range(100)]
    with outbox_in(tmp_path, "quick", *names, alerts=5) as outbox, ParallelSenders(send) as senders:
        delivery = Delivery(outbox, senders, lambda: NOW)
        assert not delivery.run(1.5)
        assert sent == ["quick"] * 5
        slow.set()
        assert delivery.run()
        assert len(sent) == 505
    assert delivery.ended[SendOutcome.DELIVERED] == 505


@pytest.mark.parametrize("error", [ValueError, UnicodeError, RuntimeError, OSError])
def test_any_exception_pauses_its_subscription_alone_and_is_its_reason(
    tmp_path: Path, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    def send(due: Due, now: datetime) -> Attempt:
        if due.subscription.subscription_id == "broken":
            raise error
        return OK

    with outbox_in(tmp_path, "broken", "well") as outbox:
        deliver(outbox, send, lambda: NOW)
        broken, well = outbox.statuses()
    assert broken.paused == f"refused: a defect, see the log: {error.__name__}"
    assert (well.paused, well.delivered) == (None, 1)
    assert "sending to the subscription broken failed" in caplog.text


def test_authorities_go_first_and_others_cannot_occupy_every_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel_senders, "MOST_SENDERS", 4)
    monkeypatch.setattr(parallel_senders, "_RESERVED", 1)
    free = threading.Event()

    def send(due: Due, now: datetime) -> Attempt:
        free.wait(10)
        return OK

    dues = [
        Due(n, subscription(tier, name=f"{tier}-{n}"), "id", "{}")
        for tier in (Tier.PUBLIC, Tier.AUTHORITY)
        for n in range(6)
    ]
    with ParallelSenders(send) as senders:
        assert senders.start(dues[:6], NOW) == 3
        assert senders.start(dues, NOW) == 1, "the reserved one"
        assert senders.start(dues, NOW) == 0
        free.set()
        names = [due.subscription.subscription_id for due, _ in senders.finished(5)]
        while senders.busy:
            names += [due.subscription.subscription_id for due, _ in senders.finished(5)]
    assert sorted(names) == ["authority-0", "public-0", "public-1", "public-2"]
