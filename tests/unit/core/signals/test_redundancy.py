"""Which new signals repeat the cases of another one, how often that is noted, and when it ends."""

from dataclasses import replace

import numpy as np
import pytest

from schemas.alert import AlertKind, SignalGrade
from schemas.suppressed import SuppressionReason
from streams.core.signals.decisions import GRADES, KINDS, SUPPRESSIONS, Decisions
from streams.core.signals.lifecycle import decide, publish
from streams.core.signals.new_evidence import CaseChanges
from streams.core.signals.published_signals import Signals
from streams.core.signals.realert_policy import load_policy
from streams.core.signals.redundancy import RedundantSignals
from streams.core.signals.scorer import Scorer
from streams.core.signals.window_scores import score_window
from tests.support.counted_window import CountedWindow, rules_of

SCORER = Scorer(rules_of(3, 5))
POLICY = load_policy()
CLASS, LOT, FACILITY = "engineered-ev", "lot:A", "facility:C-A"


class Run:
    """Evaluations of one window, one after the other, and what each of them decided."""

    def __init__(self) -> None:
        self.counted = CountedWindow()
        self.signals = Signals()
        self.redundant = RedundantSignals()

    def evaluate(self, *, full: bool = True) -> tuple[set[tuple[str, str]], Decisions]:
        """Return the pairs that are published, and the decisions; publish them."""
        view = self.counted.view()
        scores = score_window(SCORER, view, self.counted.instance(full=full), self.signals)
        assert scores is not None
        known = len(scores.known)
        decided = self.redundant.suppress(
            decide(
                scores.pairs,
                self.signals,
                CaseChanges.none(known),
                np.zeros(known, dtype=np.int64),
                POLICY,
            ),
            scores,
            self.signals,
            view,
        )
        none = np.zeros(len(decided.rows), dtype=np.int64)
        publish(self.signals, scores, decided, {"facets": none}, {})
        self.counted.evaluated()
        self.keys = scores.pairs.keys
        return set(self.counted.pairs(self.keys[decided.rows])), decided

    def suppressed(self, decided: Decisions) -> list[tuple[str, str]]:
        """Return the pairs suppressed for the same cases, sorted."""
        assert {SUPPRESSIONS[why] for why in decided.why} <= {SuppressionReason.SAME_CASES}
        return sorted(self.counted.pairs(self.keys[decided.suppressed]))


@pytest.fixture
def run() -> Run:
    """Three cases of sepsis, all of one class, lot and facility."""
    run = Run()
    run.counted.count(["A", "B", "C"], [CLASS, LOT, FACILITY], ["Sepsis", "family:infection"])
    return run


def test_a_lot_a_facility_and_a_family_with_the_cases_of_the_class_are_suppressed(
    run: Run,
) -> None:
    published, decided = run.evaluate()
    assert published == {(CLASS, "Sepsis")}
    repeats = [(CLASS, "family:infection"), (FACILITY, "Sepsis"), (LOT, "Sepsis")]
    assert run.suppressed(decided) == repeats
    keys = np.array([run.counted.key(*pair) for pair in [*repeats, (CLASS, "Sepsis")]])
    assert run.redundant.published_as("cumulative", keys).tolist() == [keys[3]] * 4
    assert run.redundant.published_as("2024-01", keys).tolist() == keys.tolist()
    # One rule came to fire for each of the four signals.
    assert decided.crossings == 4


def test_a_suppressed_signal_is_noted_again_only_when_a_case_of_it_changes(run: Run) -> None:
    run.evaluate()
    published, decided = run.evaluate()
    assert (published, run.suppressed(decided), decided.crossings) == (set(), [], 0)
    # A fourth and a fifth case of the lot alone: of the facility nothing changed.
    run.counted.count(["D", "E"], [CLASS, LOT], ["Sepsis", "family:infection"])
    published, decided = run.evaluate()
    assert (LOT, "Sepsis") in run.suppressed(decided)
    # The second rule, of five cases, came to fire for class, family and lot.
    assert decided.crossings == 3
    assert (FACILITY, "Sepsis") in published  # its three cases are not the class's five


def test_other_cases_of_the_same_number_cover_nothing() -> None:
    run = Run()
    run.counted.count(["A", "B", "C"], [LOT], ["Sepsis"])
    run.counted.count(["D", "E", "F"], ["aspirin"], ["Sepsis"])
    assert run.evaluate()[0] == {(LOT, "Sepsis"), ("aspirin", "Sepsis")}


def test_the_same_cases_with_another_term_cover_nothing() -> None:
    run = Run()
    run.counted.count(["A", "B", "C"], [LOT], ["Sepsis", "Rash"])
    run.counted.count(["A"], ["aspirin"], ["Rash"])
    assert run.evaluate()[0] == {(LOT, "Sepsis"), (LOT, "Rash")}
    family = Run()  # rash is no infection
    family.counted.count(["A", "B", "C"], [CLASS], ["Rash", "family:infection"])
    assert family.evaluate()[0] == {(CLASS, "Rash"), (CLASS, "family:infection")}


def test_of_two_signals_that_cover_the_first_by_name_is_given() -> None:
    run = Run()
    run.counted.count(["A", "B", "C"], ["zinc", LOT, "aspirin"], ["Sepsis"])
    assert run.evaluate()[0] == {("aspirin", "Sepsis"), ("zinc", "Sepsis")}
    lot, aspirin = run.counted.key(LOT, "Sepsis"), run.counted.key("aspirin", "Sepsis")
    assert run.redundant.published_as("cumulative", np.array([lot])).tolist() == [aspirin]


def test_a_lot_is_published_once_its_cases_differ_and_its_rule_is_counted_once(run: Run) -> None:
    run.evaluate()
    run.counted.count(["D"], [CLASS, FACILITY], ["Sepsis"])
    published, decided = run.evaluate(full=False)
    assert published == set()  # of the lot nothing changed: it is not in scope
    published, decided = run.evaluate()
    assert {(LOT, "Sepsis"), (CLASS, "family:infection")} == published
    assert decided.crossings == 0


def test_a_covered_signal_whose_rules_cease_is_forgotten_and_counted(run: Run) -> None:
    run.evaluate()
    run.counted.count(["C"], [CLASS, LOT, FACILITY], ["Sepsis", "family:infection"], n=-1)
    run.counted.count(["C"], [CLASS, FACILITY], ["Sepsis", "family:infection"])  # of no lot
    published, decided = run.evaluate()
    # Two cases are left of the lot, for which one rule had come to fire.
    assert (published, decided.crossings) == (set(), 1)
    lot = np.array([run.counted.key(LOT, "Sepsis")])
    assert run.redundant.published_as("cumulative", lot).tolist() == lot.tolist()


def test_a_signal_that_goes_off_covers_nothing(run: Run) -> None:
    run.evaluate()
    cases = ["A", "B", "C"]
    run.counted.count(cases, [CLASS, LOT, FACILITY], ["Sepsis", "family:infection"], n=-1)
    run.counted.count(cases, [LOT, FACILITY], ["Sepsis"])  # of no class
    published, decided = run.evaluate()
    assert published == {(CLASS, "Sepsis"), (LOT, "Sepsis"), (FACILITY, "Sepsis")}
    off = dict(zip(run.counted.pairs(run.keys[decided.rows]), decided.on.tolist(), strict=True))
    assert off[CLASS, "Sepsis"] == 0


def test_a_signal_with_the_same_cases_that_goes_off_now_covers_nothing(run: Run) -> None:
    """The class passes the exit of its rule in the evaluation in which the lot comes to fire."""
    view = run.counted.view()
    scores = score_window(SCORER, view, run.counted.instance(), Signals())
    assert scores is not None
    of_class, lot = (run.counted.key(drug, "Sepsis") for drug in (CLASS, LOT))
    signals = Signals(Signals.row(key=[of_class], revision=1, on=1))
    rows = np.searchsorted(scores.pairs.keys, [of_class, lot])
    kinds = [KINDS.index(AlertKind.CLOSED), KINDS.index(AlertKind.NEW)]
    decided = Decisions(
        rows=rows,
        kinds=np.array(kinds, dtype=np.int8),
        reasons=np.array([1, 1]),
        on=np.array([0, 1]),
        grades=np.zeros(2, dtype=np.int8),
        was=Signals.row(key=[of_class, lot]),
        suppressed=np.empty(0, dtype=np.intp),
        why=np.empty(0, dtype=np.int8),
        crossings=2,
    )
    kept = RedundantSignals().suppress(decided, scores, signals, view)
    assert (kept.rows.tolist(), kept.crossings) == (rows.tolist(), 2)
    stays_on = replace(decided, on=np.array([1, 1]))
    covered = RedundantSignals().suppress(stays_on, scores, signals, view)
    assert covered.rows.tolist() == rows[:1].tolist()
    assert covered.suppressed.tolist() == rows[1:].tolist()


def test_an_alarm_is_covered_by_alarms_only(run: Run) -> None:
    """Else a reader of alarms would not know of the cases: the class is of the screening."""
    view = run.counted.view()
    scores = score_window(SCORER, view, run.counted.instance(), Signals())
    assert scores is not None
    of_class, lot = (run.counted.key(drug, "Sepsis") for drug in (CLASS, LOT))
    rows = np.searchsorted(scores.pairs.keys, [of_class, lot])
    alarm, wider = map(GRADES.index, (SignalGrade.ALARM, SignalGrade.SCREENING))
    for of_class_now, of_lot, kept in (
        (alarm, alarm, False),
        (alarm, wider, False),
        (wider, wider, False),
        (wider, alarm, True),
    ):
        decided = Decisions(
            rows=rows,
            kinds=np.full(2, KINDS.index(AlertKind.NEW), dtype=np.int8),
            reasons=np.array([1, 1]),
            on=np.array([1, 1]),
            grades=np.array([of_class_now, of_lot], dtype=np.int8),
            was=Signals.row(key=[of_class, lot]),
            suppressed=np.empty(0, dtype=np.intp),
            why=np.empty(0, dtype=np.int8),
            crossings=2,
        )
        left = RedundantSignals().suppress(decided, scores, Signals(), view)
        assert left.rows.tolist() == (rows if kept else rows[:1]).tolist()
        assert left.grades.tolist() == decided.grades[: len(left.rows)].tolist()
        # Likewise if the class was published before, and nothing of it is due.
        published = Signals(Signals.row(key=[of_class], revision=1, on=1, grade=of_class_now))
        of_the_lot = replace(
            decided,
            **{n: getattr(decided, n)[1:] for n in ("rows", "kinds", "reasons", "on", "grades")},
            was=decided.was[1:],
        )
        left = RedundantSignals().suppress(of_the_lot, scores, published, view)
        assert len(left.rows) == kept
