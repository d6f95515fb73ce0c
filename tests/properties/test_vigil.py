"""The anytime-valid test in the stream: after any history, what plain arithmetic gives.

The oracle is dictionaries of cases and exact fractions; it shares no line with the stages.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from math import fsum

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from tests.support.deltas import case_change, make_delta
from tests.support.exact_e_values import (
    DRUGS,
    EVENTS,
    Case,
    exact_blocked,
    exact_e_values,
    recomputed_e_values,
)

EPOCH = date(1970, 1, 1)
FIRST = 19_720  # 2023-12-29
WINDOWS = ("cumulative", "sliding:2")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """The safe rule, and one that fires for every pair with a case, so that all are published."""
    path = tmp_path_factory.mktemp("rules") / "any.toml"
    path.write_text(
        'any_case = { title = "any", source = "test", '
        'all = [{ statistic = "n_observed", op = ">=", value = 1 }] }\n'
        'blocked = { title = "blocked", source = "test", '
        'all = [{ statistic = "e_value_blocked", op = ">=", value = 2 }] }',
        encoding="utf-8",
    )
    return load_rules([path, "safe"])


# --- the world: a detector and, beside it, what is true ---


@dataclass
class World:
    rules: RuleSet
    by_sex: bool = False
    cases: dict[str, Case] = field(default_factory=dict)
    today: int = FIRST
    offset: int = 0
    closed: int | None = None  # last day that the test has counted
    corrected: bool | None = False  # None: a restart forgot it
    fired: set[bool] = field(default_factory=set)  # what the safe rule said of any pair

    def __post_init__(self) -> None:
        self.detector = self._new()

    def _new(self) -> Detector:
        return Detector(
            [WindowSpec.parse(window) for window in WINDOWS],
            self.rules,
            test_by_sex=self.by_sex,
        )

    def tell(self, changes: dict[str, Case | None]) -> None:
        """Send new contents of cases, `None` for a nullified one, as one delta."""
        rows: list[tuple[Case, str, int]] = []
        for case_id, new in changes.items():
            old = self.cases.pop(case_id, None)
            if new is not None:
                self.cases[case_id] = new
            if old != new:
                rows += [(case, case_id, n) for case, n in ((old, -1), (new, 1)) if case]
        net: Counter[tuple[object, ...]] = Counter()
        for case, _, n in rows:
            sex = case.sex if self.by_sex else ""
            net[case.day, case.drugs, case.events, case.age, case.sender, sex] += n
        if self.closed is not None and any(n and key[0] <= self.closed for key, n in net.items()):  # type: ignore[operator]
            self.corrected = True
        sent = [
            case_change(
                case_id,
                day=EPOCH + timedelta(days=case.day),
                serious=case.serious,
                drugs=list(case.drugs),
                events=list(case.events),
                age_group="adult" if case.age == 30 else "unknown",
                age_years=case.age,
                sex=case.sex,
                origin=f"\x1f\x1f{case.sender}",
                n=n,
            )
            for case, case_id, n in rows
        ]
        delta = make_delta(self.offset, sent, next_offset=self.offset + 1, watermark=self.today)
        self.detector.apply(delta)
        self.offset += 1

    def restart(self) -> None:
        again = self._new()
        again.restore(*self.detector.snapshot())
        again.settle()
        self.detector = again

    def look(self, *, touched_only: bool, day_over: bool) -> list[Alert]:
        """Evaluate as if nothing had been published, so that every evaluated pair is published."""
        self.detector.signals.clear()
        through = self.today if day_over else self.today - 1
        self.closed = through if self.closed is None else max(self.closed, through)
        alerts = self.detector.evaluate(self.today, touched_only=touched_only, day_over=day_over)
        self._check(alerts)
        return alerts

    def _check(self, alerts: Iterable[Alert]) -> None:
        assert self.closed is not None
        past = [case for case in self.cases.values() if case.day <= self.closed]
        exact, batch = exact_e_values(past), recomputed_e_values(past)
        blocked = exact_blocked(past, by_sex=self.by_sex)
        assert exact.keys() == batch.keys()
        for alert in alerts:
            pair = alert.drug, alert.event
            found = alert.statistics.e_value, alert.statistics.e_bh_level
            if self.corrected is not None:
                assert alert.test_recomputed is self.corrected
            within = alert.statistics.e_value_blocked, alert.statistics.e_bh_level_blocked
            if alert.window.label != "cumulative" or pair not in exact:
                assert found == within == (None, None)
                assert "safe" not in alert.rules_fired
                continue
            assert found == pytest.approx(batch[pair], rel=1e-12)
            assert found == pytest.approx(tuple(map(float, exact[pair])), rel=1e-9)
            assert within == pytest.approx(tuple(map(float, blocked[pair])), rel=1e-9)
            assert ("blocked" in alert.rules_fired) is (blocked[pair][0] >= 2)
            assert found[1] is not None
            assert ("safe" in alert.rules_fired) is (found[1] <= 0.05)
            assert ("safe" in alert.rules_fired) is (exact[pair][1] <= Fraction(1, 20))
            self.fired.add("safe" in alert.rules_fired)


def _some(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).map(
        lambda chosen: tuple(sorted(chosen))
    )


BACK = st.sampled_from([0, 0, 0, 1, 2, 5])  # days late
AGE, SENDER = st.sampled_from([-1.0, 0.2, 30.0]), st.sampled_from("AB")
SEX = st.sampled_from(["male", "female"])
CASE = st.builds(Case, BACK, _some(DRUGS), _some(EVENTS), st.booleans(), AGE, SENDER, SEX)
CHANGES = st.dictionaries(
    st.sampled_from("ABCDEFG"), st.one_of(CASE, CASE, CASE, st.none()), min_size=1, max_size=5
)
BURST = st.tuples(st.integers(1, 3), st.integers(5, 25))
STEP = st.one_of(
    st.tuples(st.just("tell"), CHANGES),
    st.tuples(st.just("tell"), CHANGES),
    st.tuples(st.just("burst"), BURST),
    st.tuples(st.just("burst"), BURST),
    st.tuples(st.just("days"), st.integers(1, 3)),
    st.tuples(st.just("look"), st.tuples(st.booleans(), st.booleans())),
    st.tuples(st.just("look"), st.tuples(st.just(False), st.just(True))),
    st.tuples(st.just("seriousness"), st.sampled_from("ABCDEFG")),
    st.tuples(st.just("restart"), st.none()),
)


def _burst(world: World, of_pair: int, others: int) -> None:
    """Some cases of one pair among many of another: what makes the test cross."""
    pair = Case(world.today, ("zinc",), ("rash",))
    other = Case(world.today, ("aspirin",), ("nausea",))
    start = len(world.cases)
    names = [f"burst {world.offset} {start + at}" for at in range(of_pair + others)]
    world.tell({name: pair if at < of_pair else other for at, name in enumerate(names)})


@settings(deadline=None, max_examples=80)
@given(steps=st.lists(STEP, min_size=3, max_size=25), by_sex=st.booleans())
def test_the_test_in_the_stream_is_plain_arithmetic(
    rules: RuleSet, steps: list[tuple[str, object]], *, by_sex: bool
) -> None:
    world = World(rules, by_sex)
    for step, argument in steps:
        match step, argument:
            case "tell", dict(changes):
                world.tell(
                    {
                        name: new and replace(new, day=world.today - new.day, serious=False)
                        for name, new in changes.items()
                    }
                )
            case "burst", (int(of_pair), int(others)):
                _burst(world, of_pair, others)
            case "days", int(days):
                world.today += days
            case "look", (bool(touched_only), bool(day_over)):
                world.look(touched_only=touched_only, day_over=day_over)
            case "seriousness", str(name):
                if old := world.cases.get(name):
                    new = replace(old, serious=not old.serious)
                    world.tell({name: new})
            case "restart", None:
                world.restart()
    # At the end every pair is looked at, whether something touched it or not.
    world.today += 1
    world.tell({"last": Case(world.today, ("iron",), ("stroke",))})
    alerts = world.look(touched_only=False, day_over=True)
    told = {(alert.drug, alert.event) for alert in alerts if alert.window.label == "cumulative"}
    assert told == {
        (d, e) for case in world.cases.values() for d in case.drugs for e in case.events
    }
    for alert in alerts:
        if alert.window.label == "cumulative":
            assert alert.statistics.e_value is not None
    event(f"safe said {sorted(world.fired)}, a correction: {world.corrected}")


# --- the same on hand-made histories, by name ---


def _days(world: World, number: int, of_pair: int = 2, others: int = 18) -> None:
    for _ in range(number):
        world.today += 1
        _burst(world, of_pair, others)
        world.look(touched_only=False, day_over=True)


def _of_zinc(alerts: Iterable[Alert], window: str = "cumulative") -> Alert:
    (alert,) = [alert for alert in alerts if (alert.drug, alert.window.label) == ("zinc", window)]
    return alert


def test_by_hand(rules: RuleSet) -> None:
    """A day of 20 cases, two of the pair: for r = 10 it gives 100 / (1 + 9 x 2/20)^2 = 27.7."""
    world = World(rules)
    _burst(world, 2, 18)
    alert = _of_zinc(world.look(touched_only=False, day_over=True))
    factors = [r**2 / (1 + (r - 1) * 2 / 20) ** 2 for r in (1.5, 2, 3, 5, 10)]
    assert alert.statistics.e_value == pytest.approx(fsum(factors) / 5, rel=1e-12)
    # Two drugs by two events; the other pair has 18 of 20 on both sides and an e-value near 1.
    assert alert.statistics.e_bh_level == pytest.approx(4 / (fsum(factors) / 5), rel=1e-12)
    assert alert.rules_fired == ("any_case",)


def test_it_fires_once_the_days_add_up(rules: RuleSet) -> None:
    world = World(rules)
    _days(world, 2)
    world.tell({"more": Case(world.today, ("zinc",), ("rash",))})
    alert = _of_zinc(world.look(touched_only=True, day_over=True))
    assert alert.rules_fired == ("any_case", "blocked", "safe")
    # To the blocked test the alike reports of a day are one: on either day 1 of 2.
    factors = [(r / (1 + (r - 1) / 2)) ** 2 for r in (1.5, 2, 3, 5, 10)]
    assert alert.statistics.e_value_blocked == pytest.approx(fsum(factors) / 5, rel=1e-12)
    assert alert.test_recomputed is True


def test_a_day_that_is_not_over_is_not_taken_in(rules: RuleSet) -> None:
    world = World(rules)
    _burst(world, 2, 18)
    alert = _of_zinc(world.look(touched_only=False, day_over=False))
    assert (alert.statistics.e_value, alert.statistics.e_bh_level) == (None, None)
    world.today += 1
    _burst(world, 3, 0)
    alert = _of_zinc(world.look(touched_only=False, day_over=False))
    assert alert.counts.n_observed == 5
    factors = [r**2 / (1 + (r - 1) * 2 / 20) ** 2 for r in (1.5, 2, 3, 5, 10)]
    assert alert.statistics.e_value == pytest.approx(fsum(factors) / 5, rel=1e-12)
    assert alert.test_recomputed is False


def test_outside_the_cumulative_window_it_is_null(rules: RuleSet) -> None:
    world = World(rules)
    _days(world, 3)
    world.tell({"more": Case(world.today, ("zinc",), ("rash",))})
    alerts = world.look(touched_only=False, day_over=True)
    assert "safe" in _of_zinc(alerts).rules_fired
    sliding = _of_zinc(alerts, "sliding-2d")
    assert (sliding.statistics.e_value, sliding.statistics.e_bh_level) == (None, None)
    assert sliding.rules_fired == ("any_case",)


CORRECTIONS: dict[str, tuple[dict[str, Case | None], bool]] = {
    "late": ({"late": Case(FIRST, ("zinc",), ("rash",))}, True),
    "other event": ({"A": Case(FIRST, ("zinc",), ("stroke",))}, True),
    "moved to another day": ({"A": Case(FIRST + 2, ("zinc",), ("rash",))}, True),
    "nullified": ({"A": None}, True),
    "more serious only": ({"A": Case(FIRST, ("zinc",), ("rash",), serious=True)}, False),
    "two cases exchanged": (
        {"A": Case(FIRST, ("iron",), ("rash",)), "B": Case(FIRST, ("zinc",), ("rash",))},
        False,
    ),
    "of a day not tested yet": ({"C": Case(FIRST + 1, ("zinc",), ("stroke",))}, False),
    "of today": ({"new": Case(FIRST + 2, ("zinc",), ("rash",))}, False),
}


@pytest.mark.parametrize("name", CORRECTIONS)
def test_only_a_correction_to_a_closed_day_is_said(name: str, rules: RuleSet) -> None:
    changes, corrects = CORRECTIONS[name]
    world = World(rules)
    world.tell({"A": Case(FIRST, ("zinc",), ("rash",)), "B": Case(FIRST, ("iron",), ("rash",))})
    world.today += 1
    world.look(touched_only=False, day_over=False)
    world.tell({"C": Case(FIRST + 1, ("iron",), ("nausea",))})
    world.today += 1
    world.tell(changes)
    assert world.corrected is corrects
    alerts = world.look(touched_only=False, day_over=True)
    assert {alert.test_recomputed for alert in alerts} == {corrects}
    # Once said, it is said for ever.
    _days(world, 1)
    world.tell({"late again": Case(world.today, ("iron",), ("rash",))})
    assert {alert.test_recomputed for alert in world.look(touched_only=True, day_over=True)} == {
        True
    }


def test_a_restart_does_not_forget_a_correction(rules: RuleSet) -> None:
    world = World(rules)
    _days(world, 2)
    world.tell({"late": Case(FIRST, ("zinc",), ("rash",))})
    assert _of_zinc(world.look(touched_only=True, day_over=True)).test_recomputed is True
    world.restart()
    assert _of_zinc(world.look(touched_only=False, day_over=True)).test_recomputed is True


def test_a_day_that_closes_without_news_is_looked_at(rules: RuleSet) -> None:
    world = World(rules)
    _burst(world, 3, 100)
    world.look(touched_only=False, day_over=False)
    world.today += 1
    world.tell({})
    assert "safe" in _of_zinc(world.look(touched_only=False, day_over=False)).rules_fired


def test_without_the_safe_rule_nothing_is_said_of_the_test() -> None:
    world = World(load_rules("mhra"))
    _burst(world, 3, 18)
    alert = _of_zinc(world.detector.evaluate(FIRST))
    assert (alert.test_recomputed, alert.statistics.e_value) == (None, None)
