"""The outbox: every message is delivered in order, despite repeated failures."""

import itertools
import json
import weakref
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert import SignalGrade
from schemas.errors import InputError
from schemas.subscription import DigestPeriod, Tier
from streams.delivery.channels import deliver
from streams.delivery.outbox import Outbox
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.subscription_status import Due
from tests.support.alerts import KEY, NOW, signal, subscription
from tests.support.rules_changes import changed


class World:
    """A clock, an outbox, and a receiver that may fail."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.now = NOW
        self.outbox = Outbox(path, key=KEY)
        weakref.finalize(self, self.outbox.close)
        self.received: list[tuple[str, int]] = []
        self.answers: Iterator[SendOutcome | str] = iter(())

    def send(self, due: Due, now: datetime) -> Attempt:
        outcome = next(self.answers, SendOutcome.DELIVERED)
        # A receiver may have accepted an alert although the sender saw a failure.
        if outcome is SendOutcome.DELIVERED or outcome == "lost answer":
            body = json.loads(due.body)
            self.received.append((body["signal_key"], body["revision"]))
        if outcome == "lost answer":
            outcome = SendOutcome.FAILED
        return Attempt(outcome, "x")

    def run_for(self, span: timedelta) -> None:
        end = self.now + span
        while True:
            deliver(self.outbox, self.send, lambda: self.now)
            following = self.outbox.next_due()
            if following is None or following > end:
                self.now = end
                return
            self.now = max(self.now, following)


def test_an_alert_is_stored_once() -> None:
    world = World()
    world.outbox.subscribe(subscription())
    assert world.outbox.put(signal(), source="pv.alerts[0]", position=0, now=NOW) == 1
    assert world.outbox.put(signal(), source="pv.alerts[0]", position=0, now=NOW) == 0
    # Read again from an earlier position: recognised by its alert_id.
    assert world.outbox.put(signal(), source="another", position=0, now=NOW) == 0
    world.run_for(timedelta())
    assert world.received == [(signal().signal_key, 1)]


def test_after_a_day_of_outage_a_receiver_gets_every_alert_in_order() -> None:
    world = World()
    world.outbox.subscribe(subscription())
    for revision in (1, 2, 3):
        world.outbox.put(signal(revision=revision), source="a", position=revision, now=NOW)
    world.answers = iter([SendOutcome.FAILED] * 7)  # 5 s, 5 min, 30 min, 2, 5, 10, 14 h
    world.run_for(timedelta(days=1))
    assert world.received == []
    world.run_for(timedelta(days=1))
    assert [revision for _, revision in world.received] == [1, 2, 3]


@pytest.mark.parametrize("last", [SendOutcome.FAILED, SendOutcome.GONE, SendOutcome.REFUSED])
def test_a_subscription_is_paused_after_days_of_failures_and_can_be_resumed(
    last: SendOutcome,
) -> None:
    world = World()
    world.outbox.subscribe(subscription())
    world.outbox.put(signal(), source="a", position=0, now=NOW)
    tries = 10 if last is SendOutcome.FAILED else 1
    world.answers = iter([last] * tries)
    world.run_for(timedelta(days=10))
    (status,) = world.outbox.statuses()
    assert status.paused is not None
    assert (status.waiting, status.delivered) == (1, 0)
    world.outbox.put(signal(revision=2), source="a", position=1, now=NOW)
    world.run_for(timedelta(days=10))
    assert world.received == []
    world.outbox.resume("s")
    world.run_for(timedelta())
    assert [revision for _, revision in world.received] == [1, 2]
    with pytest.raises(InputError, match="must be one that exists"):
        world.outbox.resume("nobody")


def test_a_subscriber_of_alarms_receives_what_becomes_of_each() -> None:
    world = World()
    world.outbox.subscribe(subscription())
    world.outbox.subscribe(subscription(name="wide", grades=tuple(SignalGrade)))
    alarm, wider = SignalGrade
    history = [
        *(signal(revision=n, grade=wider) for n in (1, 2)),
        signal(revision=3, grade=alarm),
        *(signal(revision=n, grade=wider) for n in (4, 5)),
        signal(drug="zinc", grade=wider),
    ]
    matched = [
        world.outbox.put(one, source="a", position=at, now=NOW) for at, one in enumerate(history)
    ]
    assert matched == [1, 1, 2, 2, 2, 1]
    key = history[0].signal_key
    world.run_for(timedelta())
    assert Counter(world.received) == Counter(
        {(key, 1): 1, (key, 2): 1, (key, 3): 2, (key, 4): 2, (key, 5): 2}
        | {(history[-1].signal_key, 1): 1}
    )


FATES = st.sampled_from([SendOutcome.DELIVERED, SendOutcome.FAILED, "lost answer"])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 20)), min_size=1, max_size=20),
    st.lists(FATES, max_size=60),
    st.lists(st.integers(0, 100_000), max_size=20),
)
def test_every_subscriber_gets_every_revision_in_order(
    history: list[tuple[str, int]], fates: list[SendOutcome | str], pauses: list[int]
) -> None:
    """No revision is missing or out of order, despite repeated failures."""
    world = World()
    world.outbox.subscribe(subscription())
    world.outbox.subscribe(subscription(name="deaf", products=("none",)))
    world.answers = iter(fates)
    revisions = dict.fromkeys("AB", 0)
    rests = iter(pauses)
    for position, (drug, n) in enumerate(history):
        revisions[drug] += 1
        alert = signal(n, revision=revisions[drug], drug=drug)
        world.outbox.put(alert, source="a", position=position, now=NOW)
        world.run_for(timedelta(seconds=next(rests, 0)))
    for _ in range(8):
        world.run_for(timedelta(days=5))
        if world.outbox.statuses()[-1].paused:
            world.outbox.resume("s")
    for drug, last in revisions.items():
        got = [revision for key, revision in world.received if key.startswith(f"{drug}|")]
        once = [revision for revision, _ in itertools.groupby(got)]
        assert once == list(range(1, last + 1))  # a repeat follows at once, with the same id


def test_due_messages_survive_a_crash_at_any_step(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    world = World(path)
    world.outbox.subscribe(subscription())
    world.outbox.put(signal(), source="a", position=0, now=NOW)
    world.outbox.put(signal(revision=2), source="a", position=1, now=NOW)

    def die(due: Due, now: datetime) -> Attempt:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(world.outbox, die, lambda: NOW)
    world.outbox.close()
    again = World(path)
    assert again.outbox.place("a") == 2
    again.run_for(timedelta())
    assert [revision for _, revision in again.received] == [1, 2]


def test_a_change_of_rules_is_due_to_every_subscription_once_whatever_it_asked_for() -> None:
    world = World()
    change = changed()
    names = {
        "urgent": subscription(name="urgent", urgent_only=True),
        "daily": subscription(name="daily").model_copy(update={"digest": DigestPeriod.DAILY}),
        "public": subscription(Tier.PUBLIC, name="public"),
    }
    for one in names.values():
        world.outbox.subscribe(one)
    for position in (5, 4, 5, 6):  # read again, and published again under its own id
        world.outbox.put_rules_change(change, source="pv.alerts[0]", position=position)
    assert world.outbox.place("pv.alerts[0]") == 7
    waiting = world.outbox.due(NOW)
    assert {due.subscription.subscription_id: due.alert_id for due in waiting} == dict.fromkeys(
        names, change.change_id
    )
    assert {due.body for due in waiting} == {change.model_dump_json()}
    world.outbox.put_rules_change(changed(3), source="pv.alerts[0]", position=7)
    sent: list[str] = []

    def send(due: Due, now: datetime) -> Attempt:
        sent.append(due.alert_id)
        return Attempt(SendOutcome.DELIVERED, "x")

    deliver(world.outbox, send, lambda: NOW)
    assert Counter(sent) == {change.change_id: 3, changed(3).change_id: 3}


def test_a_public_subscription_that_begins_later_gets_the_revisions_of_everybody() -> None:
    world = World()
    world.outbox.put(signal(3), source="a", position=0, now=NOW)
    world.outbox.subscribe(subscription(Tier.PUBLIC))
    assert world.outbox.put(signal(4, revision=2), source="a", position=1, now=NOW) == 0
    assert world.outbox.put(signal(11, revision=3), source="a", position=2, now=NOW) == 1
    world.run_for(timedelta())
    assert world.received == [(signal().signal_key, 2)]
