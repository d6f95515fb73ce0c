"""Which pairs of a window are scored, by which table, and what a published one carries."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from detectors.rules import RuleSet
from schemas.alert import Window, WindowKind
from schemas.tables import Statistics
from streams.core.signals.new_evidence import PAEDIATRIC_BIT, region_mask
from streams.core.signals.published_signals import Signals
from streams.core.signals.scorer import Scorer
from streams.core.signals.window_scores import WindowScores, alert_rows, score_window
from tests.support.counted_window import DAY, CountedWindow, rules_of

SCORER = Scorer(rules_of(3, 5))


def _ids(number: int, prefix: str = "C") -> list[str]:
    return [f"{prefix}{n}" for n in range(number)]


def _counted() -> CountedWindow:
    """Zinc and Rash 3 times, zinc and Fever twice, iron and Rash 5 times, iron and Fever 10."""
    counted = CountedWindow()
    for drug, event, n in (
        ("zinc", "Rash", 3),
        ("zinc", "Fever", 2),
        ("iron", "Rash", 5),
        ("iron", "Fever", 10),
    ):
        counted.count(_ids(n, f"{drug} {event} "), [drug], [event])
    return counted


def _on(*keys: int) -> Signals:
    """Published signals of which the first rule is on."""
    return Signals(Signals.row(key=list(keys), revision=1, on=1))


def _score(
    counted: CountedWindow, signals: Signals | None = None, *, full: bool = True
) -> WindowScores:
    instance = counted.instance(full=full)
    scores = score_window(SCORER, counted.view(), instance, signals or Signals())
    assert scores is not None
    return scores


def test_a_full_evaluation_scores_the_pairs_with_enough_cases_by_their_table() -> None:
    counted = _counted()
    scores = _score(counted)
    assert counted.pairs(scores.pairs.keys) == [
        ("zinc", "Rash"),
        ("iron", "Rash"),
        ("iron", "Fever"),
    ]
    # 20 cases: 5 with zinc, 15 with iron, 8 with Rash, 12 with Fever.
    assert scores.table["n_observed"].to_list() == [3, 5, 10]
    assert scores.table["n_drug"].to_list() == [5, 15, 15]
    assert scores.table["n_event"].to_list() == [8, 8, 12]
    assert scores.table["n_total"].to_list() == [20] * 3
    assert scores.pairs.entered.tolist() == [0b01, 0b11, 0b11]
    assert scores.pairs.n_observed.tolist() == [3, 5, 10]
    # ln ROR = ln(3 * 10 / (2 * 5)), less 1.96 times sqrt(1/3 + 1/2 + 1/5 + 1/10) = 1.0646
    assert scores.pairs.ror_lower[0] == pytest.approx(3 / np.exp(1.959964 * 1.0645813), rel=1e-6)


def test_a_signal_that_is_on_is_scored_however_few_its_cases() -> None:
    counted = _counted()
    zinc_fever, gone = counted.key("zinc", "Fever"), counted.key("zinc", "Cough")
    signals = _on(zinc_fever, gone)
    scores = _score(counted, signals)
    keys = scores.pairs.keys.tolist()
    assert keys == sorted(keys)
    by_key = dict(zip(keys, scores.pairs.n_observed.tolist(), strict=True))
    assert (len(by_key), by_key[zinc_fever], by_key[gone]) == (5, 2, 0)
    assert scores.known.tolist() == sorted([zinc_fever, gone])


def test_a_signal_that_is_off_is_scored_if_a_case_of_it_changed() -> None:
    counted = _counted()
    zinc_fever, gone = counted.key("zinc", "Fever"), counted.key("zinc", "Cough")
    signals = _on(zinc_fever, gone)
    signals.rows["on"] = 0
    for full in (True, False):
        assert _score(counted, signals, full=full).known.tolist() == [zinc_fever]
    counted.evaluated()
    assert _score(counted, signals).known.tolist() == []


def test_a_touched_evaluation_scores_only_pairs_whose_cases_changed() -> None:
    counted = _counted()
    counted.evaluated()
    counted.count(["D"], ["zinc"], ["Rash", "Fever"])  # 4 and 3 of them
    counted.count(["E"], ["iron"], ["Cough"])  # the first of its pair
    scores = _score(counted, full=False)
    assert counted.pairs(scores.pairs.keys) == [("zinc", "Rash"), ("zinc", "Fever")]
    assert scores.pairs.n_observed.tolist() == [4, 3]
    assert scores.pairs.touched.tolist() == [True, True]
    cough = counted.key("iron", "Cough")
    signals = _on(cough, counted.key("iron", "Fever"))  # of the latter nothing changed
    assert cough in _score(counted, signals, full=False).pairs.keys
    assert len(_score(counted, signals, full=False).pairs.keys) == 3
    full = _score(counted)
    touched = dict(zip(counted.pairs(full.pairs.keys), full.pairs.touched.tolist(), strict=True))
    assert touched == {
        ("zinc", "Rash"): True,
        ("zinc", "Fever"): True,
        ("iron", "Rash"): False,
        ("iron", "Fever"): False,
    }


def test_nothing_in_scope_has_no_scores() -> None:
    counted = CountedWindow()
    assert score_window(SCORER, counted.view(), counted.instance(), Signals()) is None
    counted.count(["A", "B"], ["zinc"], ["Rash"])
    assert score_window(SCORER, counted.view(), counted.instance(), Signals()) is None


def test_a_family_is_scored_with_classes_only() -> None:
    counted = CountedWindow()
    counted.count(_ids(3), ["engineered-ev", "lot:A"], ["Sepsis", "family:infection"])
    found = counted.pairs(_score(counted).pairs.keys)
    assert set(found) == {
        ("engineered-ev", "Sepsis"),
        ("engineered-ev", "family:infection"),
        ("lot:A", "Sepsis"),
    }


def test_the_days_and_facets_of_a_window_come_with_its_scores() -> None:
    counted = _counted()
    counted.count(["child"], ["iron"], ["Rash"], age="child", region="japan")
    scores = _score(counted)
    assert (scores.days, scores.evaluated_on) == ((None, DAY), date(2024, 2, 29))
    assert scores.facets.tolist() == [0, PAEDIATRIC_BIT | region_mask(["japan"])]
    month = Window(
        kind=WindowKind.MONTH,
        label="2024-02",
        first_day=date(2024, 2, 1),
        last_day=date(2024, 2, 29),
    )
    of_month = replace(counted.instance(DAY + 1), window=month)
    later = score_window(SCORER, counted.view(), of_month, Signals())
    assert later is not None
    assert (later.days, later.evaluated_on) == ((DAY - 28, DAY), date(2024, 3, 1))


def test_the_anytime_valid_test_is_of_the_cumulative_window_only() -> None:
    counted = _counted()
    test = counted.tests("safe")
    test.close(DAY, counted.log)
    instance = counted.instance()
    scores = score_window(SCORER, counted.view(test), instance, Signals())
    assert scores is not None
    assert scores.table["e_value"].null_count() == 0
    sliding = instance.window.model_copy(update={"kind": WindowKind.SLIDING})
    other = score_window(SCORER, counted.view(test), replace(instance, window=sliding), Signals())
    assert other is not None
    assert other.table["e_value"].null_count() == other.table.height == 3


def test_rows_of_alerts_have_names_every_statistic_and_the_stratified_expectation() -> None:
    counted = _counted()
    # A second stratum: 4 cases, 3 with iron, 2 with Rash.
    counted.count(["X", "Y"], ["iron"], ["Fever"], age="child")
    counted.count(["Z"], ["iron"], ["Rash"], age="child")
    counted.count(["W"], ["lead"], ["Rash"], age="child")
    scores = _score(counted)
    places = np.array([2, 0])  # iron and Fever, zinc and Rash
    rows = alert_rows(SCORER, scores, places, counted.view())
    assert rows.select("drug", "event").rows() == [("iron", "Fever"), ("zinc", "Rash")]
    assert {"key", "n_observed", "entered", *Statistics.model_fields} <= set(rows.columns)
    # Of 20 adults 15 * 12, of 4 children 3 * 2; of 20 adults 5 * 8, of children none with zinc.
    assert rows["expected_stratified"].to_list() == [
        pytest.approx(15 * 12 / 20 + 3 * 2 / 4),
        pytest.approx(5 * 8 / 20),
    ]
    assert rows["expected"].to_list() == pytest.approx([18 * 14 / 24, 5 * 10 / 24])
    assert rows["e_value"].dtype == pl.Float64
    assert rows["e_value"].null_count() == 2


def test_a_rule_that_asks_for_names_gets_them_once() -> None:
    counted = CountedWindow()
    counted.count(_ids(3), ["zinc"], ["Rash"])
    counted.count(_ids(3, "D"), ["zinc"], ["Fever"])
    (three,) = rules_of(3).rules
    on_list = {"column": "event", "on_list": "mine", "names": ["Rash"], "without_list": True}
    both = {"all": [three.condition.model_dump(), on_list]}
    rule = three.model_dump() | {"condition": both}
    scorer = Scorer(RuleSet.model_validate({"rules": [rule]}))
    scores = score_window(scorer, counted.view(), counted.instance(), Signals())
    assert scores is not None
    assert scores.table["event"].to_list() == ["Rash", "Fever"]
    assert scores.pairs.entered.tolist() == [1, 0]
    rows = alert_rows(scorer, scores, np.array([0]), counted.view())
    assert rows.select("drug", "event").rows() == [("zinc", "Rash")]
