"""Cells of rows: estimates with their intervals, counts, days, and what is withheld."""

from datetime import date
from typing import Any

import pytest

from schemas.subscription import Tier
from streams.console.worklist.row_facts import (
    RowFacts,
    Standing,
    estimate_of,
    row_facts,
    signal_address,
)
from streams.core.wording.catalogue import Language
from streams.delivery.tiers import Copy
from tests.support.alerts import copy_of, safety, signal

DAY = date(2024, 1, 15)


def facts(copy: Copy, before: Copy | None = None, due: date | None = None) -> RowFacts:
    standing = Standing(3, 0.5821, "high", due, due is not None and due < DAY, is_changed=True)
    return row_facts(copy, before, standing, kin=None, day=DAY, language=Language.ENGLISH)


def statistics(**values: float | None) -> dict[str, Any]:
    copy = signal(11, fatal=2).model_dump(mode="json")
    return copy | {"statistics": copy["statistics"] | values}


def test_an_estimate_stands_with_its_interval() -> None:
    copy = statistics(ic=4.4391, ic_lower=3.461, ic_upper=5.16, expected=0.030912)
    copy["statistics"] |= {"expected_adjusted": 0.075, "expected_stratified": 9.0}
    row = facts(copy)
    assert (row.ic, row.bounds) == ("4.44", "[3.46, 5.16]")
    assert (row.expected, row.adjusted) == ("0.0309", "0.075")
    assert (row.n_serious, row.n_fatal, row.any_fatal) == ("11", "2", True)
    assert (row.total, row.place) == ("0.58", 3)


def test_what_is_undefined_or_unbounded_says_so() -> None:
    copy = statistics(ic=1.0, ic_lower=None, ic_upper=None, expected=None)
    copy |= {"unbounded": ["ic_upper"]}
    row = facts(copy)
    assert row.bounds == "[undefined, unbounded]"
    assert row.expected == "undefined"
    assert estimate_of(copy).upper == float("inf")


@pytest.mark.parametrize(("before", "new"), [(None, 11), (signal(7), 4), (signal(15), -4)])
def test_new_cases_are_those_since_the_known_revision(before: Any, new: int) -> None:
    known = before and before.model_dump(mode="json")
    row = facts(signal(11, revision=2).model_dump(mode="json"), known)
    assert (row.n_new, row.n_cases) == (new, "11")
    assert ("ghost" in row.interval) == (before is not None)


def test_a_row_that_did_not_change_has_no_ghost() -> None:
    copy = signal(11).model_dump(mode="json")
    row = facts(copy, copy)
    assert row.n_new == 0
    assert "ghost" not in row.interval


def test_a_signal_that_is_off_is_hollow() -> None:
    copy = signal(11).model_dump(mode="json")
    assert 'class="est on"' in facts(copy).interval
    assert 'class="est off"' in facts(copy | {"rules_fired": []}).interval


def test_a_due_day_of_another_year_names_it() -> None:
    copy = signal(3).model_dump(mode="json")
    assert facts(copy, due=date(2024, 1, 20)).due == "20 Jan"
    overdue = facts(copy, due=date(2023, 12, 30))
    assert (overdue.due, overdue.is_overdue) == ("30 Dec 2023", True)
    assert facts(copy).due == ""


def test_a_safety_alert_is_not_compared() -> None:
    row = facts(safety().model_dump(mode="json"))
    assert not row.has_statistics
    assert (row.ic, row.bounds, row.expected) == ("", "", "")
    assert row.category == "LOT_CLUSTER"
    assert not row.rules


@pytest.mark.parametrize("alert", [signal(5), safety()], ids=["signal", "safety"])
def test_the_public_sees_bands(alert: Any) -> None:
    row = facts(copy_of(Tier.PUBLIC, alert))
    assert row.n_new is None
    assert row.n_cases in {"1-10", "0-10", "withheld"}
    assert (row.n_serious, row.n_fatal) == ("withheld", "withheld")
    assert not row.has_statistics


def test_an_address_holds_its_key_percent_encoded() -> None:
    assert signal_address("a%7Cb|c/d|e") == "/desk/signals/a%257Cb%7Cc%2Fd%7Ce"
