"""A subscriber that saw an alert always gets its correction, whatever fails and however often.

Random histories of signals, a real webhook receiver's ways of failing (through the real sender and
its guard), the deliverer stopped and started between any two steps, digests, budgets, pauses.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx2
from hypothesis import event, given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier

from schemas.alert import AlertKind
from schemas.digest import HeldBack
from schemas.safety_alert import SafetyAlertKind
from schemas.subscription import DigestPeriod, Filters, Subscription, Tier, Webhook
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.channels import ChannelSender, deliver
from streams.delivery.outbox import Outbox
from streams.delivery.sending.send_schedule import CORRECTIONS
from streams.delivery.sending.signing_keys import derived_key
from streams.delivery.sending.webhook import WebhookSender
from streams.runtime.broker.topic_writer import TopicWriter
from streams.runtime.settings import Settings
from tests.support.alerts import KEY, NOW, safety, signal

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STATUSES = {"500": 500, "redirect": 302, "gone": 410}
PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.1"


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Receiver:
    """A webhook receiver with scripted answers, and the requests it received.

    A time-out may come after the receiver took the message in: then it comes again.
    """

    answers: list[str] = field(default_factory=list)
    down_until: datetime = NOW
    now: datetime = NOW
    resolves_to: str = PUBLIC
    crash_after: int | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    bodies: dict[str, set[bytes]] = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        assert request.url.host == PUBLIC  # nothing private is ever connected to
        answer = self.answers.pop() if self.answers else "ok"
        if self.now < self.down_until or answer == "refused":
            raise httpx2.ConnectError(answer)
        if answer == "timeout":
            raise httpx2.ReadTimeout(answer)
        if answer in STATUSES:
            where = {"location": f"http://{PRIVATE}/"}
            return httpx2.Response(STATUSES[answer], headers=where if answer == "redirect" else {})
        self._take(request)
        if answer == "timeout after it was taken":
            raise httpx2.ReadTimeout(answer)
        if answer == "crash after it was taken":
            raise Crash
        return httpx2.Response(204)

    def _take(self, request: httpx2.Request) -> None:
        name = request.headers["webhook-id"]
        self.bodies.setdefault(name, set()).add(request.content)
        body = json.loads(request.content)
        assert name == body["digest_id" if "digest_id" in body else "alert_id"]
        signed = request.headers["webhook-signature"].split(" ")
        at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), tz=NOW.tzinfo)
        for key in self.keys:
            assert Verifier(key).sign(name, at, request.content.decode()) in signed
        self.messages.append(body)


FATES = (
    "ok", "timeout", "500", "redirect", "refused", "gone",
    "timeout after it was taken", "crash after it was taken",
)  # fmt: skip


@dataclass
class World:
    """A deliverer that can be stopped at any moment, the clock, and the receiver."""

    path: Path
    receiver: Receiver
    subscription: Subscription
    now: datetime = NOW
    position: int = 0
    written: list[AnyAlert] = field(default_factory=list)

    @contextmanager
    def opened(self) -> Iterator[tuple[Outbox, ChannelSender]]:
        """A process: it knows nothing but what is on disk."""
        transport = httpx2.MockTransport(self.receiver.handle)
        web = WebhookSender(
            transport=transport, resolver=lambda host, port: (self.receiver.resolves_to,)
        )
        with Outbox(self.path, key=KEY) as outbox:
            yield outbox, ChannelSender(web, TopicWriter(Settings()), key=KEY)

    def take_in(self, *, crash: bool) -> None:
        """Read what was written; a crash may come after any alert."""
        with self.opened() as (outbox, _):
            start = outbox.place("alerts")
            for position in range(start, len(self.written)):
                alert = self.written[position]
                outbox.put(alert, source="alerts", position=position, now=self.now)
                if crash:
                    return

    def deliver_for(self, span: timedelta) -> None:
        end = self.now + span
        while True:
            self.receiver.now = self.now
            try:
                with self.opened() as (outbox, sender):
                    deliver(outbox, sender.send, lambda: self.now)
                    following = outbox.next_due()
            except Crash:
                continue  # the next process goes on
            if following is None or following > end:
                self.now = end
                return
            self.now = max(self.now, following)

    def settle(self) -> None:
        """The receiver is well again, somebody resumes what rests, and time passes."""
        self.receiver.answers.clear()
        self.receiver.resolves_to = PUBLIC
        self.receiver.down_until = self.now
        self.take_in(crash=False)
        with self.opened() as (outbox, _):
            outbox.resume(self.subscription.subscription_id)
        self.deliver_for(8 * DAY)
        with self.opened() as (outbox, _):
            assert outbox.next_due() is None
            assert outbox.statuses()[0].waiting == 0


KINDS = ("strengthened", "weakened", "update", "retraction", "closed")
ALERTS = st.tuples(st.just("alert"), st.sampled_from("ABD"), st.sampled_from(KINDS), st.booleans())
ANSWERS = st.tuples(st.just("answers"), st.lists(st.sampled_from(FATES), max_size=8))
WAITS = st.tuples(st.just("wait"), st.sampled_from((timedelta(), HOUR, 7 * HOUR, DAY, 4 * DAY)))
OTHERS = st.one_of(
    st.tuples(st.just("apply"), st.booleans()),
    st.tuples(st.just("down for a day")),
    st.tuples(st.just("moves to a private address"), st.booleans()),
    st.tuples(st.just("pause")),
    st.tuples(st.just("resume")),
    st.tuples(st.just("rotate the key")),
)
ROUNDS = st.tuples(
    st.lists(ALERTS, min_size=1, max_size=3), ANSWERS, st.lists(OTHERS, max_size=1), WAITS
)
ACTIONS = st.lists(ROUNDS, min_size=2, max_size=10).map(
    lambda rounds: [
        action
        for some, answers, others, wait in rounds
        for action in (*some, answers, *others, wait)
    ]
)
PLANS = st.one_of(
    st.just({}),
    st.sampled_from([{"digest": DigestPeriod.DAILY}, {"digest": DigestPeriod.WEEKLY}]),
    st.integers(1, 3).map(lambda n: {"budget_per_day": n}),
)
FILTERS = st.sampled_from(
    [Filters(), Filters(kinds=("new",)), Filters(products=("A", "B")), Filters(urgent_only=True)]
)


def revision_of(world: World, name: str, kind: str, urgent: bool) -> AnyAlert:
    """The next revision of a signal; A and B are counts, D is a lot."""
    first = safety(subject=name) if name == "D" else signal(drug=name)
    number = 1 + sum(alert.signal_key == first.signal_key for alert in world.written)
    if name != "D":
        alert = signal(drug=name, revision=number)
        given = AlertKind.NEW if number == 1 else AlertKind(kind)
        return alert.model_copy(update={"kind": given, "urgent": urgent})
    lot = safety(subject=name, revision=number)
    said = SafetyAlertKind.NEW if number == 1 else SafetyAlertKind(kind)
    return lot.model_copy(update={"kind": said, "urgent": urgent})


def act(world: World, action: tuple[Any, ...]) -> None:
    receiver, what = world.receiver, action[0]
    if what == "alert":
        _, name, kind, urgent = action
        world.written.append(revision_of(world, name, kind, urgent))
    elif what == "apply":
        world.take_in(crash=action[1])
    elif what == "answers":
        receiver.answers[:] = action[1]
    elif what == "wait":
        world.take_in(crash=False)
        world.deliver_for(action[1])
    elif what == "down for a day":
        receiver.down_until = world.now + DAY
    elif what == "moves to a private address":
        receiver.resolves_to = PRIVATE if action[1] else PUBLIC
    else:
        with world.opened() as (outbox, _):
            if what == "pause":
                outbox.pause("s", "paused")
            elif what == "resume":
                outbox.resume("s")
            else:
                world.subscription = outbox.rotate_key("s")
        renew_keys(world)


def renew_keys(world: World) -> None:
    channel = world.subscription.goes_to
    assert isinstance(channel, Webhook)
    world.receiver.keys = tuple(
        derived_key(world.subscription, n, key=KEY) for n in channel.generations
    )


def expected(world: World) -> dict[str, list[int]]:
    """What must have arrived of every signal, by a plain reading of the filters.

    From the first revision that passes on, every one: the correction of what was seen above all.
    """
    wanted, due = world.subscription.filters, {}
    for alert in world.written:
        key = alert.signal_key
        passes = (
            (not wanted.kinds or alert.kind.value in wanted.kinds)
            and (not wanted.products or getattr(alert, "drug", None) in wanted.products)
            and (not wanted.urgent_only or alert.urgent)
        )
        if key in due or passes:
            due.setdefault(key, []).append(alert.revision)
    return due


def arrived(world: World) -> list[tuple[str, int]]:
    """Every alert as it came, those of a digest one by one."""
    found = []
    for message in world.receiver.messages:
        for alert in message.get("alerts", [message]):
            found.append((alert["signal_key"], alert["revision"]))
    return found


@settings(max_examples=120, deadline=None)
@given(ACTIONS, PLANS, FILTERS)
def test_who_saw_an_alert_gets_every_correction_of_it_in_order(
    actions: list[tuple[Any, ...]], plan: dict[str, Any], filters: Filters
) -> None:
    memory = Path("/dev/shm")  # crashes are of processes: what a disk loses is not tried here
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        subscription = Subscription(
            subscription_id="s",
            subscriber="PMDA",
            tier=Tier.AUTHORITY,
            channel=Webhook(url="https://receiver.example/hook"),
            filters=filters,
            **plan,
        )
        world = World(Path(folder) / "outbox.db", Receiver(), subscription)
        with world.opened() as (outbox, _):
            world.subscription = outbox.subscribe(subscription)  # with the salt of its keys
        renew_keys(world)
        for action in actions:
            act(world, action)
        world.settle()

        found, due = arrived(world), expected(world)
        for key, revisions in due.items():
            got = [revision for of, revision in found if of == key]
            assert list(dict.fromkeys(got)) == revisions  # first arrivals: all, and in order
            assert repeats_follow_at_once(world, key)
        assert {key for key, _ in found} == set(due)
        # What no budget may hold back was held back by none.
        for message in world.receiver.messages:
            if "digest_id" in message and message["because"] == HeldBack.OVERFLOW:
                for alert in message["alerts"]:
                    assert alert["kind"] not in CORRECTIONS
                    assert alert["urgent"] is False
        # The same id is the same message, at every attempt.
        assert all(len(bodies) == 1 for bodies in world.receiver.bodies.values())
        corrected = any(
            alert.kind.value in CORRECTIONS and alert.signal_key in due for alert in world.written
        )
        event(f"corrections: {corrected}")
        event(f"digests: {any('digest_id' in message for message in world.receiver.messages)}")


def repeats_follow_at_once(world: World, key: str) -> bool:
    """Whether a message that came again came before any later one of its signal."""
    names = [
        message.get("digest_id", message.get("alert_id"))
        for message in world.receiver.messages
        if key in [alert["signal_key"] for alert in message.get("alerts", [message])]
    ]
    once = [name for name, _ in groupby(names)]
    return len(once) == len(set(once))
