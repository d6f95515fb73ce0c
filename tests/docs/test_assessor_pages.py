"""The pages for assessors say what the code has: fields, codes, rules, states, laws, weights."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from detectors.rules import PRESETS
from schemas.alert import Alert, Counts, Previous, Statistics
from schemas.alert_reason import AlertKind, AlertReason, SignalLevel
from schemas.calibration import Calibration
from schemas.context import Context
from schemas.decision import SignalState
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from schemas.scrutiny import Burst, ExplainedBy, Restricted
from schemas.suppressed import SuppressionReason
from schemas.vocabulary import VerificationState
from streams.core.alerts.assessment import NEEDS_REASON, STEPS
from streams.core.alerts.case_sources import burst_rule
from streams.core.alerts.next_steps import step_days
from streams.core.alerts.priority import priority_rules
from streams.core.cases.provenance import PENALTIES
from streams.core.recount.comparison import COMPARED
from streams.core.safety.reporting_duties import LegalFrame, law_table
from streams.core.signals.realert_policy import load_policy

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    """Return a page without its commands, each paragraph on one line."""
    text = re.sub(r"^```.*?^```$", "", (DOCS / name).read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"(?<=[^|\n])\n(?=[^\n|#])", " ", text)


def rows(text: str, cells: int) -> list[list[str]]:
    """Return the rows of tables of so many columns."""
    found = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in row] for row in found if len(row) == cells]


def codes(text: str) -> list[str]:
    """Return the texts in backquotes."""
    return re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize(
    ("name", "model", "prefix"),
    [
        ("assess/read-an-alert.md", Alert, ""),
        ("assess/read-an-alert.md", Counts, "counts."),
        ("assess/read-an-alert.md", Statistics, ""),
        ("assess/read-an-alert.md", Calibration, "calibration."),
        ("assess/safety-alerts.md", SafetyAlert, ""),
        ("assess/safety-alerts.md", Context, ""),
        ("assess/confounding.md", Burst, "burst."),
        ("assess/confounding.md", Restricted, "restricted."),
        ("assess/confounding.md", ExplainedBy, "explained_by."),
    ],
)
def test_every_field_is_explained(name: str, model: type[BaseModel], prefix: str) -> None:
    found = [code for row in rows(page(name), 2) + rows(page(name), 3) for code in codes(row[0])]
    explained = {*found, *(code.partition(".")[0] for code in found)}
    of_a_table_of_its_own = {"category", "statistics"}
    names = {f"{prefix}{field}" for field in model.model_fields}
    assert names - explained <= of_a_table_of_its_own


def test_previous_is_explained_by_what_it_holds() -> None:
    line = next(
        row[1] for row in rows(page("assess/read-an-alert.md"), 2) if "`previous`" in row[0]
    )
    assert line.startswith("number, kind, day, cases, bounds, rules and grade")
    assert list(Previous.model_fields) == [
        *("revision", "kind", "evaluated_on", "n_observed", "ror_lower", "ic_lower"),
        *("rules_fired", "grade", "any_fatal", "any_paediatric", "regions", "due"),
    ]


def test_kinds_reasons_and_suppressions_are_all_there() -> None:
    text = page("assess/rules.md")
    when, suppressed = text.split("## Suppressed changes")
    kinds = [code for row in rows(when, 3) for code in codes(row[0])]
    assert set(kinds) == set(AlertKind)
    reasons = [code for row in rows(when, 3) for code in codes(row[2])]
    reasons += [code for row in rows(when, 2) for code in codes(row[0])]
    assert set(reasons) == set(AlertReason)
    reasons = [code for row in rows(suppressed, 2) for code in codes(row[0])]
    assert reasons == list(SuppressionReason)
    levels = rows(page("assess/read-an-alert.md").split("## Levels")[1], 3)
    assert [code for row in levels for code in codes(row[0]) if code != "level"][:5] == [
        *SignalLevel
    ]


def test_the_policy_is_that_of_the_code() -> None:
    policy, text = load_policy(), page("assess/rules.md")
    factor = f"{policy.more_cases_factor} times as many"
    assert f"at least {policy.more_cases} more cases than published, and at least {factor}" in text
    assert f"IC025 is at least {policy.ic_lower_rise} above the published one" in text
    assert policy.designated_events == []
    switches = [name for name, value in policy.model_dump().items() if isinstance(value, bool)]
    assert all(getattr(policy, name) for name in switches)
    assert set(switches) <= set(codes(text))


def _numbers(condition: object) -> list[tuple[float, float]]:
    if isinstance(condition, dict):
        if "statistic" in condition:
            value = float(condition["value"])
            return [(value, float(condition.get("exit", value)))]
        return [pair for part in condition.values() for pair in _numbers(part)]
    if isinstance(condition, list):
        return [pair for part in condition for pair in _numbers(part)]
    return []


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "safe"])
def test_a_preset_has_its_thresholds_and_exits(name: str) -> None:
    [row] = [row for row in rows(page("assess/rules.md"), 4) if row[0] == f"`{name}`"]
    entry, leave = (
        {float(number) for number in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\d.%])", cell)}
        for cell in row[1:3]
    )
    assert {value for value, _ in _numbers(PRESETS[name])} == entry
    missing = {exit_ for _, exit_ in _numbers(PRESETS[name])} - leave
    assert missing <= ({3, 5} if name == "ema" else set())  # `n below that`


def test_the_rule_of_the_test_has_its_levels() -> None:
    [row] = [row for row in rows(page("assess/rules.md"), 4) if row[0] == "`safe`"]
    [(entry, leave)] = _numbers(PRESETS["safe"])
    assert f"{entry:.0%}" in row[1]
    assert f"{leave:.0%}" in row[2]


def test_states_and_steps_are_those_of_the_code() -> None:
    text = page("assess/decide.md")
    told = {
        frm: set(codes(row[1]))
        for row in rows(text.split("## States")[1].split("## ")[0], 2)
        for frm in codes(row[0])
    }
    assert told == {frm.value: {to.value for to in after} for frm, after in STEPS.items()}
    assert set(told) == {state.value for state in SignalState}
    sentence = re.search(r"These states need a reason: (.*?);", text)
    assert sentence is not None
    assert set(codes(sentence[1])) == {state.value for state in NEEDS_REASON}


def test_safety_alerts_have_their_categories_states_kinds_and_flags() -> None:
    text = page("assess/safety-alerts.md")
    assert {code for row in rows(text, 3) for code in codes(row[0])} == set(AlertCategory)
    two = [code for row in rows(text, 2) for code in codes(row[0])]
    assert set(VerificationState) - {VerificationState.NULLIFIED} <= set(two)  # of cases alone
    kinds = rows(text.split("## Revisions")[1], 2)
    assert [code for row in kinds for code in codes(row[0]) if code != "kind"] == list(
        SafetyAlertKind
    )
    flags = rows(text.split("## Flags")[1].split("## ")[0], 2)
    criteria = {
        f"{what}_{how}" for what in ("volume", "record", "approval") for how in ("failed", "open")
    }
    assert {code for row in flags for code in codes(row[0])} == {
        *("indication_confounding", "late", "post_notice", "lot_missing"),
        "lot_in_other_letters",
        *criteria,
    }


def _law_row(frame: LegalFrame) -> list[str]:
    days = f"from {frame.valid_from}" if frame.valid_from else "any"
    return [
        frame.jurisdiction,
        ", ".join(f"`{code}`" for code in frame.classes),
        (frame.supply_route or "any").replace("_", " "),
        f"to {frame.valid_to}" if frame.valid_to else days,
        frame.holder or "none",
        frame.source,
        "yes" if frame.verified else "no",
    ]


def test_the_law_table_is_the_one_that_is_shipped() -> None:
    law, text = law_table(), page("assess/duty-to-report.md")
    assert rows(text, 7)[2:] == [_law_row(frame) for frame in law.frames]
    assert f"Version {law.version}" in text
    assert len(law.frames) == 12
    assert "of twelve entries" in text
    assert sum(not frame.duty for frame in law.frames) == 10
    assert "of the ten *none* entries" in text


def test_priority_days_bursts_and_completeness_are_those_of_the_code() -> None:
    text, priority = page("methods/priority.md"), priority_rules()
    levels, newness, freshness = priority.levels, priority.newness, priority.freshness
    assert (priority.seriousness.least, freshness.least, newness.gain) == (0.5, 0.25, 3)
    for factor in ("1/2 + value", "1 + 3 x value", "1/4 + value"):
        assert f"| {factor} |" in text
    assert f"else {priority.evidence.chance} x 2^IC025" in text
    assert f"received in the last {newness.days} days" in text
    assert priority.explained.weight == 0.5
    assert "| 1 - value / 2 |" in text
    assert f"2^(-days / {freshness.half_life_days:.0f})" in text
    assert (priority.grade.alarm, f"{priority.grade.screening} of the screening" in text) == (
        1,
        True,
    )
    assert (
        f"top {levels.high_share:.0%} of the totals and the next {levels.medium_share:.0%}" in text
    )
    assert f"in the last {levels.of_days} days" in text
    assert f"With fewer than {levels.fewest_signals} such" in text
    assert f"`high` begins at {levels.high} and `medium` at {levels.medium}" in text
    text = page("assess/read-an-alert.md")
    table = step_days()
    assert set(table.kinds.values()) == {30}
    assert f"`evaluated_on` and 30 days; {table.urgent_days} days if `urgent`" in text
    assert {part for part, loss in PENALTIES.items() if loss == 50} == {"time_to_onset"}
    assert "50% without a time to onset; 30% each without indication, outcome, sex or age" in text
    assert "10% each without dose, country, reporter or type of report" in text
    assert [loss for loss in PENALTIES.values()] == [50, 30, 30, 30, 30, 10, 10, 10, 10]
    rule = burst_rule()
    assert rule.share == 0.5
    assert f"at least {rule.fewest_cases} cases of the pair, and at least half" in page(
        "assess/confounding.md"
    )


def test_every_field_that_a_recount_leaves_out_is_named() -> None:
    identity = {
        *("schema_version", "alert_id", "signal_key", "drug", "event", "level", "caveat"),
        *("window", "evaluated_on", "rules", "rules_hash", "policy_hash"),
        *("prior_id", "prior_id_adjusted"),
        *("as_of", "code_version", "snapshot_id", "assessment"),
    }
    compared = {name.partition(".")[0] for name in COMPARED}
    left_out = set(Alert.model_fields) - compared - identity
    assert left_out <= set(codes(page("assess/reproduce.md")))


def test_the_glossary_is_in_alphabetical_order_and_has_each_word_once() -> None:
    words = [row[0] for row in rows(page("glossary.md"), 2)][2:]
    order = [re.sub(r"[^a-z0-9 ]", "", word.lower()) for word in words]
    assert order == sorted(set(order))
