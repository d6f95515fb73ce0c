"""Clusters of the same cases are one alert: amplification by reports that name many lots."""

from collections.abc import Iterable
from datetime import date, timedelta

import pytest

from schemas.safety_alert import SafetyAlert, SafetyAlertKind
from schemas.subscription import Tier
from streams.core.cases.domain_case import DomainCase, encode_domain_case
from streams.core.safety.monitor import SafetyMonitor
from streams.core.safety.same_cases import MOST_UNITS
from streams.delivery.tiers import copy_for
from tests.support.safety_histories import FIRST, make_case

LOTS = [f"LOT{n:04}" for n in range(1000)]


class Stage:
    """A monitor with its day; each step is one evaluation."""

    def __init__(self) -> None:
        self.monitor = SafetyMonitor()
        self.day: date = FIRST
        self.held: dict[str, DomainCase] = {}

    def step(self, *, gone: Iterable[str] = (), **lots: list[str]) -> dict[str, SafetyAlert]:
        """Replace cases by others with these lots; return the revisions by subject."""
        changes: list[tuple[DomainCase, int]] = []
        for case_id in (*gone, *lots):
            if case_id in self.held:
                changes.append((self.held.pop(case_id), -1))
        for case_id, of_case in lots.items():
            self.held[case_id] = make_case(case_id, lots=of_case)
            changes.append((self.held[case_id], 1))
        self.monitor.count((encode_domain_case(case), n) for case, n in changes)
        self.day += timedelta(days=1)
        return {alert.subject: alert for alert in self.monitor.evaluate(self.day, ())}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_two_reports_of_a_thousand_lots_are_one_alert(stage: Stage) -> None:
    """Before: 1,000 urgent alerts. After: one, which names the first lots and how many more."""
    made = stage.step(a=LOTS, b=LOTS)
    (alert,) = made.values()
    assert (alert.subject, alert.urgent) == ("LOT0000", True)
    assert alert.same_cases == tuple(LOTS[1 : MOST_UNITS + 1])
    assert alert.n_same_cases == 999
    assert alert.lots == tuple(LOTS)
    assert "999 other units: LOT0001, LOT0002" in alert.sentence
    assert len(alert.model_dump_json()) < 20_000


def test_pairs_of_reports_make_an_alert_a_pair(stage: Stage) -> None:
    """Ten pairs, each of the same 100 lots of its own: ten alerts, not 1,000."""
    pairs = {
        f"{n}{which}": LOTS[n * 100 : n * 100 + 100] for n in range(10) for which in ("a", "b")
    }
    made = stage.step(**pairs)
    assert sorted(made) == [LOTS[n * 100] for n in range(10)]
    assert sum(len(alert.model_dump_json()) for alert in made.values()) < 40_000


def test_a_case_that_splits_the_sets_begins_one_alert_and_ends_it_again(stage: Stage) -> None:
    stage.step(a=LOTS[:5], b=LOTS[:5])
    split = stage.step(c=[LOTS[3]])
    assert split[LOTS[3]].kind is SafetyAlertKind.NEW
    assert split[LOTS[3]].case_ids == ("a", "b", "c")
    assert split[LOTS[3]].n_same_cases == 0
    assert split[LOTS[0]].kind is SafetyAlertKind.UPDATE
    assert split[LOTS[0]].same_cases == (LOTS[1], LOTS[2], LOTS[4])
    joined = stage.step(gone=["c"])
    # An open alert keeps its identity, although its cases are those of another one again.
    assert joined[LOTS[3]].kind is SafetyAlertKind.WEAKENED
    assert joined[LOTS[0]].n_same_cases == joined[LOTS[3]].n_same_cases == 4
    ended = stage.step(gone=["a"])
    assert {alert.kind for alert in ended.values()} == {SafetyAlertKind.RETRACTION}
    assert sorted(ended) == [LOTS[0], LOTS[3]]
    again = stage.step(a=LOTS[:5])
    assert {name: alert.kind for name, alert in again.items()} == {
        LOTS[0]: SafetyAlertKind.STRENGTHENED
    }


def test_a_lot_with_an_earlier_name_does_not_take_the_alert_over(stage: Stage) -> None:
    stage.step(a=LOTS[5:8], b=LOTS[5:8])
    wider = stage.step(a=LOTS[:8], b=LOTS[:8])
    assert sorted(wider) == [LOTS[5]]
    assert wider[LOTS[5]].same_cases == (*LOTS[:5], *LOTS[6:8])
    other = stage.step(a=LOTS[:3], b=LOTS[:3])
    assert {name: alert.kind for name, alert in other.items()} == {
        LOTS[0]: SafetyAlertKind.NEW,
        LOTS[5]: SafetyAlertKind.RETRACTION,
    }


def test_a_restart_and_a_recount_of_one_alert_find_the_same(stage: Stage) -> None:
    first = stage.step(a=LOTS[5:8], b=LOTS[5:8])
    second = stage.step(a=LOTS[:8], b=LOTS[:8])
    fresh = SafetyMonitor()
    fresh.restore(first.values())
    fresh.count((encode_domain_case(case), 1) for case in stage.held.values())
    assert fresh.evaluate(stage.day, ()) == list(second.values())
    assert fresh.evaluate(stage.day, ()) == []


def test_a_consumer_sees_no_other_lots(stage: Stage) -> None:
    stage.step(a=LOTS[:5], b=LOTS[:5])
    split = stage.step(c=[LOTS[3]])
    assert "LOT0" not in str(copy_for(Tier.CONSUMER, split[LOTS[0]], key=b"k" * 16))
