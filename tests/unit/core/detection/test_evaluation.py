"""One evaluation of a window: its alerts, the published state it leaves, what it suppresses."""

from datetime import date

import polars as pl
import pytest

from schemas.alert import Alert
from streams.core.alerts.context import AlertContext
from streams.core.detection.evaluation import Evaluation
from streams.core.safety.monitor import SafetyMonitor
from streams.core.signals.realert_policy import load_policy
from tests.support.counted_window import DAY, EPOCH, CountedWindow, rules_of

POLICY = load_policy()
MONITOR = SafetyMonitor()


class Run:
    """An evaluation and the window that it is of."""

    def __init__(self, counted: CountedWindow | None = None) -> None:
        self.counted = counted or CountedWindow()
        self.evaluation = Evaluation(rules_of(3, 5), None, POLICY, AlertContext(MONITOR, POLICY))

    def evaluate(self, today: int = DAY, *, full: bool = True) -> list[Alert]:
        """Evaluate the changes so far."""
        self.evaluation.begin()
        alerts = self.evaluation.evaluate(
            self.counted.view(),
            self.counted.instance(today, full=full),
            MONITOR.known_on(date.fromordinal(EPOCH.toordinal() + today)),
        )
        self.counted.evaluated()
        return alerts

    def suppressed(self) -> list[tuple[str, str | None, str, int, int, int]]:
        """Return the suppressed changes of the last evaluation, each as a row."""
        return [
            (
                each.signal_key,
                each.told_as,
                each.reason.value,
                each.revision,
                each.n_observed,
                each.n_published,
            )
            for each in self.evaluation.suppressions(self.counted.view(), DAY)
        ]


@pytest.fixture
def run() -> Run:
    """Zinc and Rash three times among ten cases."""
    run = Run()
    run.counted.count(["A", "B", "C"], ["zinc"], ["Rash"], region="japan", serious=True)
    run.counted.count([f"D{n}" for n in range(7)], ["iron"], ["Fever"], age="child")
    return run


def test_new_signals_are_published_by_name_and_held(run: Run) -> None:
    iron, zinc = run.evaluate()
    assert (iron.drug, iron.event, iron.kind.value, iron.rules_fired) == (
        *("iron", "Fever", "new"),
        ("from_3", "from_5"),
    )
    assert (zinc.drug, zinc.counts.n_observed, zinc.rules_fired) == ("zinc", 3, ("from_3",))
    assert zinc.case_ids == ("A", "B", "C")
    assert (zinc.n_serious, zinc.n_paediatric, zinc.regions) == (3, 0, ("japan",))
    assert (iron.n_serious, iron.n_paediatric, iron.regions) == (0, 7, ())
    held = run.evaluation.signals["cumulative"]
    by_pair = dict(zip(run.counted.pairs(held.rows["key"]), held.rows, strict=True))
    zinc_row = by_pair["zinc", "Rash"]
    assert (zinc_row["revision"], zinc_row["on"], zinc_row["n_observed"]) == (1, 0b01, 3)
    assert (zinc_row["evaluated_on"], zinc_row["evaluated_n"]) == (DAY, 3)
    key = run.counted.key("zinc", "Rash")
    assert set(held.named[key]) == set(pl.Series(["A", "B", "C"]).hash())
    assert run.evaluation.crossings == 3  # two rules of iron, one of zinc
    assert run.suppressed() == []


def test_nothing_new_publishes_nothing_and_suppresses_nothing(run: Run) -> None:
    run.evaluate()
    assert run.evaluate(DAY + 1) == []
    assert run.suppressed() == []
    assert run.evaluation.crossings == 3


def test_a_few_more_cases_are_suppressed_until_they_are_many(run: Run) -> None:
    run.evaluate()
    run.counted.count(["E"], ["zinc"], ["Rash"], region="japan")
    assert run.evaluate(DAY + 1, full=False) == []
    key = "zinc|Rash|cumulative"
    assert run.suppressed() == [(key, None, "few_more_cases", 1, 4, 3)]
    assert run.evaluation.suppressed == {"few_more_cases": 1}
    run.counted.count(["F", "G"], ["zinc"], ["Rash"], region="japan")
    (alert,) = run.evaluate(DAY + 2, full=False)
    assert run.suppressed() == []
    # Six are three more than published, and twice as many; the rule of five came to fire.
    assert (alert.signal_key, alert.revision, alert.kind.value) == (key, 2, "strengthened")
    assert [reason.value for reason in alert.reasons][:2] == ["further_rule", "more_cases"]
    assert (alert.n_new, alert.counts.n_observed) == (3, 6)
    previous = alert.previous
    assert previous is not None
    assert (previous.revision, previous.n_observed, previous.rules_fired) == (1, 3, ("from_3",))
    assert run.evaluation.crossings == 4


def test_a_first_fatal_case_and_a_new_region_are_published(run: Run) -> None:
    run.evaluate()
    run.counted.count(["E"], ["zinc"], ["Rash"], region="japan", fatal=True)
    (alert,) = run.evaluate(DAY + 1)
    assert [reason.value for reason in alert.reasons] == ["first_fatal"]
    assert (alert.n_fatal, alert.urgent, alert.due) == (1, True, date(2024, 3, 4))
    run.counted.count(["F"], ["zinc"], ["Rash"], region="asia", fatal=True)
    (alert,) = run.evaluate(DAY + 2)
    # The fifth case as well: the rule of five came to fire.
    assert [reason.value for reason in alert.reasons] == ["further_rule", "new_region"]
    assert (alert.regions, alert.urgent) == (("asia", "japan"), False)


def test_a_published_fact_of_which_no_case_is_left_is_withdrawn(run: Run) -> None:
    run.evaluate()
    run.counted.count(["E"], ["zinc"], ["Rash"], region="asia", fatal=True)
    run.evaluate(DAY + 1)
    # E was amended: it was not fatal. It stays a case of the pair, and one of Asia.
    run.counted.count(["E"], ["zinc"], ["Rash"], region="asia", fatal=True, n=-1)
    run.counted.count(["E"], ["zinc"], ["Rash"], region="asia")
    (alert,) = run.evaluate(DAY + 2)
    assert [reason.value for reason in alert.reasons] == ["facts_withdrawn"]
    assert (alert.kind.value, alert.n_fatal, alert.regions) == ("update", 0, ("asia", "japan"))


def test_retracted_cases_close_a_signal(run: Run) -> None:
    run.evaluate()
    run.counted.count(["B"], ["zinc"], ["Rash"], region="japan", serious=True, n=-1)
    (alert,) = run.evaluate(DAY + 1)
    assert (alert.kind.value, alert.rules_fired, alert.case_ids) == ("retraction", (), ("A", "C"))
    assert [reason.value for reason in alert.reasons] == ["cases_retracted", "no_rule_on"]
    assert run.evaluate(DAY + 2) == []


def test_a_suppressed_lot_names_the_signal_that_was_published_for_it() -> None:
    run = Run()
    run.counted.count(["A", "B", "C"], ["engineered-ev", "lot:A|1"], ["Sepsis"])
    (alert,) = run.evaluate()
    assert alert.drug == "engineered-ev"
    lot = ("lot%3AA%7C1|Sepsis|cumulative", "engineered-ev|Sepsis|cumulative")
    assert run.suppressed() == [(*lot, "same_cases", 1, 3, 3)]
    run.evaluate(DAY + 1)
    assert run.suppressed() == []
    assert run.evaluation.suppressed == {"same_cases": 1}


def test_a_restored_evaluation_goes_on_where_the_alerts_left_off(run: Run) -> None:
    published = run.evaluate()
    again = Run(run.counted)
    again.evaluation.restore(published, run.counted.drugs, run.counted.events)
    assert again.evaluate(DAY + 1) == []
    run.counted.count(["E", "F", "G"], ["zinc"], ["Rash"], region="japan")
    (alert,) = again.evaluate(DAY + 1)
    assert (alert.revision, alert.kind.value, alert.n_new) == (2, "strengthened", 3)
    unknown = Run(run.counted)
    assert [alert.revision for alert in unknown.evaluate(DAY + 1)] == [1, 1]


def test_an_empty_window_has_no_alerts_and_is_known() -> None:
    run = Run()
    assert run.evaluate() == []
    assert len(run.evaluation.signals["cumulative"].rows) == 0
