"""Which rows a view lists, and in which order."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from schemas.alert import AlertKind, SignalGrade
from schemas.priority import PriorityLevel
from schemas.subscription import Tier
from streams.console.readers import Readers
from streams.console.worklist.baseline import baseline_of
from streams.console.worklist.listing import listing_of, prepared, sort_of, tab_counts
from streams.console.worklist.live_signals import LiveSignals, Signals
from streams.console.worklist.view import Due, Sort, Tab, View
from streams.delivery.api.service import Service
from tests.support.many_signals import LAST_DAY, many_signals

COPIES = {copy["signal_key"]: copy for copy in many_signals(300)}
WEEK_AGO = (LAST_DAY - timedelta(days=7)).isoformat()


@pytest.fixture
def signals(service: Service) -> Signals:
    return LiveSignals(service, Tier.AUTHORITY).now()


@pytest.fixture
def rows(signals: Signals, tmp_path: Path) -> pl.DataFrame:
    with Readers(tmp_path / "readers.db") as readers:
        baseline = baseline_of(readers, "", Tier.AUTHORITY, closed=LAST_DAY, since=None)
    return prepared(signals, baseline, LAST_DAY)


def keys(rows: pl.DataFrame, signals: Signals, view: View) -> list[str]:
    return listing_of(rows, signals, view, LAST_DAY).rows["key"].to_list()


def wanted(tab: Tab) -> set[str]:
    """Return the keys of a tab, from the copies."""
    tests = {
        Tab.CHANGED: lambda c: c["evaluated_on"] > WEEK_AGO and c["grade"] == "alarm",
        Tab.SCREENING: lambda c: c["evaluated_on"] > WEEK_AGO and c["grade"] == "screening",
        Tab.OVERDUE: lambda c: c["due"] < LAST_DAY.isoformat(),
        Tab.ON: lambda c: bool(c["rules_fired"]),
        Tab.DECIDED: lambda c: False,
        Tab.SUPPRESSED: lambda c: False,
    }
    return {key for key, copy in COPIES.items() if tests[tab](copy)}


@pytest.mark.parametrize("tab", list(Tab))
def test_a_tab_lists_what_its_name_says(rows: pl.DataFrame, signals: Signals, tab: Tab) -> None:
    found = keys(rows, signals, View(tab))
    assert set(found) == wanted(tab)
    assert len(found) == len(set(found)) == tab_counts(rows, LAST_DAY)[tab]


@pytest.mark.parametrize(
    ("view", "holds"),
    [
        (View(Tab.ON, kind=AlertKind.WEAKENED), lambda c: c["kind"] == "weakened"),
        (View(Tab.ON, grade=SignalGrade.SCREENING), lambda c: c["grade"] == "screening"),
        (View(Tab.ON, due=Due.OVERDUE), lambda c: c["due"] < LAST_DAY.isoformat()),
        (
            View(Tab.ON, due=Due.WEEK),
            lambda c: c["due"] <= (LAST_DAY + timedelta(days=7)).isoformat(),
        ),
        (View(Tab.ON, q="EVENT 29"), lambda c: c["event"] == "Event 29"),
        (View(Tab.ON, q="29-3 event"), lambda c: c["drug"] == "product 29-3"),
    ],
)
def test_a_filter_keeps_what_it_asks_for(
    rows: pl.DataFrame, signals: Signals, view: View, holds: object
) -> None:
    assert callable(holds)
    expected = {key for key in wanted(Tab.ON) if holds(COPIES[key])}
    assert set(keys(rows, signals, view)) == expected
    assert 0 < len(expected) < len(wanted(Tab.ON))


def test_a_level_is_that_of_the_day(rows: pl.DataFrame, signals: Signals) -> None:
    found = keys(rows, signals, View(Tab.ON, priority=PriorityLevel.HIGH))
    levels = dict(rows.select("key", "level").iter_rows())
    assert found
    assert {levels[key] for key in found} == {"high"}


COLUMN = {
    Sort.PRIORITY: "rank", Sort.EVENT: "event", Sort.CASES: "n_cases", Sort.EXPECTED: "expected",
    Sort.IC: "ic", Sort.SERIOUS: "n_serious", Sort.DUE: "due", Sort.DAY: "day",
}  # fmt: skip


@pytest.mark.parametrize("up", [True, False, None])
@pytest.mark.parametrize("sort", list(Sort))
def test_stories_are_in_the_order_asked_for(
    rows: pl.DataFrame, signals: Signals, sort: Sort, up: bool | None
) -> None:
    view = View(Tab.ON, sort=sort, up=up)
    listing = listing_of(rows, signals, view, LAST_DAY).rows
    alone = listing.filter(
        pl.col("leader").is_null() & ~pl.col("key").is_in(listing["leader"].implode())
    )
    values = alone.join(rows.drop("seen"), on="key", how="left", maintain_order="left")[
        COLUMN[sort]
    ]
    rises = sort_of(view)[1] is not (sort is Sort.PRIORITY)
    assert values.to_list() == values.sort(descending=not rises).to_list()
    assert values.n_unique() > 10


def test_urgent_rows_are_first_on_what_changed(rows: pl.DataFrame, signals: Signals) -> None:
    found = listing_of(rows, signals, View(Tab.CHANGED), LAST_DAY)
    urgent = [COPIES[key]["urgent"] for key in found.rows["key"]]
    stories = found.rows["leader"].is_null().to_list()
    groups: list[bool] = []  # whether any member is urgent
    for is_urgent, is_story in zip(urgent, stories, strict=True):
        if is_story:
            groups.append(is_urgent)
        else:
            groups[-1] |= is_urgent
    assert any(groups)
    assert not all(groups)
    assert groups == sorted(groups, reverse=True)
    assert found.tally["urgent"] == sum(urgent)
    assert found.n_stories == len(groups)
    kinds = {kind: n for kind, n in found.tally.items() if kind != "urgent"}
    assert sum(kinds.values()) == len(found.rows)
    assert list(found.places.values()) == list(range(len(found.rows)))


def test_overdue_rows_are_in_the_order_of_their_days() -> None:
    assert sort_of(View(Tab.OVERDUE)) == (Sort.DUE, True)
    assert sort_of(View(Tab.ON)) == (Sort.PRIORITY, False)
    assert sort_of(View(Tab.ON, sort=Sort.EVENT)) == (Sort.EVENT, True)
