"""What versions of cases do to the counts: first, amended, nullified, repeated and stale ones."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest

from schemas.delta import CASE_CHANGES
from schemas.product import Product
from schemas.report import Link, Reaction, Reporter
from schemas.vocabulary import LinkKind, Qualification, Seriousness
from streams.core.cases.transitions import CaseVersion, advance
from tests.support.reports import NULLIFIED
from tests.support.versions import make_version


def _step(
    *versions: CaseVersion, stored: Mapping[str, CaseVersion] | None = None
) -> tuple[list[tuple[str, int]], dict[str, int], dict[str, int]]:
    step = advance(versions, stored or {})
    assert dict(step.changes.schema) == dict(CASE_CHANGES)
    changes = step.changes.select(pl.col("drugs").list.join("+"), "n").rows()
    return changes, dict(step.tally), {key: n for key, n in step.population.items() if n}


ONE = make_version(version=1)
TWO = make_version(version=2, products=(Product(substances=("iron",)),))
VOID = make_version(version=3, revision=NULLIFIED)


def test_a_first_version_enters() -> None:
    assert _step(ONE) == ([("zinc", 1)], {"first": 1}, {"counted": 1})


def test_a_later_version_takes_the_earlier_out_before_it_enters() -> None:
    changes, tally, population = _step(TWO, stored={"A": ONE})
    assert changes == [("zinc", -1), ("iron", 1)]
    assert (tally, population) == ({"replaced": 1}, {})


def test_a_nullification_only_takes_out() -> None:
    expected = [("zinc", -1)], {"replaced": 1}, {"counted": -1, "nullified": 1}
    assert _step(VOID, stored={"A": ONE}) == expected


def test_a_version_after_a_nullification_enters_again() -> None:
    again = make_version(version=4)
    expected = [("zinc", 1)], {"replaced": 1}, {"counted": 1, "nullified": -1}
    assert _step(again, stored={"A": VOID}) == expected


def test_a_nullification_without_a_case_changes_no_count() -> None:
    assert _step(VOID) == ([], {"first": 1}, {"nullified": 1})


def test_a_repeated_version_changes_nothing() -> None:
    assert _step(ONE, ONE, stored={"A": ONE}) == ([], {"repeated": 2}, {})


def test_a_stale_version_changes_nothing() -> None:
    assert _step(ONE, stored={"A": TWO}) == ([], {"stale": 1}, {})


def test_one_number_for_two_contents_conflicts_and_the_same_one_holds_either_way() -> None:
    other = make_version(version=1, products=(Product(substances=("alum",)),))
    assert ONE.same_message(other)
    greater, lesser = max(ONE, other), min(ONE, other)
    assert _step(greater, stored={"A": lesser})[1] == {"conflicting": 1}
    assert _step(lesser, stored={"A": greater})[:2] == ([], {"conflicting": 1})
    assert advance([greater], {"A": lesser}).updates == {"A": greater}
    assert advance([lesser], {"A": greater}).updates == {}


def test_a_batch_gives_each_case_at_most_one_row_of_each_sign() -> None:
    changes, tally, population = _step(ONE, VOID, TWO, ONE, stored={})
    assert changes == []
    assert tally == {"first": 1, "replaced": 1, "stale": 2}
    assert population == {"nullified": 1}
    assert _step(TWO, VOID, make_version(version=4), stored={"A": ONE})[0] == []


def test_what_a_follow_up_does_not_change_is_not_counted_again() -> None:
    follow_up = make_version(version=2, latest_received=date(2024, 3, 9), message_id="m")
    assert ONE.counts_as(follow_up)
    step = advance([follow_up], {"A": ONE})
    assert step.changes.height == 0
    assert step.updates == {"A": follow_up}
    assert step.tally == Counter(replaced=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"first_received": date(2024, 2, 28)},
        {"products": (Product(substances=("iron",)),)},
        {"reactions": (Reaction(term="Fever"),)},
        {"links": (Link(kind=LinkKind.DUPLICATE_OF, case_id="M"),)},
        {"seriousness": (Seriousness.DISABILITY,)},
        {"seriousness": (Seriousness.DEATH,)},
        {"occurrence_country": "JP"},
        {"reporter": Reporter(country="US")},
        {"reporter": Reporter(qualification=Qualification.PHARMACIST)},
        {"sender": "PHARMA"},
        {"products": (Product(substances=("zinc",), indication="Acne"),)},
        {"products": (Product(substances=("zinc",), dose="1 mg"),)},
    ],
)
def test_every_counted_fact_makes_a_change(changes: dict[str, Any]) -> None:
    changed = make_version(version=2, **changes)
    assert not ONE.counts_as(changed)
    assert advance([changed], {"A": ONE}).changes.height == (1 if changed.excluded else 2)


def test_nothing_in_nothing_out() -> None:
    step = advance([], {})
    assert (step.changes.height, step.updates, step.tally, step.population) == (0, {}, {}, {})
    assert dict(step.changes.schema) == dict(CASE_CHANGES)
