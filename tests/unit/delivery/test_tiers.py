"""Copies of alerts for each tier: names, days, counts and reporters."""

import itertools
import json
import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert, AlertReason, SignalLevel
from schemas.clinical import PatientGroups, TimeToOnset
from schemas.context import Context
from schemas.decision import Assessment, SignalState
from schemas.notice import Patients
from schemas.rule_outcome import Fragility, RuleOutcome
from schemas.safety_alert import (
    AlertCategory,
    PreviousFacts,
    SafetyAlert,
    SafetyAlertKind,
    SafetyChange,
)
from schemas.scrutiny import Burst, ExplainedBy, Restricted
from schemas.subscription import Tier
from schemas.tables import Counts, RestrictedStatistics
from streams.core.wording.signal_text import signal_texts
from streams.delivery import tiers
from streams.delivery.tiers import CONSUMER_HAS, band, copy_for, is_hidden
from tests.support.alerts import KEY, NOW, copy_of, safety, signal
from tests.support.assessments import UNDECIDED


def test_no_name_of_a_unit_or_case_leaves_the_authority() -> None:
    for alert in (safety(), safety(AlertCategory.CASE_SERIES, subject="LC-0"), signal()):
        for tier in (Tier.PUBLIC, Tier.CONSUMER):
            text = json.dumps(copy_of(tier, alert))
            assert not any(word in text for word in ("EX117", "C-A", "NE-1"))
        assert "NE-1" in json.dumps(copy_of(Tier.AUTHORITY, alert))


HIDDEN = {
    (AlertCategory.FACILITY_CLUSTER, Tier.PUBLIC),
    (AlertCategory.FACILITY_CLUSTER, Tier.CONSUMER),
    (AlertCategory.USAGE_RULE, Tier.PUBLIC),
}


def test_the_tiers_of_every_category_are_decided() -> None:
    pairs = itertools.product(AlertCategory, Tier)
    assert {pair for pair in pairs if is_hidden(pair[1], safety(pair[0]))} == HIDDEN


def test_the_public_copy_has_no_day_and_no_number_that_depends_on_small_counts() -> None:
    for alert in (signal(7, fatal=2), safety(patients=Patients(at_least=4), n_verified=3)):
        copy = copy_of(Tier.PUBLIC, alert)
        assert "2024-01-01" not in json.dumps(copy)
        assert "2019-10" not in json.dumps(copy).replace('"2019-10"', "")
        numbers = {k: v for k, v in copy.items() if isinstance(v, int | float)}
        assert set(numbers) <= {"revision", "fires", "urgent"}
        assert copy["caveat"]


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_bands_keep_the_order(a: int, b: int) -> None:
    def low(n: int) -> int:
        return int(band(n).replace(" or more", "").partition("-")[0])

    assert (a > b) <= (low(a) >= low(b))
    assert low(a) <= a


def test_a_lot_has_one_code_under_one_key_and_another_under_another() -> None:
    def code(key: bytes, lot: str = "EX117") -> Any:
        return copy_for(Tier.CONSUMER, safety(subject=lot), key=key)["signal_key"]

    assert code(KEY) == code(KEY) != code(b"z" * 32)
    assert code(KEY) != code(KEY, "EX118")


def burst_signal(n_cases: int = 500, n: int = 503) -> Alert:
    counts = Counts(n_observed=n - n_cases, n_drug=40, n_event=160, n_total=20_000)
    burst = Burst(
        source="RIVAL LLC",
        received=date(2023, 12, 24),
        n_cases=n_cases,
        n_by_professional=7,
        counts_without=counts,
        rules_without=(),
        rules_not_asked=(),
    )
    restricted = Restricted(
        indication="cancer",
        n_stating=9,
        counts=counts,
        statistics=RestrictedStatistics(**dict.fromkeys(RestrictedStatistics.model_fields, 1.25)),
        rules_fired=(),
        rules_not_asked=(),
        supported=False,
    )
    found = {
        "n_by_professional": 13,
        "n_sources": 17,
        "countries": ("JP", "LI"),
        "completeness": 43.5,
        "n_suspected_duplicates": 19,
        "burst": burst,
        "indication_confounding": True,
        "n_life_threatening": 70_023,
        "n_missing_lot": 70_029,
        "n_stating_onset": 70_053,
        "n_late": 70_051,
        "first_onset": date(1957, 3, 14),
        "last_onset": date(1958, 3, 14),
        "n_positive_dechallenge": 70_031,
        "patients": PatientGroups(**dict.fromkeys(PatientGroups.model_fields, 70_037)),
        "time_to_onset": TimeToOnset(
            n=70_041,
            n_before=70_043,
            lower_quartile=70_047.25,
            median=70_047.5,
            upper_quartile=70_047.75,
        ),
        "restricted": restricted,
        "sentence": "500 of the 503 cases came from one source on one day",
    }
    return signal(n).model_copy(update=found)


def test_a_consumer_sees_the_counts_of_a_burst_without_its_source() -> None:
    copy = copy_of(Tier.CONSUMER, burst_signal())
    assert copy["burst"]["n_cases"] == 500
    assert (copy["n_sources"], copy["countries"]) == (17, ["JP", "LI"])
    assert copy["restricted"]["supported"] is False
    assert "RIVAL" not in json.dumps(copy)
    assert "RIVAL LLC" in json.dumps(copy_of(Tier.AUTHORITY, burst_signal()))
    assert copy_of(Tier.CONSUMER, signal())["burst"] is None


def test_only_an_authority_sees_how_few_cases_turn_a_rule_off() -> None:
    fragility = Fragility(cases=1, sources=1, lots=None, links=None)
    rule = RuleOutcome(
        name="mhra",
        sentence="s",
        exit_sentence="e",
        fired=True,
        held=False,
        fragility=fragility,
    )
    alert = signal().model_copy(update={"rules": (rule,)})
    whole, part = (copy_of(tier, alert)["rules"] for tier in (Tier.AUTHORITY, Tier.CONSUMER))
    assert whole[0]["fragility"] == fragility.model_dump(mode="json")
    assert part == [{name: value for name, value in whole[0].items() if name != "fragility"}]
    assert "fragility" not in json.dumps(copy_of(Tier.PUBLIC, alert))


def test_only_an_authority_sees_which_products_explain_a_pair() -> None:
    counts = Counts(n_observed=39, n_drug=40, n_event=160, n_total=20_000)
    found = ExplainedBy(
        product="OFTEN",
        n_shared=11,
        share=11 / 50,
        counts_without=counts,
        expected_without=4.5,
        ic_without=0.5,
        ic_lower_without=-1.5,
    )
    alert = signal(50).model_copy(update={"explained_by": (found,)})
    copies = {tier: copy_of(tier, alert) for tier in Tier}
    assert [one["product"] for one in copies[Tier.AUTHORITY]["explained_by"]] == ["OFTEN"]
    for tier in (Tier.CONSUMER, Tier.PUBLIC):
        assert "explained_by" not in copies[tier]
        assert "OFTEN" not in json.dumps(copies[tier])


def test_the_public_copy_does_not_depend_on_the_reporter() -> None:
    plain, told = (copy_of(Tier.PUBLIC, alert) for alert in (signal(503), burst_signal()))
    assert told == plain
    for word in ("RIVAL", "JP", "LI", "43.5", "13", "17", "19", "2023-12", "503", "700"):
        assert word not in json.dumps(told)


@pytest.mark.parametrize("alert", [signal(), safety(), safety(AlertCategory.CASE_SERIES)])
def test_only_an_authority_sees_the_assessor(alert: Alert | SafetyAlert) -> None:
    assessment = Assessment(
        state=SignalState.MONITORING, since=NOW, assignee="ann", decided_by="bo"
    )
    told = alert.model_copy(update={"assessment": assessment})
    for tier in (Tier.PUBLIC, Tier.CONSUMER):
        assert copy_of(tier, told) == copy_of(tier, alert)
        assert "assessment" not in copy_of(tier, alert)
    assert copy_of(Tier.AUTHORITY, alert)["assessment"] is None
    assert copy_of(Tier.AUTHORITY, told)["assessment"] == {
        "state": "monitoring",
        "since": "2024-01-01T00:00:00Z",
        "assignee": "ann",
        "decided_by": "bo",
        **UNDECIDED,
    }


def test_a_consumer_sees_the_seriousness_without_the_patients() -> None:
    copy = copy_of(Tier.CONSUMER, burst_signal())
    assert (copy["n_life_threatening"], copy["n_missing_lot"]) == (70_023, 70_029)
    assert copy["n_positive_dechallenge"] == 70_031
    assert (copy["n_late"], copy["n_stating_onset"]) == (70_051, 70_053)
    assert {"patients", "time_to_onset", "first_onset", "last_onset"}.isdisjoint(copy)
    for number in ("70037", "70041", "70043", "70047", "1957", "1958"):
        assert number not in json.dumps(copy)
    whole = copy_of(Tier.AUTHORITY, burst_signal())
    assert whole["patients"]["female"] == 70_037
    assert (whole["first_onset"], whole["last_onset"]) == ("1957-03-14", "1958-03-14")
    assert whole["time_to_onset"]["median"] == 70_047.5


def test_an_alert_without_a_headline_keeps_its_sentence_for_consumers() -> None:
    """An alert of an older version lacks the facts of the texts, and names no unit."""
    copy = copy_of(Tier.CONSUMER, safety())
    assert (copy["sentence"], copy["headline"], copy["n_cases"]) == ("3 cases of sepsis", None, 2)


def test_a_consumer_reads_of_a_lot_by_its_code_and_of_no_facility() -> None:
    was = PreviousFacts(
        revision=1,
        kind=SafetyAlertKind.NEW,
        evaluated_on=date(2019, 10, 9),
        n_cases=2,
        n_verified=2,
        n_lots=1,
        n_facilities=70_001,
    )
    alert = safety(
        revision=2,
        headline="h",
        n_cases=3,
        was=was,
        changes=(SafetyChange.CASES, SafetyChange.FACILITIES, SafetyChange.LOTS),
    )
    copy = copy_of(Tier.CONSUMER, alert)
    assert f", lot {copy['subject']}: 1 more case. 3 serious cases, up from 2;" in copy["sentence"]
    assert (copy["changes"], copy["reason"]) == (["cases"], "cases 2 to 3")
    told = json.dumps(copy).replace("n_facilities", "")
    assert not any(name in told for name in ("EX117", "C-A", "70001", "facilit"))
    assert (copy["was"]["n_lots"], copy["was"]["n_facilities"]) == (None, None)
    only_units = alert.model_copy(update={"changes": (SafetyChange.FACILITIES,)})
    assert copy_of(Tier.CONSUMER, only_units)["reason"] == "other facts"


def test_the_public_copy_has_a_text_of_its_own_fields() -> None:
    copy = copy_of(Tier.PUBLIC, safety(headline="h", n_cases=3))
    assert copy["sentence"] == (
        "Contamination and infection after exosomes or other extracellular vesicles: 1 to 10 "
        "serious cases that may share one lot (October 2019)."
    )
    assert copy["headline"] == copy["sentence"].removesuffix(".")
    assert copy["caveat"].endswith(
        "Do not stop or change a treatment because of this notice; ask a health professional."
    )
    assert {"next_step", "priority", "due", "was", "n_cases", "rule", "changes"}.isdisjoint(copy)


@given(st.integers(1, 10), st.integers(0, 10), st.booleans())
def test_public_texts_of_a_signal_have_no_number_but_bands_and_the_year(
    n: int, fatal: int, urgent: bool
) -> None:
    alert = signal(n, drug="FLU3", event="Guillain-Barre syndrome", fatal=min(fatal, n))
    copy = copy_of(Tier.PUBLIC, alert.model_copy(update={"urgent": urgent}))
    assert copy["sentence"] == (
        "Guillain-Barre syndrome with seasonal influenza vaccine: 1 to 10 reported cases, flagged "
        "for review (January 2024). A screening rule marked these reports for a closer look."
    )
    assert copy["caveat"].endswith("ask a health professional.")
    assert not re.search(r"\d", copy["caveat"])


def test_a_consumer_reads_the_code_of_a_lot_and_nothing_of_facilities() -> None:
    lot = signal(drug="lot:EX117").model_copy(update={"level": SignalLevel.LOT})
    reasons = (AlertReason.NEW_LOT, AlertReason.NEW_FACILITY)
    copy = copy_of(Tier.CONSUMER, lot.model_copy(update={"reasons": reasons}))
    code = copy["drug"].partition(":")[2]
    assert copy["headline"] == f"Sepsis with products of lot {code}: first case of another lot"
    assert copy["sentence"].startswith(copy["headline"])
    for text in (copy["headline"], copy["reason"], copy["sentence"], copy["next_step"]):
        assert "EX117" not in text
        assert "facility" not in text


def test_a_new_field_is_withheld_until_its_tiers_are_decided(
    founding_alerts: Sequence[Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    class WiderRule(RuleOutcome):
        newly: int = 70_061

    class WiderContext(Context):
        undecided: str = "secret"

    class WiderAlert(Alert):
        rules: tuple[WiderRule, ...] = ()
        context: WiderContext | None = None
        undecided: str = "secret"

    class WiderSafetyAlert(SafetyAlert):
        undecided: str = "secret"

    rule = WiderRule(
        name="r", title="t", sentence="s", exit_sentence="e", fired=True, held=False, newly=3
    )
    known = founding_alerts[0]
    assert known.context is not None
    context = WiderContext(**known.context.model_dump())
    fields = known.model_dump() | {"rules": (rule,), "context": context}
    wider = WiderAlert(**fields)
    of_lot = WiderSafetyAlert.model_validate(safety(headline="h").model_dump())
    for tier in (Tier.PUBLIC, Tier.CONSUMER):
        for alert in (wider, of_lot):
            text = json.dumps(copy_of(tier, alert))
            assert not any(word in text for word in ("newly", "undecided", "secret"))
    assert "newly" in json.dumps(copy_of(Tier.AUTHORITY, wider))
    read: list[Any] = []  # the texts are made from what the copy has
    monkeypatch.setattr(tiers, "signal_texts", lambda alert, tier: read.append(alert) or texts)
    texts = signal_texts(known, tier=Tier.CONSUMER)
    copy_of(Tier.CONSUMER, wider.model_copy(update={"undecided": "other"}))
    assert (read[0].undecided, read[0].rules[0].newly) == ("secret", 70_061)
    assert read[0].patients is None
    for model, names in CONSUMER_HAS.items():
        assert set(names) <= set(model.model_fields)


@pytest.mark.parametrize("category", [AlertCategory.LOT_CLUSTER, AlertCategory.FATAL_CASE])
def test_a_consumer_gets_no_onset_of_a_patient(category: AlertCategory) -> None:
    days = {"first_day": date(2019, 9, 7), "last_day": date(2019, 9, 9), "n_cases": 1}
    changes = {"changes": (SafetyChange.DAYS, SafetyChange.FLAGS)}
    alert = safety(category, headline="h", revision=2).model_copy(update=days | changes)
    copy = copy_of(Tier.CONSUMER, alert)
    assert (copy["first_day"], copy["last_day"], copy["changes"]) == (None, None, ["flags"])
    assert "2019-09" not in json.dumps(copy)
    assert "nset" not in copy["sentence"] + copy["reason"]
    assert "2019-09" in json.dumps(copy_of(Tier.AUTHORITY, alert))
    rumour = safety(AlertCategory.UNVERIFIED_FATAL, headline="h").model_copy(update=days)
    assert copy_of(Tier.CONSUMER, rumour)["first_day"] == "2019-09-07"  # a notice's receipt
