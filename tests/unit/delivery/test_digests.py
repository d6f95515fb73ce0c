"""Digests, budgets and urgent alerts: held messages, exemptions, and the order of delivery."""

import json
import sqlite3
import weakref
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from schemas.alert import AlertKind
from schemas.digest import Digest
from schemas.safety_alert import SafetyAlertKind
from schemas.subscription import DigestPeriod, Stream, Subscription, Tier, Webhook
from streams.delivery.channels import deliver
from streams.delivery.digests import MOST_ALERTS, markdown_of
from streams.delivery.outbox import Outbox
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.tiers import copy_for
from tests.support.alerts import KEY, NOW, safety, signal, subscription
from tests.support.rules_changes import changed

DAY = timedelta(days=1)


class Reader:
    """An outbox, a clock, and a receiver with scripted answers that records its messages."""

    def __init__(self, path=":memory:", **fields):
        self.now, self.fails, self.position = NOW, False, 0
        self.outbox = Outbox(path, key=KEY)
        weakref.finalize(self, self.outbox.close)
        self.messages = []
        self.outbox.subscribe(subscription().model_copy(update=fields))

    def put(self, *alerts):
        for alert in alerts:
            self.outbox.put(alert, source="a", position=self.position, now=self.now)
            self.position += 1
        return self

    def send(self, due, now):
        if self.fails:
            return Attempt(SendOutcome.FAILED, "x")
        self.messages.append(json.loads(due.body))
        return Attempt(SendOutcome.DELIVERED, "x")

    def deliver(self, after=timedelta()):
        self.now += after
        before = len(self.messages)
        deliver(self.outbox, self.send, lambda: self.now)
        return [said(message) for message in self.messages[before:]]


def said(message):
    """Summarise an alert as product or category and revision, a digest as their list."""
    if "digest_id" in message:
        Digest.model_validate_json(json.dumps(message))  # follows its schema
        return [said(alert) for alert in message["alerts"]]
    return message.get("category", message.get("drug")), message["revision"]


def revised(alert, kind):
    return alert.model_copy(update={"kind": kind})


def test_a_digest_is_one_message_at_midnight_with_the_held_alerts():
    reader = Reader(digest=DigestPeriod.DAILY).put(signal(drug="A"), signal(drug="B"))
    assert reader.deliver() == []
    assert reader.outbox.statuses()[0].held == 2
    assert reader.deliver(DAY - timedelta(seconds=1)) == []
    assert reader.outbox.next_due() == NOW + DAY
    assert reader.deliver(timedelta(seconds=1)) == [[("A", 1), ("B", 1)]]
    assert reader.deliver(DAY) == []  # no empty digest
    (status,) = reader.outbox.statuses()
    assert (status.waiting, status.held, status.delivered) == (0, 0, 2)
    (digest,) = reader.messages
    assert digest["sentence"] == "2 alerts since the last digest: 2 SDR alarm new."
    assert digest["alert_ids"] == [alert["alert_id"] for alert in digest["alerts"]]


def test_a_weekly_digest_is_sent_on_mondays():
    reader = Reader(digest=DigestPeriod.WEEKLY)  # NOW is a Monday
    reader.put(signal(drug="A"))
    assert reader.deliver(6 * DAY) == []
    reader.put(signal(drug="B"))
    assert reader.deliver(DAY) == [[("A", 1), ("B", 1)]]


def test_a_digest_is_the_same_message_at_every_attempt():
    reader = Reader(digest=DigestPeriod.DAILY).put(signal(drug="A"))
    reader.fails, sent = True, []

    def failing(due, now):
        sent.append((due.alert_id, due.body))
        return Attempt(SendOutcome.FAILED, "x")

    for _ in range(3):
        reader.now += DAY
        reader.put(signal(drug="A", revision=reader.position + 1))
        deliver(reader.outbox, failing, lambda: reader.now)
    assert len(sent) == 3
    assert len(set(sent)) == 1


def test_urgent_alerts_and_their_corrections_bypass_the_digest():
    reader = Reader(digest=DigestPeriod.DAILY)
    reader.put(signal(drug="A"), safety())
    assert reader.deliver() == [("LOT_CLUSTER", 1)]
    calmer = safety(revision=2).model_copy(
        update={"urgent": False, "kind": SafetyAlertKind.RETRACTION}
    )
    reader.put(calmer)
    assert reader.deliver() == [("LOT_CLUSTER", 2)]
    assert reader.deliver(DAY) == [[("A", 1)]]


def test_an_urgent_alert_is_sent_before_pending_alerts_after_an_outage():
    reader = Reader()
    reader.fails = True
    reader.put(signal(drug="A"), signal(drug="B"))
    assert reader.deliver() == []
    reader.put(safety())
    reader.fails = False
    assert reader.deliver(DAY) == [("LOT_CLUSTER", 1), ("A", 1), ("B", 1)]


def test_pending_revisions_of_a_signal_are_sent_before_its_urgent_revision():
    quiet = safety().model_copy(update={"urgent": False})
    reader = Reader(digest=DigestPeriod.DAILY).put(quiet, signal(drug="A"), safety(revision=2))
    assert reader.deliver() == [("LOT_CLUSTER", 1), ("LOT_CLUSTER", 2)]
    assert reader.deliver(DAY) == [[("A", 1)]]


def test_a_pending_digest_is_sent_before_an_urgent_revision_of_its_signals():
    """Otherwise revisions arrive out of order; messages before that digest also stay before it."""
    quiet = safety().model_copy(update={"urgent": False})
    reader = Reader(digest=DigestPeriod.DAILY)
    reader.fails = True
    reader.put(signal(drug="A"))
    reader.deliver(DAY)
    reader.put(signal(drug="A", revision=2), quiet)
    reader.deliver(DAY)
    reader.put(signal(drug="B"))
    reader.deliver(DAY)  # three digests are pending
    reader.put(safety(revision=2))
    reader.fails = False
    assert reader.deliver(DAY) == [
        [("A", 1)],
        [("A", 2), ("LOT_CLUSTER", 1)],
        ("LOT_CLUSTER", 2),
        [("B", 1)],
    ]


def test_alerts_beyond_the_budget_are_held_for_a_digest_that_lists_them():
    reader = Reader(budget_per_day=2)
    reader.put(*(signal(drug=drug) for drug in "ABCDE"))
    assert reader.deliver() == [("A", 1), ("B", 1)]
    reader.put(safety(), revised(signal(drug="A", revision=2), AlertKind.WEAKENED))
    assert reader.deliver() == [("LOT_CLUSTER", 1), ("A", 2)]  # exempt from the budget
    assert reader.deliver(DAY) == [[("C", 1), ("D", 1), ("E", 1)]]
    report = reader.messages[-1]
    assert report["because"] == "overflow"
    assert report["n_alerts"] == 3
    assert report["alert_ids"] == [signal(drug=drug).alert_id for drug in "CDE"]
    assert report["sentence"].startswith("3 alerts beyond the budget of the day")
    reader.put(signal(drug="F"))
    assert reader.deliver() == [("F", 1)]  # another day, another budget


@pytest.mark.parametrize("kind", ["weakened", "update", "retraction", "closed"])
def test_a_correction_releases_the_held_alerts_of_its_signal(kind):
    reader = Reader(budget_per_day=1).put(signal(drug="A"), signal(drug="B"))
    assert reader.deliver() == [("A", 1)]
    reader.put(revised(signal(drug="B", revision=2), AlertKind(kind)))
    assert reader.deliver() == [("B", 1), ("B", 2)]
    assert reader.deliver(DAY) == []


def test_a_budget_counts_all_subscriptions_of_a_subscriber():
    reader = Reader(budget_per_day=2, subscriber="PMDA")
    other = subscription(name="t", products=("A",))
    reader.outbox.subscribe(other.model_copy(update={"budget_per_day": 2}))
    reader.put(signal(drug="A"), signal(drug="B"), signal(drug="C"))
    assert sorted(reader.deliver()) == [("A", 1), ("A", 1)]
    assert reader.deliver(DAY) == [[("B", 1), ("C", 1)]]


def test_a_digest_over_the_maximum_is_split_in_order():
    reader = Reader(digest=DigestPeriod.DAILY)
    reader.put(*(signal(revision=n) for n in range(1, MOST_ALERTS + 2)))
    long, short = reader.deliver(DAY)
    assert len(long) == MOST_ALERTS
    assert short == [(signal().drug, MOST_ALERTS + 1)]


def test_held_alerts_survive_a_changed_subscription_in_order():
    reader = Reader(digest=DigestPeriod.WEEKLY).put(signal(drug="A"))
    reader.outbox.subscribe(subscription())  # without a digest
    reader.put(signal(drug="A", revision=2))
    assert reader.deliver() == [("A", 1), ("A", 2)]


def test_a_resumed_subscription_gets_the_alerts_of_its_pause():
    reader = Reader(digest=DigestPeriod.DAILY).put(signal(drug="A"), safety())
    reader.outbox.pause("s", "paused")
    assert reader.deliver(3 * DAY) == []
    assert reader.outbox.next_due() is None
    reader.outbox.resume("s")
    assert reader.deliver() == [("LOT_CLUSTER", 1), [("A", 1)]]


def test_unsubscribing_deletes_the_due_messages():
    reader = Reader().put(signal())
    reader.outbox.unsubscribe("s")
    assert reader.deliver() == []
    assert reader.outbox.statuses() == []
    reader.outbox.subscribe(subscription())
    assert reader.deliver() == []


def test_a_stream_can_be_read_again_from_any_message():
    reader = Reader(channel=Stream(), url=None, secrets=())
    reader.put(signal(drug="A"), safety(), signal(drug="B"))
    assert reader.deliver() == []  # a stream is read, not sent
    ids = [name for name, _ in reader.outbox.streamed("s", None, NOW)]
    assert ids == [signal(drug="A").alert_id, safety().alert_id, signal(drug="B").alert_id]
    for n, name in enumerate(ids):
        assert [i for i, _ in reader.outbox.streamed("s", name, NOW)] == ids[n + 1 :]
    assert [i for i, _ in reader.outbox.streamed("s", "unknown", NOW)] == ids
    assert reader.outbox.statuses()[0].delivered == 3
    assert reader.outbox.next_due() is None


def test_an_alert_stands_under_its_headline_with_its_next_step():
    alert = {
        "alert_id": "a1", "category": "LOT_CLUSTER", "kind": "new", "headline": "Sepsis, lot L1",
        "sentence": "Sepsis, lot L1. 2 of 2 serious.", "caveat": "But.", "duty": ["None. Why."],
        "next_step": "Request samples.",
    }  # fmt: skip
    assert markdown_of(alert) == (
        "# Sepsis, lot L1\n\nLOT\\_CLUSTER new. 2 of 2 serious.\n\nNone. Why.\n\n"
        "Request samples.\n\n*But.* `a1`\n"
    )
    whole = {"digest_id": "d", "sentence": "1 alert.", "alerts": [alert]}
    assert "\n\n## Sepsis, lot L1\n\nLOT" in markdown_of(whole)


def test_an_outbox_of_the_first_format_is_upgraded(tmp_path):
    """The format before channels, digests and budgets keeps its due messages."""
    old = {
        "schema_version": "1.0", "subscription_id": "s", "subscriber": "PMDA",
        "tier": "authority", "filters": {}, "url": "https://receiver.example/hook",
        "secrets": ["HOOK"],
    }  # fmt: skip
    path = tmp_path / "outbox.db"
    with sqlite3.connect(path) as db:
        db.executescript("""
        CREATE TABLE subscription (id TEXT PRIMARY KEY, body TEXT NOT NULL, resting TEXT,
            failures INTEGER NOT NULL DEFAULT 0, next_at REAL);
        CREATE TABLE told (subscription TEXT NOT NULL, signal TEXT NOT NULL,
            PRIMARY KEY (subscription, signal)) WITHOUT ROWID;
        CREATE TABLE due (number INTEGER PRIMARY KEY AUTOINCREMENT, subscription TEXT NOT NULL,
            signal TEXT NOT NULL, alert_id TEXT NOT NULL, body TEXT NOT NULL, delivered_at REAL,
            UNIQUE (subscription, alert_id));
        CREATE INDEX due_next ON due (subscription, delivered_at, number);
        CREATE TABLE place (source TEXT PRIMARY KEY, next INTEGER NOT NULL);
        INSERT INTO place VALUES ('a', 3);
        PRAGMA user_version = 1;
        """)
        db.execute("INSERT INTO subscription (id, body) VALUES ('s', ?)", (json.dumps(old),))
        for revision in (1, 2):
            one = signal(drug="A", revision=revision)
            db.execute(
                "INSERT INTO due (subscription, signal, alert_id, body) VALUES ('s', ?, ?, ?)",
                (one.signal_key, one.alert_id, one.model_dump_json()),
            )
    db.close()
    outbox = Outbox(path, key=KEY)
    assert outbox.place("a") == 3
    (status,) = outbox.statuses()
    assert status.subscription.goes_to == Webhook(
        url="https://receiver.example/hook", secrets=("HOOK",)
    )
    sent = []
    deliver(
        outbox,
        lambda due, now: (
            sent.append(said(json.loads(due.body))) or Attempt(SendOutcome.DELIVERED, "")
        ),
        lambda: datetime(2024, 1, 1, tzinfo=UTC),
    )
    assert sent == [("A", 1), ("A", 2)]
    outbox.close()
    assert path.stat().st_mode & 0o077 == 0


def test_an_outbox_of_the_format_before_public_revisions_is_upgraded(tmp_path):
    """Its signals get the keys of the copies, and the public's are followed from their numbers."""
    path, lot = tmp_path / "outbox.db", safety()
    names = {tier: copy_for(Tier.CONSUMER, lot, key=KEY)["signal_key"] for tier in Tier}
    names[Tier.AUTHORITY] = lot.signal_key
    Outbox(path, key=KEY).close()
    with sqlite3.connect(path) as db:
        db.executescript(
            "DROP TABLE public_series; DROP TABLE public_part; "
            "ALTER TABLE subscription DROP COLUMN made_by; PRAGMA user_version=2"
        )
        for tier in Tier:
            body = subscription(tier, str(tier), kinds=("new",)).model_dump_json()
            db.execute("INSERT INTO subscription (id, body) VALUES (?, ?)", (tier, body))
            copy = {"signal_key": names[tier], "alert_id": "a", "revision": 6}
            db.execute(
                "INSERT INTO due (subscription, signal, alert_id, body, delivered_at) "
                "VALUES (?, ?, 'a', ?, 1)",
                (tier, lot.signal_key, json.dumps(copy)),
            )
            db.execute("INSERT INTO told VALUES (?, ?, 1)", (tier, lot.signal_key))
    db.close()
    with Outbox(path, key=KEY) as outbox:
        later = safety(revision=7)
        assert outbox.put(later, source="a", position=0, now=NOW) == 3
        bodies = [json.loads(due.body) for due in outbox.due(NOW)]
        assert {body["signal_key"] for body in bodies} == set(names.values())
        public = next(body for body in bodies if "tier" in body)
        assert (public["revision"], public["kind"]) == (7, "update")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"url": "https://x.example/"},
        {"channel": Stream(), "url": "https://x.example/", "secrets": ("HOOK",)},
        {"channel": Stream(), "digest": DigestPeriod.DAILY, "budget_per_day": 3},
    ],
)
def test_a_subscription_has_one_channel(fields):
    with pytest.raises(ValidationError):
        Subscription(subscription_id="s", subscriber="PMDA", tier=Tier.PUBLIC, **fields)


def test_a_change_of_rules_is_a_page_of_its_own() -> None:
    change = changed()
    page = markdown_of(json.loads(change.model_dump_json()))
    assert page.startswith("# Rules changed\n\nThe rules that signals are made with changed")
    assert page.endswith(f"`{change.change_id}`\n")
