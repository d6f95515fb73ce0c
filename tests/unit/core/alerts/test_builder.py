"""Alerts as messages: identity, keys, sentences, bounds that are not finite."""

import hashlib
import math
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from detectors.rules import load_rules
from schemas.alert import (
    CAVEAT,
    Alert,
    AlertKind,
    AlertReason,
    InputOffset,
    SignalGrade,
    Statistics,
    Window,
    WindowKind,
)
from schemas.strata import Strata
from streams.core.alerts.builder import AlertBuilder, EvaluatedWindow, PairSummary
from streams.core.alerts.case_sources import Origins, sources_of
from streams.core.alerts.case_summaries import MOST_CASE_IDS, facts_of
from streams.core.alerts.sensitivity import SensitivityResult
from streams.core.counting.vocabulary import Vocabulary
from streams.core.signals.decisions import GRADES, KINDS, REASONS, Decisions
from streams.core.signals.new_evidence import FATAL, PAEDIATRIC_BIT, region_mask
from streams.core.signals.published_signals import Signals
from streams.core.signals.realert_policy import load_policy

RULES = load_rules("mhra", screening="ic")
POLICY = load_policy()
TODAY = date(2024, 2, 29)
STRATA = Strata(age_bands=(18.0, 65.0))
WINDOW = Window(
    kind=WindowKind.CUMULATIVE, label="cumulative", first_day=None, last_day=date(2024, 2, 29)
)
ROW: dict[str, Any] = {
    **dict.fromkeys(Statistics.model_fields, 1.25),
    "key": 0,
    "drug": "zinc",
    "event": "Rash",
    "n_observed": 3,
    "n_drug": 20,
    "n_event": 100,
    "n_total": 10_000,
    "entered": 0b11,
}
WAS: dict[str, Any] = {
    "revision": 1,
    "kind": KINDS.index(AlertKind.NEW),
    "evaluated_on": 19_700,
    "n_observed": 4,
    "ror_lower": math.inf,
    "ic_lower": 0.25,
    "on": 0b10,
}
FACETS = np.array([0, PAEDIATRIC_BIT | region_mask(["japan"]), region_mask(["asia"])])


def _cases(*rows: tuple[str, int, int, bool, bool]) -> pl.DataFrame:
    schema = {"key": pl.Int64, "case_id": pl.String, "day": pl.Int32, "stratum": pl.UInt32}
    found = pl.DataFrame(
        [(0, *row, at % 3, 0, 10 * at % 100, at == 2) for at, row in enumerate(rows)],
        schema={
            **{**schema, "serious": pl.Boolean, "fatal": pl.Boolean, "origin": pl.UInt32},
            "indications": pl.UInt32,
            "completeness": pl.UInt8,
            "suspected_duplicate": pl.Boolean,
        },
        orient="row",
    )
    return found.sort("key", "day", "case_id")


ORIGINS = Origins(Vocabulary(["JP\x1fp\x1fA", "\x1f\x1fA", "DE\x1fp\x1fB"]))


ONE_CASE = _cases(("A", 19_782, 0, True, False))


def _decisions(
    size: int,
    kind: str,
    reasons: tuple[str, ...],
    on: int,
    was: dict[str, Any],
    grade: SignalGrade = SignalGrade.ALARM,
) -> Decisions:
    mask = sum(1 << REASONS.index(AlertReason(reason)) for reason in reasons)
    nothing = np.empty(0, dtype=np.intp)
    return Decisions(
        rows=np.arange(size),
        kinds=np.full(size, KINDS.index(AlertKind(kind)), dtype=np.int8),
        reasons=np.full(size, mask),
        on=np.full(size, on),
        grades=np.full(size, GRADES.index(grade), dtype=np.int8),
        was=Signals.row(key=np.zeros(size, dtype=np.int64), **was),
        suppressed=nothing,
        why=nothing.astype(np.int8),
        crossings=0,
    )


def _build(
    rows: list[dict[str, Any]],
    cases: pl.DataFrame,
    decisions: Decisions,
    dropped: dict[int, tuple[str, ...]] | None = None,
    found: SensitivityResult | None = None,
) -> list[Alert]:
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        drug_label=pl.col("drug").str.to_titlecase(), event_label=pl.col("event").str.to_uppercase()
    )
    facts = facts_of(cases, frame["key"].to_numpy(), FACETS).drop("key")
    sources = sources_of(cases, frame["key"].to_numpy(), ORIGINS.parts).drop("key")
    return AlertBuilder(RULES, POLICY).build(
        frame.hstack(facts)
        .hstack(sources)
        .with_columns(n_post_notice=None, n_drug_recent=None, n_comparators=None),
        decisions,
        [PairSummary(found or SensitivityResult(), None, {}, {})] * len(rows),
        EvaluatedWindow(
            window=WINDOW,
            evaluated_on=TODAY,
            as_of=[InputOffset(topic="pv.reports", partition=0, next_offset=7)],
            strata=STRATA,
        ),
        dropped=dropped or {},
    )


def _alert(
    cases: pl.DataFrame = ONE_CASE,
    *,
    kind: str = "new",
    reasons: tuple[str, ...] = ("first",),
    on: int | None = None,
    was: dict[str, Any] | None = None,
    dropped: dict[int, tuple[str, ...]] | None = None,
    grade: SignalGrade = SignalGrade.ALARM,
    **changes: Any,
) -> Alert:
    row = {**ROW, **changes}
    on = row["entered"] if on is None else on
    decisions = _decisions(1, kind, reasons, on, was or {}, grade)
    (alert,) = _build([row], cases, decisions, dropped)
    return alert


def test_the_id_is_a_hash_of_signal_rules_policy_and_revision_alone() -> None:
    text = f"zinc|Rash|cumulative\n{RULES.rules_hash}\n{POLICY.policy_hash}\n2"
    assert _alert(was=WAS).alert_id == hashlib.sha256(text.encode()).hexdigest()[:32]
    same = _alert(n_observed=4, reasons=("rule_off",), kind="weakened", was=WAS)
    assert same.alert_id == _alert(was=WAS).alert_id
    third = WAS | {"revision": 2}
    others = [_alert(), _alert(was=third), _alert(drug="iron"), _alert(event="Fever")]
    assert len({alert.alert_id for alert in (same, *others)}) == 5


def test_an_alert_survives_json() -> None:
    alert = _alert(was=WAS, ror_upper=math.inf)
    assert Alert.model_validate_json(alert.model_dump_json()) == alert


def test_what_is_not_finite_is_null() -> None:
    alert = _alert(was=WAS, ror=math.inf, ror_lower=None, ror_upper=math.inf, prr_upper=math.nan)
    numbers = alert.statistics
    assert (numbers.ror, numbers.ror_lower, numbers.ror_upper, numbers.prr_upper) == (None,) * 4
    assert alert.previous is not None
    assert alert.previous.ror_lower is None
    assert "ROR unbounded (every case with" in alert.sentence
    assert "Infinity" not in alert.model_dump_json()


def test_rules_are_named_and_those_that_are_on_sorted() -> None:
    alert = _alert(entered=0b11)
    assert alert.rules_fired == ("ic", "mhra")
    assert [(rule.name, rule.fired) for rule in alert.rules] == [("mhra", True), ("ic", True)]
    assert all(rule.sentence and rule.exit_sentence for rule in alert.rules)
    assert [rule.fired for rule in _alert(entered=0b10).rules] == [False, True]
    off = _alert(entered=0, kind="closed", reasons=("no_rule_on",), was=WAS)
    assert off.sentence.endswith(". No longer met: IC025.")


def test_a_rule_that_is_only_held_is_told_apart() -> None:
    alert = _alert(entered=0b01, on=0b11, was=WAS)
    assert alert.rules_fired == ("ic", "mhra")
    assert [(rule.fired, rule.held) for rule in alert.rules] == [(True, False), (True, True)]
    exit_ = "till on, below the threshold but not past the exit: IC025."
    assert alert.sentence.endswith(f". Rule met: MHRA; s{exit_}")
    held = _alert(entered=0, on=0b10, was=WAS).sentence
    assert held.endswith(f". S{exit_}")


def test_what_ended_a_rule_is_in_its_outcome() -> None:
    lost = {"was": WAS | {"on": 0b11}, "kind": "weakened", "reasons": ("rule_off",)}
    alert = _alert(entered=0b10, on=0b10, prr=1.5, chi2_yates=9.0, n_observed=2, **lost)
    found = [(each.statistic, each.value, each.exit) for each in alert.rules[0].past_exit]
    assert found == [("prr", 1.5, 1.68), ("n_observed", 2.0, 3.0)]
    assert alert.rules[1].past_exit == ()
    undefined = _alert(entered=0b10, on=0b10, prr=None, chi2_yates=9.0, **lost).rules[0]
    assert [(each.statistic, each.value) for each in undefined.past_exit] == [("prr", None)]
    infinite = _alert(entered=0b10, on=0b10, prr=math.inf, chi2_yates=1.5, **lost).rules[0]
    assert [each.statistic for each in infinite.past_exit] == ["chi2_yates"]
    thresholds = [(each.statistic, each.op, each.value, each.exit) for each in infinite.thresholds]
    assert thresholds == [
        ("prr", ">=", 2.0, 1.68), ("chi2_yates", ">=", 4.0, 2.71), ("n_observed", ">=", 3.0, 3.0),
    ]  # fmt: skip


def test_grades_of_rules_signal_and_previous_revision() -> None:
    alert = _alert(entered=0b10, grade=SignalGrade.SCREENING, was=WAS)
    assert [(rule.name, rule.grade) for rule in alert.rules] == [
        ("mhra", "alarm"),
        ("ic", "screening"),
    ]
    assert alert.previous is not None
    assert (alert.grade, alert.previous.grade) == ("screening", "alarm")
    graded = WAS | {"grade": GRADES.index(SignalGrade.SCREENING)}
    raised = _alert(entered=0b11, was=graded)
    assert raised.previous is not None
    assert (raised.grade, raised.previous.grade) == ("alarm", "screening")
    off = _alert(entered=0, grade=SignalGrade.SCREENING, kind="closed", was=graded)
    assert off.grade == "screening"


def test_every_reason_is_given_as_code_and_in_words() -> None:
    alert = _alert(kind="weakened", reasons=("first_fatal", "cases_retracted"), was=WAS)
    assert alert.reasons == (AlertReason.CASES_RETRACTED, AlertReason.FIRST_FATAL)
    assert alert.reason == "cases withdrawn; first 0 fatal cases"
    assert alert.headline == f"RASH with Zinc: {alert.reason}"


def test_what_its_cases_were_is_in_the_previous_revision() -> None:
    facets = FATAL | region_mask(["asia", "japan"])
    previous = _alert(was=WAS | {"facets": facets}).previous
    assert previous is not None
    assert (previous.any_fatal, previous.any_paediatric) == (True, False)
    assert previous.regions == ("asia", "japan")


def test_unbounded_statistics_are_named_and_undefined_ones_are_not() -> None:
    alert = _alert(ror=math.inf, ror_lower=3.5, ror_upper=math.inf, prr=None, e_value=math.inf)
    assert alert.unbounded == ("ror", "ror_upper", "e_value")
    assert (alert.statistics.ror, alert.statistics.prr, alert.statistics.e_value) == (None,) * 3
    assert _alert(ebgm=None).unbounded == ()
    rows = [ROW, {**ROW, "drug": "iron", "key": 1, "prr": math.inf}]
    both = _build(rows, ONE_CASE, _decisions(2, "new", ("first",), 0b11, {}))
    assert [(alert.drug, alert.unbounded) for alert in both] == [("Iron", ("prr",)), ("Zinc", ())]


def test_the_previous_revision_is_told() -> None:
    assert _alert().previous is None
    previous = _alert(was=WAS).previous
    assert previous is not None
    assert previous.evaluated_on == date(2023, 12, 9)
    assert (previous.kind.value, previous.n_observed, previous.rules_fired) == ("new", 4, ("ic",))
    assert (previous.ror_lower, previous.ic_lower) == (None, 0.25)
    dropped = _alert(was=WAS, dropped={0: ("eb05",), 1: ("safe",)}).previous
    assert dropped is not None
    assert dropped.rules_fired == ("eb05", "ic")


def test_cases_are_sorted_and_summed() -> None:
    alert = _alert(
        _cases(("B", 5, 0, True, True), ("A", 9, 1, True, False), ("C", 7, 2, False, False)),
    )
    assert alert.case_ids == ("A", "B", "C")
    assert (alert.n_serious, alert.n_fatal, alert.n_paediatric) == (2, 1, 1)
    assert alert.regions == ("asia", "japan")
    assert (str(alert.first_received), str(alert.last_received)) == ("1970-01-06", "1970-01-10")


def test_a_pair_without_cases_left_has_none() -> None:
    alert = _alert(_cases(), n_observed=0, entered=0, kind="retraction", was=WAS)
    assert (alert.n_by_professional, alert.n_sources, alert.n_suspected_duplicates) == (0, 0, 0)
    assert (alert.countries, alert.completeness) == ((), None)
    assert (alert.case_ids, alert.n_serious, alert.n_fatal) == ((), 0, 0)
    assert (alert.n_paediatric, alert.regions) == (0, ())
    assert (alert.first_received, alert.last_received) == (None, None)


def test_of_more_than_a_thousand_cases_the_latest_are_named() -> None:
    rows = [(f"case {n:05}", n, 0, True, n % 2 == 0) for n in range(1500)]
    alert = _alert(_cases(*rows), n_observed=1500)
    assert alert.case_ids == tuple(f"case {n:05}" for n in range(500, 1500))
    assert len(alert.case_ids) == MOST_CASE_IDS
    assert (alert.n_serious, alert.n_fatal) == (1500, 750)
    assert str(alert.first_received) == "1970-01-01"


def test_alerts_of_one_evaluation_come_by_drug_and_event() -> None:
    pairs = [("b", "x"), ("a", "y"), ("a", "x")]
    rows = [{**ROW, "key": k, "drug": d, "event": e} for k, (d, e) in enumerate(pairs)]
    alerts = _build(rows, ONE_CASE, _decisions(3, "new", ("first",), 1, {}))
    keys = [alert.signal_key.removesuffix("|cumulative") for alert in alerts]
    assert keys == ["a|x", "a|y", "b|x"]
    assert [(alert.drug, alert.event) for alert in alerts] == [("A", "X"), ("A", "Y"), ("B", "X")]
    assert {alert.caveat for alert in alerts} == {CAVEAT}
    assert {alert.rules_hash for alert in alerts} == {RULES.rules_hash}
    assert {alert.policy_hash for alert in alerts} == {POLICY.policy_hash}
