"""Alerts as messages: identity, keys, sentences, bounds that are not finite."""

import hashlib
import math
from datetime import date
from typing import Any

import polars as pl
import pytest

from detectors.rules import load_rules
from schemas.alert import CAVEAT, Alert, InputOffset, Statistics, Window, WindowKind
from streams.topology.alerts import MOST_CASE_IDS, AlertBuilder, signal_key

RULES = load_rules(["mhra", "ic"])
TODAY = date(2024, 2, 29)
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
    "fired": 0b11,
    "kind": "new",
    "reason": "a rule fires for the first time",
    "revision": 1,
    "was_revision": None,
    "was_kind": None,
    "was_evaluated_on": None,
    "was_n_observed": None,
    "was_ror_lower": None,
    "was_ic_lower": None,
    "was_fired": None,
}
WAS = {
    "was_revision": 1,
    "was_kind": "new",
    "was_evaluated_on": 19_700,
    "was_n_observed": 4,
    "was_ror_lower": math.inf,
    "was_ic_lower": 0.25,
    "was_fired": 0b10,
}


def _cases(*rows: tuple[str, int, bool, bool]) -> pl.DataFrame:
    schema = ["key", "case_id", "day", "serious", "fatal"]
    types = [pl.Int64, pl.String, pl.Int32, pl.Boolean, pl.Boolean]
    found = pl.DataFrame(
        [(0, *row) for row in rows], schema=dict(zip(schema, types, strict=True)), orient="row"
    )
    return found.sort("key", "day", "case_id")


ONE_CASE = _cases(("A", 19_782, True, False))


def _alert(cases: pl.DataFrame = ONE_CASE, **changes: Any) -> Alert:
    (alert,) = AlertBuilder(RULES).build(
        pl.DataFrame([{**ROW, **changes}], infer_schema_length=None),
        cases,
        window=WINDOW,
        evaluated_on=TODAY,
        as_of=[InputOffset(topic="pv.reports", partition=0, next_offset=7)],
    )
    return alert


def test_the_id_is_a_hash_of_signal_rules_and_revision_alone() -> None:
    text = f"zinc|Rash|cumulative\n{RULES.rules_hash}\n2"
    assert _alert(revision=2).alert_id == hashlib.sha256(text.encode()).hexdigest()[:32]
    same = _alert(revision=2, n_observed=4, reason="another", kind="weakened", **WAS)
    assert same.alert_id == _alert(revision=2).alert_id
    others = [_alert(), _alert(revision=3), _alert(drug="iron"), _alert(event="Fever")]
    assert len({alert.alert_id for alert in (same, *others)}) == 5


@pytest.mark.parametrize(
    ("drug", "event", "key"),
    [
        ("zinc oxide", "Rash", "zinc oxide|Rash|cumulative"),
        ("A|B", "100%", "A%7CB|100%25|cumulative"),
        ("A", "B|cumulative", "A|B%7Ccumulative|cumulative"),
        ("a/b", "naïve\n", "a%2Fb|na%C3%AFve%0A|cumulative"),
        (
            "エクソソーム",
            "x",
            "%E3%82%A8%E3%82%AF%E3%82%BD%E3%82%BD%E3%83%BC%E3%83%A0|x|cumulative",
        ),
    ],
)
def test_a_signal_key_can_be_taken_apart_again(drug: str, event: str, key: str) -> None:
    assert signal_key(drug, event, "cumulative") == key
    assert key.count("|") == 2


def test_an_alert_survives_json() -> None:
    alert = _alert(**WAS, ror_upper=math.inf)
    assert Alert.model_validate_json(alert.model_dump_json()) == alert


def test_what_is_not_finite_is_null() -> None:
    alert = _alert(**WAS, ror=math.inf, ror_lower=None, ror_upper=math.inf, prr_upper=math.nan)
    numbers = alert.statistics
    assert (numbers.ror, numbers.ror_lower, numbers.ror_upper, numbers.prr_upper) == (None,) * 4
    assert alert.previous is not None
    assert alert.previous.ror_lower is None
    assert "ROR" not in alert.sentence
    assert "Infinity" not in alert.model_dump_json()


def test_rules_are_named_and_those_that_fire_sorted() -> None:
    alert = _alert(fired=0b11)
    assert alert.rules_fired == ("ic", "mhra")
    assert [(rule.name, rule.fired) for rule in alert.rules] == [("mhra", True), ("ic", True)]
    assert all(rule.sentence for rule in alert.rules)
    assert [rule.fired for rule in _alert(fired=0b10).rules] == [False, True]
    assert _alert(fired=0, kind="cleared").sentence.endswith(". No rule fires.")


def test_the_sentence_says_what_happened_in_words() -> None:
    assert _alert(ror=6.2, ror_lower=1.924, ror_upper=19.975, expected=0.512).sentence == (
        "Rash is reported disproportionately often with zinc: 3 cases, 0.512 expected if they were "
        "independent; ROR 6.2 [1.92, 20]; IC 1.25 [1.25, 1.25]. Rules that fire: ic, mhra."
    )
    assert ": 1 case, " in _alert(n_observed=1).sentence
    assert "[0, unbounded]" in _alert(ror=0.0, ror_lower=0.0, ror_upper=None).sentence
    bare = _alert(expected=None, ror=None, ic=None, kind="weakened", **WAS).sentence
    assert bare == (
        "Rash is reported less disproportionately than before with zinc: 3 cases. "
        "Rules that fire: ic, mhra."
    )


def test_the_previous_revision_is_told() -> None:
    assert _alert().previous is None
    previous = _alert(revision=2, **WAS).previous
    assert previous is not None
    assert previous.evaluated_on == date(2023, 12, 9)
    assert (previous.kind.value, previous.n_observed, previous.rules_fired) == ("new", 4, ("ic",))


def test_cases_are_sorted_and_summed() -> None:
    alert = _alert(
        _cases(("B", 5, True, True), ("A", 9, True, False), ("C", 7, False, False)),
    )
    assert alert.case_ids == ("A", "B", "C")
    assert (alert.n_serious, alert.n_fatal) == (2, 1)
    assert (str(alert.first_received), str(alert.last_received)) == ("1970-01-06", "1970-01-10")


def test_a_pair_without_cases_left_has_none() -> None:
    alert = _alert(_cases(), n_observed=0, fired=0, kind="cleared", **WAS)
    assert (alert.case_ids, alert.n_serious, alert.n_fatal) == ((), 0, 0)
    assert (alert.first_received, alert.last_received) == (None, None)


def test_of_more_than_a_thousand_cases_the_latest_are_named() -> None:
    rows = [(f"case {n:05}", n, True, n % 2 == 0) for n in range(1500)]
    alert = _alert(_cases(*rows), n_observed=1500)
    assert alert.case_ids == tuple(f"case {n:05}" for n in range(500, 1500))
    assert len(alert.case_ids) == MOST_CASE_IDS
    assert (alert.n_serious, alert.n_fatal) == (1500, 750)
    assert str(alert.first_received) == "1970-01-01"


def test_alerts_of_one_evaluation_come_by_drug_and_event() -> None:
    pairs = [("b", "x"), ("a", "y"), ("a", "x")]
    rows = [{**ROW, "key": k, "drug": d, "event": e} for k, (d, e) in enumerate(pairs)]
    alerts = AlertBuilder(RULES).build(
        pl.DataFrame(rows), ONE_CASE, window=WINDOW, evaluated_on=TODAY, as_of=[]
    )
    assert [(alert.drug, alert.event) for alert in alerts] == [("a", "x"), ("a", "y"), ("b", "x")]
    assert {alert.caveat for alert in alerts} == {CAVEAT}
    assert {alert.rules_hash for alert in alerts} == {RULES.rules_hash}
