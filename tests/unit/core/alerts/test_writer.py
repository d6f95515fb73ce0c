"""Alerts of decided pairs: their fields, worked out by hand, complete when they are made."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from schemas.alert import Alert, SignalGrade
from schemas.notice import Notice, NoticeKind
from streams.core.alerts.context import AlertContext
from streams.core.alerts.priority import level_thresholds, priority_on
from streams.core.alerts.writer import AlertWriter, WrittenAlerts
from streams.core.cases.domain_case import encode_domain_case
from streams.core.safety.monitor import SafetyMonitor
from streams.core.signals.anytime_test import SequentialTests
from streams.core.signals.decisions import GRADES, Decisions
from streams.core.signals.lifecycle import decide
from streams.core.signals.new_evidence import FATAL, PAEDIATRIC_BIT, CaseChanges, region_mask
from streams.core.signals.published_signals import Signals
from streams.core.signals.realert_policy import load_policy
from streams.core.signals.scorer import Scorer
from streams.core.signals.window_scores import score_window
from tests.support.counted_window import AS_OF, DAY, CountedWindow, rules_of
from tests.support.versions import CELLS, make_domain_case

TODAY = date(2024, 2, 29)
SCORER = Scorer(rules_of(3))
POLICY = load_policy().model_copy(update={"designated_events": ["Endocarditis"]})


class Desk:
    """A window, what was published of it, and a writer."""

    def __init__(self) -> None:
        self.counted, self.signals = CountedWindow(), Signals()
        self.monitor = SafetyMonitor()
        self.context = AlertContext(self.monitor, POLICY)
        self.writer = AlertWriter(SCORER, POLICY, self.context)
        self.decided: Decisions | None = None

    def write(self, test: SequentialTests | None = None) -> WrittenAlerts:
        """Write what is due of the window as it is counted."""
        view = self.counted.view(test)
        scores = score_window(SCORER, view, self.counted.instance(), self.signals)
        assert scores is not None
        known = len(scores.known)
        self.decided = decide(
            scores.pairs,
            self.signals,
            CaseChanges.none(known),
            np.zeros(known, dtype=np.int64),
            POLICY,
        )
        on_day = self.monitor.known_on(TODAY)
        return self.writer.write(scores, self.decided, self.signals, view, on_day)


@pytest.fixture
def desk() -> Desk:
    """Four cases of zinc and Rash, three of iron and Fever, and three others."""
    desk = Desk()
    rash = (["zinc"], ["Rash"])
    desk.counted.count(["A"], *rash, region="japan", day=DAY - 9, origin="JP\x1fp\x1fONE")
    desk.counted.count(["B"], *rash, age="child", serious=True, origin="US\x1f\x1fTWO")
    desk.counted.count(["C"], *rash, region="asia", serious=True, fatal=True)
    desk.counted.count(["D"], *rash, region="japan", origin="JP\x1fp\x1fONE")
    desk.counted.count(["E", "F", "G"], ["iron"], ["Fever"], indications="Fever")
    desk.counted.count(["H", "I"], ["zinc"], ["Cough"])
    desk.counted.count(["J"], ["lead"], ["Rash"])
    return desk


def test_an_alert_sums_up_the_cases_of_its_pair(desk: Desk) -> None:
    iron, zinc = desk.write().alerts
    assert (zinc.drug, zinc.event, zinc.signal_key) == ("zinc", "Rash", "zinc|Rash|cumulative")
    # 10 cases: 6 with zinc, 5 with Rash, 4 with both.
    assert zinc.counts.model_dump() == {"n_observed": 4, "n_drug": 6, "n_event": 5, "n_total": 10}
    assert zinc.statistics.expected == pytest.approx(6 * 5 / 10)
    # By stratum: adults of no region 2 * 1 / 6, of Japan 2 * 2 / 2, of Asia 1, the child 1.
    assert zinc.statistics.expected_stratified == pytest.approx(2 / 6 + 2 + 1 + 1)
    assert (zinc.n_serious, zinc.n_fatal, zinc.n_paediatric) == (2, 1, 1)
    assert (zinc.regions, zinc.countries) == (("asia", "japan"), ("JP", "US"))
    assert (zinc.n_sources, zinc.n_by_professional) == (3, 3)  # A, ONE and TWO
    assert (zinc.first_received, zinc.last_received) == (date(2024, 2, 20), TODAY)
    assert zinc.case_ids == ("A", "B", "C", "D")
    assert (zinc.completeness, zinc.n_missing_lot, zinc.n_new) == (50.0, 4, None)
    assert zinc.patients is not None
    assert (zinc.patients.child, zinc.patients.adult, zinc.patients.female) == (1, 3, 4)
    assert (zinc.as_of, zinc.evaluated_on) == (tuple(AS_OF), TODAY)
    assert (iron.case_ids, iron.n_serious, iron.regions) == (("E", "F", "G"), 0, ())
    assert (zinc.burst, zinc.context, zinc.n_post_notice) == (None, None, None)
    assert (iron.indication_confounding, zinc.indication_confounding) == (True, False)
    restricted = iron.restricted
    assert restricted is not None
    assert restricted.counts.model_dump() == dict.fromkeys(restricted.counts.model_dump(), 3)


def test_the_published_state_takes_facets_and_hashes_of_the_cases(desk: Desk) -> None:
    written = desk.write()
    assert desk.decided is not None
    keys = [desk.counted.key("zinc", "Rash"), desk.counted.key("iron", "Fever")]
    of_zinc = FATAL | PAEDIATRIC_BIT | region_mask(["asia", "japan"])
    assert written.stated["facets"].tolist() == [
        of_zinc,
        0,
    ]  # in the order of the decisions, by key
    assert list(written.named) == keys == sorted(keys)
    for key, names in zip(keys, ("ABCD", "EFG"), strict=True):
        assert set(written.named[key]) == set(pl.Series(list(names)).hash())


def test_an_alert_says_how_urgent_it_is_and_what_to_do_by_when(desk: Desk) -> None:
    iron, zinc = desk.write().alerts
    assert (zinc.urgent, zinc.due) == (True, date(2024, 3, 3))  # three days: a case is fatal
    assert (iron.urgent, iron.due) == (False, date(2024, 3, 30))
    assert zinc.next_step.endswith("or record why not. Due 2024-03-03 (urgent).")
    assert (zinc.first_alert_on, zinc.first_alarm_on, zinc.n_drug_recent) == (TODAY, TODAY, 6)
    assert zinc.priority is not None
    assert zinc.priority == priority_on(zinc, TODAY)
    # No rule needs the bound within strata to be above 0; four cases of three expected are chance.
    lower = zinc.statistics.ic_lower_adjusted
    assert lower is not None
    assert zinc.priority.parts == {
        "evidence": 0.05 * 2**lower,
        "seriousness": 2.5 / 5,
        "newness": 1.0,
        "freshness": 1.0,
        "grade": 1.0,
        "explained": 0.0,
        "listed": None,
    }


def test_first_days_and_recent_cases_go_on_from_the_published_state(desk: Desk) -> None:
    """Of the cases of the drug, those of 182 days are recent; the total is kept for the levels."""
    desk.counted.count(["X"], ["zinc"], ["Ache"], day=DAY - 182)
    desk.counted.count(["Y"], ["zinc"], ["Ache"], day=DAY - 181)
    key = desk.counted.key("zinc", "Rash")
    known = {"key": key, "revision": 2, "on": 0, "first_alert": DAY - 40, "total": 0.25}
    desk.signals.publish(Signals.row(**known, grade=GRADES.index(SignalGrade.SCREENING)), {key: []})
    written = desk.write()
    zinc = next(alert for alert in written.alerts if alert.drug == "zinc")
    assert (zinc.counts.n_drug, zinc.n_drug_recent) == (8, 7)
    assert zinc.n_comparators == 4  # iron and lead; all are adults of one quarter but the child
    assert (zinc.first_alert_on, zinc.first_alarm_on) == (TODAY - timedelta(days=40), TODAY)
    assert written.stated["first_alert"].tolist() == [DAY - 40, DAY]
    assert written.stated["first_alarm"].tolist() == [DAY, DAY]
    assert written.stated["total"].tolist() == [
        alert.priority.total for alert in reversed(written.alerts) if alert.priority
    ]
    assert written.stated["due"].tolist() == [
        (alert.due - date(1970, 1, 1)).days for alert in reversed(written.alerts) if alert.due
    ]


def test_the_levels_are_of_the_signals_that_were_revised_in_a_year(desk: Desk) -> None:
    others = [f"d{place}" for place in range(40)]
    desk.counted.count(["X"], others, ["Ache"])
    keys = [desk.counted.key(other, "Ache") for other in others]
    rows = Signals.row(key=keys, revision=1, on=1, total=[place / 100 for place in range(40)])
    rows["evaluated_on"] = DAY - 364
    desk.signals.publish(rows, {key: np.empty(0, dtype=np.uint64) for key in keys})

    def thresholds() -> list[Any]:
        alerts = desk.write().alerts
        assert len(alerts) == 42
        return [alert.priority.thresholds for alert in alerts if alert.priority]

    assert thresholds() == [{"high": 0.36, "medium": 0.24}] * 42
    desk.signals.rows["evaluated_on"][:30] = DAY - 365  # ten are too few
    assert thresholds() == [level_thresholds(())] * 42


def test_nothing_changes_an_alert_after_it_was_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, dict[str, Any]] = {}
    plain = Alert.model_construct

    def construct(**values: Any) -> Alert:
        made[values["alert_id"]] = values
        return plain(**values)

    monkeypatch.setattr(Alert, "model_construct", construct)
    for name in "KLM":
        desk.monitor.count([(encode_domain_case(make_domain_case(name)), 1)])
    desk.counted.count(["K", "L", "M"], [CELLS], ["Sepsis"])
    alerts = desk.write().alerts
    assert len(alerts) == len(made) == 3
    assert alerts[0].context is not None
    for alert in alerts:
        assert vars(alert) == vars(alert) | made[alert.alert_id]
        assert list(vars(alert)) == list(Alert.model_fields)
        assert Alert.model_validate(vars(alert)) == alert


def test_a_product_of_the_domain_has_a_context_that_is_remembered(desk: Desk) -> None:
    for name in "KLM":
        desk.monitor.count([(encode_domain_case(make_domain_case(name, exposure_ongoing=True)), 1)])
    acted = Notice(
        notice_id="1",
        subject_id="R-1",
        kind=NoticeKind.REGULATORY_ACTION,
        received=date(2024, 2, 28),
        source="gazette",
        authority="ministry",
        product_class=CELLS,
    )
    desk.monitor.apply_notice(acted)
    desk.counted.count(["K", "L"], [CELLS], ["Sepsis"])
    desk.counted.count(["M"], [CELLS], ["Sepsis"], day=DAY - 1)
    alert = next(each for each in desk.write().alerts if each.drug == CELLS)
    assert alert.context is not None
    assert (alert.context.n_cases, alert.context.exposure_ongoing) == (3, True)
    assert [each.notice_id for each in alert.context.notices] == ["1"]
    assert alert.n_post_notice == 2  # M was received on the day the ministry acted
    assert "still being treated" in alert.next_step
    assert desk.context.stale(desk.monitor.known_on(TODAY)) == ("cumulative",)


def test_a_designated_event_is_urgent() -> None:
    desk = Desk()
    desk.counted.count(["A", "B", "C"], ["zinc"], ["endocarditis"])
    (alert,) = desk.write().alerts
    assert alert.urgent


def test_the_anytime_valid_test_is_named_in_alerts_that_use_it(desk: Desk) -> None:
    plain = desk.write().alerts[0]
    assert (plain.test_recomputed, plain.statistics.e_value) == (None, None)
    test = desk.counted.tests("safe")
    test.close(DAY, desk.counted.log)
    tested = desk.write(test).alerts[0]
    assert tested.test_recomputed is False
    assert tested.statistics.e_value is not None
    assert tested.snapshot_id != plain.snapshot_id
