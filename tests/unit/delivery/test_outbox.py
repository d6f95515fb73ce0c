"""Delivery: what each tier sees, who is sent what, and that every correction arrives."""

import itertools
import json
import os
import sqlite3
import weakref
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from detectors.rules import load_rules
from schemas.alert import Alert, AlertKind, AlertReason, Counts, Statistics, Window, WindowKind
from schemas.errors import InputError, StateError
from schemas.notice import Patients
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from schemas.subscription import Filters, Subscription, Tier
from streams.delivery.api.read_model import ReadModel
from streams.delivery.matching import matches
from streams.delivery.outbox import Outbox, deliver
from streams.delivery.send_schedule import Attempt, SendOutcome
from streams.delivery.tiers import band, copy_for

KEY = b"k" * 32
SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
NOW = datetime(2024, 1, 1, tzinfo=UTC)
RULES = load_rules(["mhra"])


def signal(n=3, *, revision=1, drug="msc-supernatant-exosome", event="Sepsis", fatal=0):
    key = f"{drug}|{event}|cumulative"
    return Alert(
        alert_id=f"{key}-{revision}",
        signal_key=key,
        revision=revision,
        kind=AlertKind.NEW if revision == 1 else AlertKind.STRENGTHENED,
        reason="r",
        sentence=f"{n} cases",
        drug=drug,
        event=event,
        window=Window(
            kind=WindowKind.CUMULATIVE,
            label="cumulative",
            first_day=None,
            last_day=date(2024, 1, 1),
        ),
        evaluated_on=date(2024, 1, 1),
        counts=Counts(n_observed=n, n_drug=63, n_event=163, n_total=20063),
        statistics=Statistics(**dict.fromkeys(Statistics.model_fields, 1.25)),
        rules=(),
        rules_fired=("mhra",),
        rules_hash=RULES.rules_hash,
        previous=None,
        n_serious=n,
        n_fatal=fatal,
        n_paediatric=0,
        regions=(),
        reasons=(AlertReason.FIRST,),
        policy_hash="p",
        first_received=None,
        last_received=None,
        case_ids=tuple(f"NE-{i}" for i in range(n)),
        as_of=(),
        code_version="1",
    )


def safety(category=AlertCategory.LOT_CLUSTER, *, revision=1, subject="EX117", **fields):
    key = f"{category}|{subject}"
    return SafetyAlert(
        category=category,
        alert_id=f"{key}-{revision}",
        signal_key=key,
        revision=revision,
        kind=SafetyAlertKind.NEW if revision == 1 else SafetyAlertKind.UPDATE,
        urgent=True,
        reason="r",
        sentence="3 cases of sepsis",
        subject=subject,
        product_class="extracellular-vesicles",
        terms=("Sepsis",),
        families=("infection",),
        countries=("US",),
        case_ids=("NE-1", "NE-2"),
        lots=("EX117",),
        facilities=("C-A",),
        first_day=date(2019, 10, 7),
        evaluated_on=date(2019, 10, 9),
        as_of=(),
        code_version="1",
        **fields,
    )


def subscription(tier=Tier.AUTHORITY, name="s", **filters):
    return Subscription(
        subscription_id=name,
        subscriber="PMDA",
        tier=tier,
        filters=Filters(**filters),
        url="https://receiver.example/hook",
        secrets=("HOOK",),
    )


# Tiers


def test_no_name_of_a_unit_or_case_leaves_the_authority():
    for alert in (safety(), safety(AlertCategory.CASE_SERIES, subject="LC-0"), signal()):
        for tier in (Tier.PUBLIC, Tier.CONSUMER):
            text = json.dumps(copy_for(tier, alert, key=KEY))
            assert not any(word in text for word in ("EX117", "C-A", "NE-1"))
        assert "NE-1" in json.dumps(copy_for(Tier.AUTHORITY, alert, key=KEY))


def test_the_public_sees_no_day_and_no_number_that_follows_from_a_small_count():
    for alert in (signal(7, fatal=2), safety(patients=Patients(at_least=4), n_verified=3)):
        copy = copy_for(Tier.PUBLIC, alert, key=KEY)
        assert "2024-01-01" not in json.dumps(copy)
        assert "2019-10" not in json.dumps(copy).replace('"2019-10"', "")
        numbers = {k: v for k, v in copy.items() if isinstance(v, int | float)}
        assert set(numbers) <= {"revision", "fires", "urgent"}
        assert copy["caveat"]


def test_differencing_recovers_no_masked_count():
    """Brute force: whatever two revisions show, each masked count could have been any of ten."""
    histories = list(itertools.product(range(14), repeat=2))

    def shown(history):
        copies = [copy_for(Tier.PUBLIC, signal(n), key=KEY) for n in history]
        return json.dumps([{k: v for k, v in c.items() if k != "alert_id"} for c in copies])

    by_view = {}
    for history in histories:
        by_view.setdefault(shown(history), []).append(history)
    for same in by_view.values():
        for place in (0, 1):
            values = {history[place] for history in same}
            if any(1 <= value <= 10 for value in values):
                assert values == set(range(1, 11))
        if all(1 <= n <= 10 for n in same[0]):
            assert {b - a for a, b in same} == set(range(-9, 10))


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_bands_keep_the_order(a, b):
    def low(n):
        return int(band(n).replace(" or more", "").partition("-")[0])

    assert (a > b) <= (low(a) >= low(b))
    assert low(a) <= a


def test_a_lot_has_one_code_under_one_key_and_another_under_another():
    def code(key, lot="EX117"):
        return copy_for(Tier.CONSUMER, safety(subject=lot), key=key)["signal_key"]

    assert code(KEY) == code(KEY) != code(b"z" * 32)
    assert code(KEY) != code(KEY, "EX118")


# Matching


@pytest.mark.parametrize(
    ("filters", "alert", "expected"),
    [
        ({}, signal(), True),
        ({"categories": ("SDR",)}, signal(), True),
        ({"categories": ("LOT_CLUSTER",)}, signal(), False),
        ({"terms": ("SEPSIS",)}, signal(), True),
        ({"families": ("malignancy",)}, signal(), False),
        ({"families": ("infection",)}, signal(), True),
        ({"classes": ("msc-supernatant-exosome",)}, safety(), True),  # the class above
        ({"classes": ("cell-product",)}, safety(), False),
        ({"products": ("aspirin",)}, signal(), False),
        ({"jurisdictions": ("JP",)}, safety(), False),
        ({"jurisdictions": ("US",)}, safety(), True),
        ({"jurisdictions": ("JP",)}, signal(), True),  # a count says no country
        ({"rules": ("eb05",)}, signal(), False),
        ({"rules": ("mhra",)}, signal(), True),
        ({"windows": ("sliding-365d",)}, signal(), False),
        ({"kinds": ("new",)}, signal(revision=2), False),
        ({"urgent_only": True}, signal(), False),
        ({"urgent_only": True}, safety(), True),
    ],
)
def test_filters(filters, alert, expected):
    assert matches(subscription(**filters), alert, sent_before=False) is expected


def test_who_was_told_is_told_the_correction_whatever_the_filter_says():
    assert matches(subscription(kinds=("new",)), signal(revision=2), sent_before=True)


def test_a_clinic_is_for_authorities_only():
    clinic = safety(AlertCategory.FACILITY_CLUSTER, subject="C-A")
    for tier, expected in [(Tier.PUBLIC, False), (Tier.CONSUMER, False), (Tier.AUTHORITY, True)]:
        for told in (False, True):
            assert matches(subscription(tier), clinic, sent_before=told) is expected


# The outbox


class World:
    """A clock, a receiver that may fail, and an outbox between them."""

    def __init__(self, path=":memory:"):
        self.now = NOW
        self.outbox = Outbox(path, key=KEY)
        weakref.finalize(self, self.outbox.close)
        self.received = []
        self.answers = iter(())

    def send(self, due, now):
        outcome = next(self.answers, SendOutcome.DELIVERED)
        # A receiver may have taken an alert in although the sender saw a failure.
        if outcome is SendOutcome.DELIVERED or outcome == "lost answer":
            body = json.loads(due.body)
            self.received.append((body["signal_key"], body["revision"]))
        if outcome == "lost answer":
            outcome = SendOutcome.FAILED
        return Attempt(outcome, "x")

    def run_for(self, span):
        end = self.now + span
        while True:
            deliver(self.outbox, self.send, lambda: self.now)
            following = self.outbox.next_due()
            if following is None or following > end:
                self.now = end
                return
            self.now = max(self.now, following)


def test_an_alert_is_taken_in_once():
    world = World()
    world.outbox.subscribe(subscription())
    assert world.outbox.put(signal(), source="pv.alerts[0]", position=0, now=NOW) == 1
    assert world.outbox.put(signal(), source="pv.alerts[0]", position=0, now=NOW) == 0
    # Read again after a snapshot of the place was lost: the alert_id tells.
    assert world.outbox.put(signal(), source="another", position=0, now=NOW) == 0
    world.run_for(timedelta())
    assert world.received == [(signal().signal_key, 1)]


def test_a_receiver_that_is_down_for_a_day_gets_everything_in_order():
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
def test_who_gives_no_answer_for_days_rests_and_can_be_resumed(last):
    world = World()
    world.outbox.subscribe(subscription())
    world.outbox.put(signal(), source="a", position=0, now=NOW)
    tries = 10 if last is SendOutcome.FAILED else 1
    world.answers = iter([last] * tries)
    world.run_for(timedelta(days=10))
    (standing,) = world.outbox.standing()
    assert standing.resting is not None
    assert (standing.waiting, standing.delivered) == (1, 0)
    world.outbox.put(signal(revision=2), source="a", position=1, now=NOW)
    world.run_for(timedelta(days=10))
    assert world.received == []
    world.outbox.resume("s")
    world.run_for(timedelta())
    assert [revision for _, revision in world.received] == [1, 2]
    with pytest.raises(InputError, match="must be one that exists"):
        world.outbox.resume("nobody")


FATES = st.sampled_from([SendOutcome.DELIVERED, SendOutcome.FAILED, "lost answer"])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 20)), min_size=1, max_size=20),
    st.lists(FATES, max_size=60),
    st.lists(st.integers(0, 100_000), max_size=20),
)
def test_every_subscriber_gets_every_revision_in_order(history, fates, pauses):
    """Whatever fails and however often: nothing is left out, and nothing overtakes."""
    world = World()
    world.outbox.subscribe(subscription())
    world.outbox.subscribe(subscription(name="deaf", products=("none",)))
    world.answers = iter(fates)
    revisions = dict.fromkeys("AB", 0)
    pauses = iter(pauses)
    for position, (drug, n) in enumerate(history):
        revisions[drug] += 1
        alert = signal(n, revision=revisions[drug], drug=drug)
        world.outbox.put(alert, source="a", position=position, now=NOW)
        world.run_for(timedelta(seconds=next(pauses, 0)))
    for _ in range(8):
        world.run_for(timedelta(days=5))
        if world.outbox.standing()[-1].resting:
            world.outbox.resume("s")
    for drug, last in revisions.items():
        got = [revision for key, revision in world.received if key.startswith(f"{drug}|")]
        once = [revision for revision, _ in itertools.groupby(got)]
        assert once == list(range(1, last + 1))  # a repeat follows itself, and has the same id


def test_what_is_due_survives_a_crash_at_any_moment(tmp_path):
    path = tmp_path / "outbox.db"
    world = World(path)
    world.outbox.subscribe(subscription())
    world.outbox.put(signal(), source="a", position=0, now=NOW)
    world.outbox.put(signal(revision=2), source="a", position=1, now=NOW)

    def die(due, now):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(world.outbox, die, lambda: NOW)
    world.outbox.close()
    again = World(path)
    assert again.outbox.place("a") == 2
    again.run_for(timedelta())
    assert [revision for _, revision in again.received] == [1, 2]


def test_a_file_that_is_no_outbox_is_refused(tmp_path):
    path, other = strange_files(tmp_path)
    with pytest.raises(StateError, match="must be an outbox of Tocsin") as refusal:
        Outbox(path, key=KEY)
    with pytest.raises(StateError, match="must be of format 2; got 9") as another:
        Outbox(other, key=KEY)
    assert not is_open(path, refusal)
    assert not is_open(other, another)


def test_a_file_that_is_no_read_model_is_refused(tmp_path):
    path, other = strange_files(tmp_path)
    with pytest.raises(StateError, match="must be a read model of Tocsin") as refusal:
        ReadModel(path, key=KEY)
    with pytest.raises(StateError, match=r"must be of format \d+; got 9: delete it") as another:
        ReadModel(other, key=KEY)
    assert not is_open(path, refusal)
    assert not is_open(other, another)


def strange_files(folder):
    """A file that is no database, and a database of a format that nobody knows."""
    path, other = folder / "text.db", folder / "other.db"
    path.write_bytes(b"not a database at all" * 100)
    with closing(sqlite3.connect(other)) as db:
        db.execute("PRAGMA user_version = 9")
    return path, other


def is_open(path, refusal):
    """Whether this process has the file open, the refusal and all it refers to being alive."""
    assert refusal.value.__traceback__ is not None
    return any(os.path.realpath(each) == str(path) for each in Path("/proc/self/fd").iterdir())


def test_a_subscription_without_a_key_or_with_a_strange_address_is_refused():
    whole = subscription().model_dump()
    for change in ({"secrets": ()}, {"url": "ftp://x"}, {"subscription_id": "a b"}):
        with pytest.raises(ValidationError):
            Subscription.model_validate({**whole, **change})
