"""Tables on the terminal: numbers of alerts, and names that they never show."""

import io
from collections import Counter

import polars as pl
import pytest
from rich.console import Console

from detectors.validation import validate
from schemas.alert import SignalGrade
from schemas.notice import Patients
from schemas.priority import Priority, PriorityLevel
from schemas.safety_alert import SafetyAlertKind
from streams.cli.tables import (
    alert_table,
    repair_rows,
    summary_table,
    unmapped_rows,
    validation_table,
)
from tests.support.alerts import safety, signal


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_signal_is_shown_with_its_numbers_and_an_unbounded_interval(console: Console) -> None:
    alert = signal(event="[red]Sepsis")
    numbers = alert.statistics.model_copy(update={"ror": 2.5, "ror_upper": None, "ic": None})
    console.print(alert_table([alert.model_copy(update={"statistics": numbers})], "Alerts"))
    text = printed(console)
    assert "[red]Sepsis" in text, "a name is no markup"
    assert "n 3, 1.25 expected" in text
    assert "ROR 2.50 [1.25, ∞]" in text
    assert "IC -" in text
    assert "new, alarm" in text
    assert "mhra" in text


def test_a_row_shows_the_grade_and_wraps_many_rules() -> None:
    """In a terminal of 80 columns, with five rules on."""
    narrow = Console(file=io.StringIO(), width=80)
    rules = ("ema", "ic", "mhra", "screening", "tocsin")
    alert = signal(revision=2, grade=SignalGrade.SCREENING)
    narrow.print(alert_table([alert.model_copy(update={"rules_fired": rules})], "Alerts"))
    text = printed(narrow)
    assert "strengthened, screening" in text
    assert all(rule in text for rule in rules)
    assert "ROR 1.25 [1.25, 1.25]" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_signal_without_a_rule_says_so(console: Console) -> None:
    console.print(alert_table([signal().model_copy(update={"rules_fired": ()})], "Alerts"))
    assert "no rule" in printed(console)


def test_a_safety_alert_names_neither_facility_nor_case(console: Console) -> None:
    alert = safety(patients=Patients(at_least=4)).model_copy(
        update={"kind": SafetyAlertKind.UPDATE}
    )
    console.print(alert_table([alert], "Alerts"))
    text = printed(console)
    assert "urgent, LOT_CLUSTER" in text
    assert "patients 4 or more" in text
    assert not any(name in text for name in ("C-A", "NE-1"))


def test_alerts_are_shown_with_key_revision_priority_and_id() -> None:
    wide = Console(file=io.StringIO(), width=200)
    high = Priority(total=0.713, level=PriorityLevel.HIGH, parts={}, weights={}, burst_only=False)
    ranked = signal(revision=2).model_copy(update={"priority": high, "alert_id": "f00d"})
    cluster = safety()
    wide.print(alert_table([ranked, cluster], "Alerts"))
    text = printed(wide)
    for shown in ("f00d", ranked.signal_key, "revision 2", "priority high 0.71"):
        assert shown in text
    for shown in (cluster.alert_id, cluster.signal_key, "revision 1", "no priority"):
        assert shown in text


def test_a_summary_groups_digits(console: Console) -> None:
    console.print(summary_table({"cases": 20_068, "state": "ok"}, "Replay"))
    assert "20,068" in printed(console)


def test_repairs_are_shown_by_kind_and_only_if_there_are_any() -> None:
    repaired = Counter({"rows of kind b": 3, "rows of kind a": 2, "rows of kind c": 0})
    rows = [("repaired", 5), ("  rows of kind a", 2), ("  rows of kind b", 3)]
    assert list(repair_rows(repaired).items()) == rows
    assert repair_rows(Counter({"rows of kind c": 0})) == {}


def test_the_most_frequent_values_without_a_place_are_shown() -> None:
    unmapped = Counter({f"D.5 '{number}'": 1 for number in range(30)}) + Counter({"D.5 '[x]'": 7})
    rows = unmapped_rows(unmapped)
    assert list(rows.items())[:2] == [
        ("values that a report cannot carry", 37),
        (r"  D.5 '\[x]'", 7),
    ]
    assert (len(rows), rows["  other values"]) == (22, 11)
    assert unmapped_rows(Counter()) == {}


def test_a_value_that_differs_or_is_missing_is_marked(console: Console) -> None:
    checks = validate().head(2).with_columns(ok=pl.Series([True, False]))
    validation_table(checks.with_columns(got=pl.Series([1.5, None])), console)
    text = printed(console)
    assert text.count("DIFFERS") == text.count("null") == 1
    assert "ok" in text
