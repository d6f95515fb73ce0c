"""The frame follows the read model: at most once a second, the latest revision of each signal."""

import polars as pl
import pytest

from schemas.decision import Decision, SignalState
from schemas.subscription import Tier
from streams.console.worklist.live_signals import REFRESH_SECONDS, LiveSignals
from streams.delivery.api.service import Service
from tests.support.api_server import NOW
from tests.support.many_signals import many_signals, next_revision, store

COPIES = list(many_signals(300))


class Seconds:
    """A monotonic clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def live(service: Service, seconds: Seconds) -> LiveSignals:
    return LiveSignals(service, Tier.AUTHORITY, seconds)


def test_every_signal_has_its_latest_revision(service: Service, live: LiveSignals) -> None:
    with service.model() as model:
        store(model, [next_revision(COPIES[5], number) for number in (1, 2)])
    frame = live.now().frame
    assert len(frame) == len(COPIES)
    assert frame["key"].n_unique() == len(COPIES)
    (revision,) = frame.filter(pl.col("key") == COPIES[5]["signal_key"])["revision"]
    assert revision == 3


def test_it_reads_once_a_second_and_only_what_is_new(
    service: Service, live: LiveSignals, seconds: Seconds
) -> None:
    before = live.now()
    with service.model() as model:
        store(model, [next_revision(COPIES[5], 1)])
    seconds.now += REFRESH_SECONDS / 2
    assert live.now() is before
    seconds.now += REFRESH_SECONDS / 2
    after = live.now()
    assert (after.position, after.version) == (before.position + 1, before.version + 1)
    (revision,) = after.frame.filter(pl.col("key") == COPIES[5]["signal_key"])["revision"]
    assert revision == 2
    assert len(after.frame) == len(before.frame)
    seconds.now += REFRESH_SECONDS
    assert live.now() is after


def test_kept_up_it_equals_what_is_read_at_once(service: Service, seconds: Seconds) -> None:
    kept = LiveSignals(service, Tier.AUTHORITY, seconds)
    for number in range(1, 4):
        kept.now()
        changed = [
            next_revision(copy, number) | {"case_ids": copy["case_ids"][number:]}
            for copy in COPIES[number * 7 : number * 7 + 20]
        ]
        with service.model() as model:
            store(model, changed)
        seconds.now += REFRESH_SECONDS
    now, fresh = kept.now(), LiveSignals(service, Tier.AUTHORITY, seconds).now()
    assert now.frame.sort("key").equals(fresh.frame.sort("key"))
    order = ["key", "leader"]
    assert now.kin.sort(order).equals(fresh.kin.sort(order))
    assert len(now.kin) > 20
    assert now.strength.equals(fresh.strength)


def test_a_tier_reads_its_own_copies(service: Service) -> None:
    assert LiveSignals(service, Tier.CONSUMER).now().frame.is_empty()


def test_a_decision_is_seen_without_a_new_revision(
    service: Service, live: LiveSignals, seconds: Seconds
) -> None:
    before = live.now()
    key = COPIES[3]["signal_key"]
    step = Decision(signal_key=key, to=SignalState.UNDER_TRIAGE, by="Okafor", assignee="Sato")
    service.audit.decide(step, NOW)
    seconds.now += REFRESH_SECONDS
    after = live.now()
    assert after.version == before.version + 1
    assert after.decided.select("key", "state", "assignee").rows() == [
        (key, "under_triage", "Sato")
    ]
