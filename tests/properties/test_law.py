"""The law: after any messages, in any order and with any repeats, across restarts, the counts are
those of a batch recount of the latest version of every case, without those linked to a master.
"""

import itertools
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert, SignalGrade
from streams.core.counting.windows import WindowSpec
from streams.core.signals.signal_key import signal_key
from tests.support.law.checks import (
    adjusted_expectation,
    check_cases,
    check_clinical,
    check_labels,
    check_origins,
    check_removed,
    names_of,
    out_of,
)
from tests.support.law.histories import FAMILIES, SPECS, UNITS, Arrival, arrivals
from tests.support.law.recount import (
    Cell,
    labels,
    latest_versions,
    recount,
    recount_windows,
    removed,
    stratified_expectation,
)
from tests.support.law.world import EPOCH, World
from tests.support.reports import make_report
from tests.support.validity import require_valid

unhurried = settings(deadline=None, max_examples=40)


@pytest.fixture(scope="module")
def any_case(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """A rule that flags every pair with a case, so that every pair is scored and published."""
    path = tmp_path_factory.mktemp("rules") / "any.toml"
    path.write_text(
        'any_case = { title = "any", source = "test", '
        'all = [{ statistic = "n_observed", op = ">=", value = 1 }] }',
        encoding="utf-8",
    )
    return load_rules(path)


@pytest.fixture(scope="module")
def by_grade(tmp_path_factory: pytest.TempPathFactory, any_case: RuleSet) -> RuleSet:
    """An alarm from two cases on, and that rule as the screening: grades change with one case."""
    path = tmp_path_factory.mktemp("rules") / "two.toml"
    path.write_text(
        'two_cases = { title = "two", source = "test", '
        'all = [{ statistic = "n_observed", op = ">=", value = 2 }] }',
        encoding="utf-8",
    )
    (alarm,), (wider,) = load_rules(path).rules, any_case.rules
    return RuleSet(rules=(alarm, wider.model_copy(update={"grade": SignalGrade.SCREENING})))


def _observed(world: World) -> dict[str, dict[tuple[str, str], Cell]]:
    found: dict[str, dict[tuple[str, str], Cell]] = defaultdict(dict)
    for window, drug, event, *cell in world.detector.all_counts().iter_rows():
        assert (drug, event) not in found[window]
        found[window][drug, event] = tuple(cell)
    return found


def _check_counts(world: World) -> None:
    messages = world.messages()
    today = EPOCH + timedelta(days=world.today)
    instances = recount_windows(world.specs, messages, today)
    drugs, events = labels(messages)
    assert _observed(world) == {
        label: {(drugs[d], events[e]): cell for (d, e), cell in recount(cases).items()}
        for label, cases in instances.items()
    }
    for window in world.detector.windows:
        for label, tally in window.tallies.items():
            cases = instances.get(label, [])
            assert tally.totals.counts.sum() == len(cases)
            by_stratum = Counter("\x1f".join(case.stratum) for case in cases)
            names = world.detector.codes.strata.decode(tally.totals.keys).to_list()
            held = dict(zip(names, tally.totals.counts.tolist(), strict=True))
            assert {name: n for name, n in held.items() if n} == by_stratum
    states = Counter(case.excluded or "counted" for case in latest_versions(messages).values())
    assert +world.population == states


def _check_alert(world: World, alert: Alert) -> None:
    """Recount the input that an alert says it was computed from."""
    require_valid(alert)
    offsets = {each.partition: each.next_offset for each in alert.as_of}
    prefix = world.messages(offsets)
    cases = recount_windows(world.specs, prefix, alert.evaluated_on)[alert.window.label]
    pair = names_of(alert)
    check_labels(alert, prefix)
    counts = alert.counts
    if counts.n_observed:
        cell = counts.n_observed, counts.n_drug, counts.n_event, counts.n_total
        assert cell == recount(cases)[pair]
    else:
        assert pair not in recount(cases)
    fewest = len(world.rules.rules)  # cases of an alarm: one, or two where one is the screening
    was = alert.previous.grade if alert.previous else None
    grade = "alarm" if counts.n_observed >= fewest else "screening"
    assert alert.grade == (grade if counts.n_observed else was)
    steps = {"now_alarm", "no_longer_alarm"} & set(alert.reasons)
    assert len(steps) == (was not in (None, alert.grade))
    assert alert.statistics.expected_stratified == pytest.approx(
        stratified_expectation(cases, *pair), rel=1e-12
    )
    assert alert.statistics.expected_adjusted == pytest.approx(
        adjusted_expectation(cases, *pair), rel=1e-12
    )
    inside = {
        case_id: case
        for case_id, case in latest_versions(prefix).items()
        if case in cases and not case.excluded and pair[0] in case.drugs and pair[1] in case.events
    }
    assert alert.case_ids == tuple(sorted(inside))
    assert alert.n_serious == sum(case.serious for case in inside.values())
    assert alert.n_fatal == sum(case.fatal for case in inside.values())
    children = {"neonate", "infant", "child", "adolescent"}
    assert alert.n_paediatric == sum(case.stratum[0] in children for case in inside.values())
    regions = {case.stratum[2] for case in inside.values()} - {"unknown"}
    assert alert.regions == tuple(sorted(regions))
    check_clinical(alert, list(inside.values()))
    check_origins(alert, list(inside.values()))
    check_removed(world.specs, alert, prefix)


def _check_told(world: World, last: Sequence[Alert]) -> None:
    """A lot, facility or family with the very cases of a product or class is suppressed."""
    messages = world.messages()
    today = EPOCH + timedelta(days=world.today)
    news = {alert.signal_key for alert in last if alert.kind == "new"}
    for label, cases in recount_windows(world.specs, messages, today).items():
        pairs = {
            pair: frozenset(
                n
                for n, case in enumerate(cases)
                if pair[0] in case.drugs and pair[1] in case.events
            )
            for pair in recount(cases)
        }
        plain = {p: of for p, of in pairs.items() if ":" not in p[1] and p[0] not in UNITS}
        for (drug, event), of_pair in pairs.items():
            alike = {event, *(term for term in FAMILIES if event == "family:infection")}
            covered = any(of == of_pair and term in alike for (_, term), of in plain.items())
            key = signal_key(drug, event, label)
            if (drug, event) in plain or not covered:
                assert key in world.signals
            else:
                assert key not in news


STEPS = ("wait", "count", "count", "crash", "save", "bounce", "restart", "look", "look")


def _run(world: World, story: Iterable[tuple[Arrival, Sequence[str]]], back: int) -> None:
    for report, steps in story:
        numbers = world.send(report)
        for step, number in itertools.product(steps, numbers):
            if step == "count":
                world.count(number)
            elif step == "crash":
                world.count(number, lose_acknowledgement=True)
                world.reopen(number)
            elif step == "bounce":
                world.reopen(number)
                world.save()
                world.restart(back)
            elif step == "save":
                world.save()
            elif step == "restart":
                world.restart(back)
            elif step == "look":
                for alert in world.look():
                    _check_alert(world, alert)
    for number in range(world.partitions):
        world.count(number)
    last = world.look()
    for alert in last:
        _check_alert(world, alert)
    _check_told(world, last)
    _check_counts(world)
    check_cases(world.detector, world.messages())
    messages = world.messages()
    assert out_of(world.topic) == {
        (case_id, reason, "+".join(case.drugs), "+".join(case.events))
        for case_id, (reason, case) in removed(messages).items()
    }


@unhurried
@given(data=st.data())
def test_streamed_counts_equal_the_batch_recount(
    any_case: RuleSet, by_grade: RuleSet, data: st.DataObject
) -> None:
    arrived = data.draw(arrivals())
    steps = st.lists(st.sampled_from(STEPS), max_size=3)
    story = [(report, data.draw(steps)) for report in arrived]
    names = data.draw(st.lists(st.sampled_from(SPECS), min_size=2, max_size=4, unique=True))
    with tempfile.TemporaryDirectory() as folder:
        world = World(
            Path(folder),
            partitions=data.draw(st.integers(1, 3)),
            specs=[WindowSpec.parse(name) for name in names],
            rules=data.draw(st.sampled_from([by_grade, any_case])),
            durable=data.draw(st.booleans()),
        )
        try:
            _run(world, story, back=data.draw(st.integers(0, 9)))
        finally:
            world.close()


@settings(unhurried, max_examples=20)
@given(sent=arrivals(), data=st.data())
def test_two_orders_of_arrival_end_in_the_same_counts(
    by_grade: RuleSet, sent: list[Arrival], data: st.DataObject
) -> None:
    ends = []
    for order in (sent, data.draw(st.permutations(sent))):
        size, looks = data.draw(st.integers(1, 6)), data.draw(st.booleans())
        with tempfile.TemporaryDirectory() as folder:
            specs = [WindowSpec.parse(name) for name in SPECS]
            world = World(Path(folder), 2, specs, by_grade, durable=False)
            for at in range(0, len(order), size):
                sent_to = (world.send(message) for message in order[at : at + size])
                for number in {*itertools.chain.from_iterable(sent_to)}:
                    world.count(number)
                if looks:
                    world.look()
            world.look()
            ends.append((_observed(world), +world.population, out_of(world.topic)))
    assert ends[0] == ends[1]


def test_a_signal_is_published_again_by_no_restart(any_case: RuleSet, tmp_path: Path) -> None:
    first = date(2024, 1, 31)
    world = World(tmp_path, 1, [WindowSpec.parse(name) for name in SPECS], any_case, durable=False)
    world.send(make_report(day=first))
    world.count(0)
    assert len(world.look()) == len(SPECS)
    for saved in (False, True):
        if saved:
            world.save()
        world.restart(back=1)
        assert world.look() == []
