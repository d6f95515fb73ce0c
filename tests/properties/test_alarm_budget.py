"""The alarm's entry threshold in the stream: after any history, a count over the cases as they are.

The oracle is a dictionary of cases; it shares no line with the stages.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from tests.support.deltas import case_change, make_delta

EPOCH = date(1970, 1, 1)
FIRST = 19_720  # 2023-12-29
CLASS = "engineered-ev"
DRUGS = ("aspirin", "iron", CLASS, "lot:A1", "zinc")
EVENTS = ("family:infection", "nausea", "rash", "stroke")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """Rules that fire for every pair with a case, and for those that may enter the alarm."""
    path = tmp_path_factory.mktemp("rules") / "any.toml"
    path.write_text(
        'any_case = { title = "any", source = "test", '
        'all = [{ statistic = "n_observed", op = ">=", value = 1 }] }\n'
        'scaled = { title = "scaled", source = "test", '
        'all = [{ statistic = "e_value_budgeted", op = ">=", value = 1 }] }',
        encoding="utf-8",
    )
    return load_rules(path)


@dataclass(frozen=True)
class Case:
    day: int
    drugs: tuple[str, ...] = ("zinc",)
    events: tuple[str, ...] = ("rash",)


def threshold_of(cases: Iterable[Case], last_day: int) -> float:
    """Return the threshold on a day, from what is known of all cases."""
    past = [case for case in cases if case.day <= last_day]
    first: dict[tuple[str, str], int] = {}
    for case in past:
        for drug, term in product(case.drugs, case.events):
            if drug not in (CLASS, "lot:A1") and term != "family:infection":
                first[drug, term] = min(case.day, first.get((drug, term), case.day))
    n_new = sum(day > last_day - 365 for day in first.values())
    n_cases = sum(case.day > last_day - 365 for case in past)
    if last_day - min(case.day for case in past) < 730:
        return 12.0
    return max(8.0, 135 * n_new / max(n_cases, 1))


@dataclass
class World:
    """A detector and, beside it, the cases as they are."""

    rules: RuleSet
    cases: dict[str, Case] = field(default_factory=dict)
    today: int = FIRST
    offset: int = 0

    def __post_init__(self) -> None:
        self.detector = self._new()

    def _new(self) -> Detector:
        return Detector([WindowSpec.parse("cumulative")], self.rules)

    def tell(self, **changes: Case | None) -> None:
        """Send new contents of cases, `None` for a nullified one, as one delta."""
        rows = []
        for case_id, new in changes.items():
            old = self.cases.pop(case_id, None)
            if new is not None:
                self.cases[case_id] = new
            for case, n in ((old, -1), (new, 1)):
                if case is not None and old != new:
                    day = EPOCH + timedelta(days=case.day)
                    names = {"drugs": list(case.drugs), "events": list(case.events)}
                    rows.append(case_change(case_id, day=day, n=n, **names))
        delta = make_delta(self.offset, rows, next_offset=self.offset + 1, watermark=self.today)
        self.detector.apply(delta)
        self.offset += 1

    def restart(self) -> None:
        again = self._new()
        again.restore(*self.detector.snapshot())
        again.settle()
        self.detector = again

    def look(self) -> float | None:
        """Evaluate as if nothing had been published, and return the threshold on which it was."""
        self.detector.signals.clear()
        alerts = self.detector.evaluate(self.today)
        of_test = [alert for alert in alerts if alert.statistics.e_value_blocked is not None]
        for alert in alerts:
            self._check(alert)
        if not of_test:
            return None
        statistics = of_test[0].statistics
        assert statistics.e_value_blocked is not None
        assert statistics.e_value_budgeted is not None
        return 8 * statistics.e_value_blocked / statistics.e_value_budgeted

    def _check(self, alert: Alert) -> None:
        e_value, scaled = alert.statistics.e_value_blocked, alert.statistics.e_value_budgeted
        assert (e_value is None) is (scaled is None)
        if e_value is not None:
            assert scaled == e_value * (8 / threshold_of(self.cases.values(), self.today))
        assert ("scaled" in alert.rules_fired) is (scaled is not None and scaled >= 1)


def _some(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).map(
        lambda chosen: tuple(sorted(chosen))
    )


BACK = st.sampled_from([0, 0, 0, 1, 200, 364, 365, 366, 900])  # days late
CASE = st.builds(Case, BACK, _some(DRUGS), _some(EVENTS))
CHANGES = st.dictionaries(
    st.sampled_from("ABCDEFG"), st.one_of(CASE, CASE, CASE, st.none()), min_size=1, max_size=5
)
STEP = st.one_of(
    st.tuples(st.just("tell"), CHANGES),
    st.tuples(st.just("tell"), CHANGES),
    st.tuples(st.just("many"), st.integers(1, 60)),
    st.tuples(st.just("days"), st.sampled_from([1, 5, 200, 364, 365, 400])),
    st.tuples(st.just("look"), st.none()),
    st.tuples(st.just("restart"), st.none()),
)


@settings(deadline=None, max_examples=80)
@given(steps=st.lists(STEP, min_size=3, max_size=25))
def test_the_threshold_in_the_stream_is_a_count_over_the_cases(
    rules: RuleSet, steps: list[tuple[str, object]]
) -> None:
    world = World(rules)
    world.tell(first=Case(FIRST - 800))
    for step, argument in steps:
        match step, argument:
            case "tell", dict(changes):
                moved = {
                    name: new and Case(world.today - new.day, new.drugs, new.events)
                    for name, new in changes.items()
                }
                world.tell(**moved)
            case "many", int(number):
                # Alike reports: they are one to the test, and all are cases.
                world.tell(**{f"m{world.offset}_{n}": Case(world.today) for n in range(number)})
            case "days", int(days):
                world.today += days
            case "look", None:
                world.look()
            case "restart", None:
                world.restart()
    world.tell(last=Case(world.today, ("iron",), ("stroke",)))
    assert world.look() is not None


# --- the same on hand-made histories, by name ---


@pytest.fixture
def world(rules: RuleSet) -> World:
    """Ten cases of one pair on a day; 800 days later ten more, two of them of a second pair."""
    world = World(rules)
    world.tell(**{f"old{n}": Case(FIRST) for n in range(10)})
    world.today = FIRST + 800
    world.tell(**{f"new{n}": Case(world.today) for n in range(8)})
    world.tell(**{f"other{n}": Case(world.today, ("iron",), ("stroke",)) for n in range(2)})
    return world


def test_one_new_pair_and_ten_cases_of_the_year(world: World) -> None:
    assert world.look() == pytest.approx(13.5)  # 135 x 1 / 10


def test_in_the_first_730_days_it_is_12(rules: RuleSet) -> None:
    world = World(rules)
    world.tell(**{f"old{n}": Case(FIRST) for n in range(10)})
    found = []
    for day in (0, 729, 730):
        world.today = FIRST + day
        world.tell(**{f"day{day}_{n}": Case(world.today) for n in range(10)})
        found.append(world.look())
    assert found == pytest.approx([12, 12, 8])


def test_a_pair_is_new_on_365_days(world: World) -> None:
    first = world.today
    found = []
    for days in (363, 364, 365, 366):
        world.today = first + days
        world.tell(**{f"late{days}": Case(world.today)})
        found.append(world.look())
    assert found == pytest.approx([135 / 11, 135 / 12, 8, 8])


def test_more_new_pairs_ask_for_more(world: World) -> None:
    world.tell(third=Case(world.today, ("iron",), ("rash", "nausea")))
    assert world.look() == pytest.approx(135 * 3 / 11)


def test_a_pair_whose_only_cases_are_nullified_was_never_new(world: World) -> None:
    world.look()
    world.tell(other0=None, other1=None)
    assert world.look() == pytest.approx(8)


def test_a_late_case_makes_a_pair_older(world: World) -> None:
    """Its first case is now of a day more than a year ago: it is no new pair any more."""
    assert world.look() == pytest.approx(13.5)
    world.tell(late=Case(FIRST + 1, ("iron",), ("stroke",)))
    assert world.look() == pytest.approx(8)
    world.tell(late=None)
    assert world.look() == pytest.approx(13.5)


def test_an_earlier_first_day_ends_the_start(rules: RuleSet) -> None:
    world = World(rules)
    world.tell(**{f"c{n}": Case(FIRST) for n in range(5)})
    assert world.look() == pytest.approx(12)
    world.tell(earlier=Case(FIRST - 800, ("iron",), ("stroke",)))
    assert world.look() == pytest.approx(27)  # 135 x 1 / 5
    world.tell(earlier=None)
    assert world.look() == pytest.approx(12)


@pytest.mark.parametrize(("drug", "term"), [("lot:A1", "rash"), (CLASS, "rash")])
def test_lots_and_classes_are_no_new_pairs(world: World, drug: str, term: str) -> None:
    world.tell(more=Case(world.today, (drug,), (term,)))
    assert world.look() == pytest.approx(135 / 11)


def test_a_restart_changes_nothing(world: World) -> None:
    before = world.look()
    world.restart()
    world.tell(touch=Case(world.today, ("zinc",), ("rash",)))
    assert world.look() == pytest.approx(135 / 11)
    assert before == pytest.approx(13.5)
