"""The detector stage: each delta once, and what a restart may and may not do."""

from pathlib import Path
from typing import Any

import pytest

from detectors.rules import RuleSet, load_rules
from schemas.delta import Delta
from schemas.errors import InputError, StateError
from streams.core.alerts.negative_controls import NegativeControls
from streams.core.cases.strata import AgeBands
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from tests.support.deltas import case_change, make_delta

DAY = 19_782  # 2024-02-29
CUMULATIVE = (WindowSpec.parse("cumulative"),)


@pytest.fixture(scope="module")
def mhra() -> RuleSet:
    return load_rules("mhra")


def _delta(start: int, end: int, *cases: tuple[str, str, str, int], partition: int = 0) -> Delta:
    """A delta of (case, drug, event, n), all received on one day."""
    changes = [
        case_change(case, drugs=[drug], events=[event], n=n) for case, drug, event, n in cases
    ]
    return make_delta(start, changes, next_offset=end, partition=partition)


SIGNAL = tuple((f"S{n}", "zinc", "Rash", 1) for n in range(3))
REST = tuple((f"R{n}", "iron", "Fever", 1) for n in range(9))


def _detector(rules: RuleSet, *deltas: Delta) -> Detector:
    detector = Detector(CUMULATIVE, rules)
    for delta in deltas:
        assert detector.apply(delta)
    return detector


def _total(detector: Detector) -> int:
    return int(detector.windows[0].tallies["cumulative"].totals.counts.sum())


def test_a_delta_is_counted_once(mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(0, 3, *SIGNAL), _delta(3, 12, *REST))
    for repeated in (_delta(0, 3, *SIGNAL), _delta(3, 12, *REST), _delta(1, 2, *SIGNAL)):
        assert not detector.apply(repeated)
    assert _total(detector) == 12
    assert (detector.offsets, detector.watermark) == ({0: 12}, DAY)


def test_a_signal_keeps_nothing_of_the_others_that_were_told_with_it(mhra: RuleSet) -> None:
    others = tuple((f"L{n}", "lead", "Colic", 1) for n in range(3))
    detector = _detector(mhra, _delta(0, 15, *SIGNAL, *others, *REST))
    assert len(detector.evaluate(DAY)) == 3
    kept = list(detector.signals["cumulative"].named.values())
    assert [len(hashes) for hashes in kept] == [3, 3, 9]
    assert all(hashes.base is None for hashes in kept), "a view holds all it is of"


def test_each_partition_has_offsets_of_its_own(mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(0, 3, *SIGNAL), _delta(0, 9, *REST, partition=4))
    assert detector.offsets == {0: 3, 4: 9}
    alerts = detector.evaluate(DAY)
    assert [(at.topic, at.partition, at.next_offset) for at in alerts[0].as_of] == [
        ("pv.reports", 0, 3),
        ("pv.reports", 4, 9),
    ]


def test_the_first_delta_of_a_partition_may_start_anywhere(mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(500, 503, *SIGNAL))
    assert detector.offsets == {0: 503}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(4, 9, id="gap"),
        pytest.param(2, 9, id="partial overlap"),
        pytest.param(0, 4, id="overlap that starts alike"),
        pytest.param(9, 9, id="empty, after a gap"),
    ],
)
def test_a_gap_or_a_partial_overlap_stops_the_stage(start: int, end: int, mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(0, 3, *SIGNAL))
    with pytest.raises(
        StateError,
        match=rf"^detector: deltas of pv\.reports\[0\] must follow one another from offset 3; "
        rf"got \[{start}, {end}\)$",
    ):
        detector.apply(_delta(start, end, ("X", "zinc", "Rash", 1)))
    assert (_total(detector), detector.offsets) == (3, {0: 3})


def test_a_delta_without_changes_moves_the_offset_only(mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(0, 3, *SIGNAL), _delta(3, 9))
    assert (_total(detector), detector.offsets, detector.watermark) == (3, {0: 9}, DAY)


def test_without_any_case_there_are_counts_without_rows(mhra: RuleSet) -> None:
    for window in ("cumulative", "month", "sliding:7"):
        detector = Detector([WindowSpec.parse(window)], mhra)
        assert detector.all_counts().columns[0] == "window"
        assert detector.all_counts().height == 0
        assert detector.evaluate(DAY) == []


def test_counts_come_by_window_drug_and_event(mhra: RuleSet) -> None:
    detector = Detector(
        [WindowSpec.parse(window) for window in ("month", "cumulative", "sliding:3")], mhra
    )
    detector.apply(_delta(0, 12, *REST, *SIGNAL))
    detector.evaluate(DAY)
    assert detector.all_counts().rows() == [
        (window, drug, event, n, n, n, 12)
        for window in ("2024-02", "cumulative", "sliding-3d")
        for drug, event, n in (("iron", "Fever", 9), ("zinc", "Rash", 3))
    ]


def _kinds(detector: Detector, today: int = DAY, **options: Any) -> list[tuple[str, str]]:
    return [(alert.kind.value, alert.drug) for alert in detector.evaluate(today, **options)]


def test_an_evaluation_tells_a_change_once(mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(0, 12, *REST, *SIGNAL))
    assert _kinds(detector) == [("new", "iron"), ("new", "zinc")]
    assert _kinds(detector) == []
    assert _kinds(detector, DAY + 1) == []


def test_touched_only_leaves_pairs_to_the_close_of_day_that_only_their_margins_moved(
    mhra: RuleSet,
) -> None:
    detector = _detector(mhra, _delta(0, 3, *SIGNAL))
    assert _kinds(detector) == []
    detector.apply(_delta(3, 12, *REST))
    assert _kinds(detector, touched_only=True) == [("new", "iron")]
    assert _kinds(detector, touched_only=True) == []
    assert _kinds(detector) == [("new", "zinc")]
    assert _kinds(detector) == []


def test_a_signal_goes_by_retraction_and_the_last_case_may_go(mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(0, 12, *REST, *SIGNAL))
    detector.evaluate(DAY)
    detector.apply(_delta(12, 15, *((case, drug, event, -1) for case, drug, event, _ in SIGNAL)))
    gone = {alert.drug: alert for alert in detector.evaluate(DAY, touched_only=True)}
    assert list(gone) == ["zinc"]
    alert = gone["zinc"]
    assert (alert.kind.value, alert.revision, alert.counts.n_observed) == ("retraction", 2, 0)
    assert alert.reason.startswith("no rule is met any longer, after ")
    assert (alert.case_ids, alert.statistics.expected_stratified) == ((), 0.0)


def test_restored_signals_are_not_published_again(mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(0, 12, *REST, *SIGNAL))
    alerts = detector.evaluate(DAY)
    rows, facts = detector.snapshot()
    again = Detector(CUMULATIVE, mhra)
    again.restore(rows, facts)
    again.restore_signals(alerts)
    again.settle()
    assert _kinds(again, touched_only=True) == []
    assert _kinds(again) == []
    assert not again.apply(_delta(0, 12, *REST, *SIGNAL))
    again.apply(_delta(12, 13, ("S0", "zinc", "Rash", -1)))
    (alert,) = [alert for alert in again.evaluate(DAY) if alert.drug == "zinc"]
    assert (alert.kind.value, alert.revision) == ("retraction", 2)
    assert alert.previous is not None
    assert alert.previous.rules_fired == ("mhra",)


def test_without_its_signals_a_detector_starts_over(mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(0, 12, *REST, *SIGNAL))
    detector.evaluate(DAY)
    again = Detector(CUMULATIVE, mhra)
    again.restore(*detector.snapshot())
    assert _kinds(again) == [("new", "iron"), ("new", "zinc")]


def test_of_a_rule_that_is_no_longer_asked_subscribers_are_told(
    mhra: RuleSet, tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'many = { title = "many", source = "test", '
        'all = [{ statistic = "n_observed", op = ">=", value = 4 }] }',
        encoding="utf-8",
    )
    both = load_rules([own, "mhra"])
    detector = _detector(both, _delta(0, 12, *REST, *SIGNAL))
    alerts = detector.evaluate(DAY)
    again = Detector(CUMULATIVE, mhra)
    again.restore(*detector.snapshot())
    again.restore_signals(alerts)
    (told,) = again.evaluate(DAY)
    assert (told.drug, told.kind.value, told.rules_fired) == ("iron", "weakened", ("mhra",))
    assert told.reason.startswith("a rule no longer asked (")
    assert told.previous is not None
    assert told.previous.rules_fired == ("many", "mhra")
    assert _kinds(again) == []


def test_a_signal_of_a_window_that_emptied_while_it_was_down_is_closed(mhra: RuleSet) -> None:
    windows = [WindowSpec.parse("sliding:7")]
    detector = Detector(windows, mhra)
    detector.apply(_delta(0, 12, *REST, *SIGNAL))
    alerts = detector.evaluate(DAY)
    assert len(alerts) == 2
    again = Detector(windows, mhra)
    again.restore(*detector.snapshot())
    again.restore_signals(alerts)
    assert _kinds(again, DAY + 30) == [("closed", "iron"), ("closed", "zinc")]


def test_other_windows_may_be_kept_after_a_restart(mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(0, 12, *REST, *SIGNAL))
    again = Detector([WindowSpec.parse("quarter")], mhra)
    again.restore(*detector.snapshot())
    assert again.all_counts()["window"].unique().to_list() == ["2024-Q1"]
    assert again.all_counts()["n_observed"].to_list() == [9, 3]


def test_deltas_counted_together_give_what_they_give_one_by_one(mhra: RuleSet) -> None:
    deltas = [
        _delta(0, 3, *SIGNAL),
        _delta(0, 9, *REST, partition=1),
        _delta(0, 3, *SIGNAL),  # again
        _delta(3, 4, ("S0", "zinc", "Rash", -1), ("S0", "iron", "Rash", 1)),
        _delta(9, 10, partition=1),
    ]
    single, joint = Detector(CUMULATIVE, mhra), Detector(CUMULATIVE, mhra)
    news = [single.apply(delta) for delta in deltas]
    assert joint.apply_all(deltas) == news == [True, True, False, True, True]
    assert joint.offsets == single.offsets == {0: 4, 1: 10}
    assert joint.watermark == single.watermark
    assert joint.all_counts().equals(single.all_counts())
    assert joint.snapshot()[0].equals(single.snapshot()[0])
    assert joint.evaluate(DAY) == single.evaluate(DAY)


def test_of_deltas_with_a_gap_none_is_counted(mhra: RuleSet) -> None:
    detector = _detector(mhra, _delta(0, 3, *SIGNAL))
    with pytest.raises(StateError, match="must follow one another from offset 12"):
        detector.apply_all([_delta(3, 12, *REST), _delta(13, 14, ("S9", "zinc", "Rash", 1))])
    assert (_total(detector), detector.offsets) == (3, {0: 3})


def test_a_restored_detector_calibrates_as_one_that_never_stopped(mhra: RuleSet) -> None:
    pairs = [(f"drug {n}", f"event {n}") for n in range(12)]
    named = [
        (f"{drug} {number}", drug, event, 1)
        for place, (drug, event) in enumerate(pairs)
        for number in range(1 + place % 5)
    ]
    others = [(f"O{n}", f"drug {n % 12}", f"event {n * n % 7}", 1) for n in range(60)]

    def new_detector() -> Detector:
        return Detector(CUMULATIVE, mhra, controls=NegativeControls(pairs))

    detector, again = new_detector(), new_detector()
    assert detector.apply(_delta(0, 100, *named, *others))
    alerts = detector.evaluate(DAY)
    again.restore(*detector.snapshot())
    again.restore_signals(alerts)
    more = [(f"M{n}", "zinc", "rash", 1) for n in range(3)]
    for one in (detector, again):
        assert one.apply(_delta(100, 103, *more))
    continued, restarted = detector.evaluate(DAY + 1), again.evaluate(DAY + 1)
    assert restarted == continued
    calibration = next(alert.calibration for alert in restarted if alert.drug == "zinc")
    assert calibration is not None
    assert 0 < calibration.n_controls_on < 12
    assert calibration.mean is not None


def test_an_alarm_that_no_window_could_raise_is_refused() -> None:
    sliding = [WindowSpec.parse("sliding:30"), WindowSpec.parse("month")]
    with pytest.raises(InputError, match=r"^rules: tocsin needs the anytime-valid test.*Add"):
        Detector(sliding, load_rules("tocsin", screening="mhra"))
    Detector([*sliding, *CUMULATIVE], load_rules("tocsin"))
    Detector(sliding, load_rules(["tocsin", "ic"]))
    Detector(sliding, load_rules("ic", screening="tocsin"))


def test_other_age_bands_need_the_deltas_again(mhra: RuleSet) -> None:
    detector = Detector(CUMULATIVE, mhra, age_bands=AgeBands((18.0,)))
    detector.apply(_delta(0, 1, *SIGNAL))
    rows, facts = detector.snapshot()
    Detector(CUMULATIVE, mhra, age_bands=AgeBands((18.0,))).restore(rows, facts)
    with pytest.raises(StateError, match=r"age bands must be .*\[18\.0\] years.*state rebuild"):
        Detector(CUMULATIVE, mhra).restore(rows, facts)
