"""What was known on a day, with cases amended and nullified later, against a plain recount."""

from datetime import date

import polars as pl
import pytest

from detectors.rules import load_rules
from schemas.delta import Delta
from streams.core.cases.strata import default_age_bands
from streams.core.counting.case_history import CaseHistory
from streams.core.counting.windows import WindowSpec
from streams.core.explanation.population import population_of
from streams.runtime.embedded.replay import Replay
from tests.support.amended_cases import (
    DRUG,
    EVENT,
    Table,
    amended_reports,
    day_of,
    table_of,
    versions_known_on,
)

EPOCH = date(1970, 1, 1)
DAYS = (4, 10, 19, 20, 24, 25, 29, 30, 40)


def _number(day: date) -> int:
    return (day - EPOCH).days


@pytest.fixture(scope="module")
def deltas() -> list[Delta]:
    found: list[Delta] = []
    run = Replay(
        [WindowSpec.parse("cumulative")],
        load_rules("mhra"),
        every=1,
        until=None,
        horizon=date(2030, 1, 1),
        on_alert=lambda alert: None,
        on_rejected=pytest.fail,
        on_delta=found.append,
    )
    for _ in run.feed("test", enumerate(amended_reports())):
        pass
    run.finish()
    return found


@pytest.fixture(scope="module")
def history(deltas: list[Delta]) -> CaseHistory:
    made = CaseHistory(default_age_bands())
    for delta in deltas:
        made.apply(delta)
    return made


@pytest.mark.parametrize("number", DAYS)
def test_the_cases_of_a_day_are_the_versions_that_had_come(
    history: CaseHistory, number: int
) -> None:
    day = day_of(number)
    known = history.known(history.offsets_on(_number(day)))
    population = population_of(known, DRUG, EVENT, _number(day))
    assert set(population.frames.cases["case"]) == set(versions_known_on(amended_reports(), day))
    counts = population.frames.counts(population.pair).row(0, named=True)
    assert Table(**{name: counts[name] for name in Table.__annotations__}) == table_of(
        amended_reports(), day
    )


def test_the_recount_tells_amended_and_nullified_cases_apart() -> None:
    """Else the test above would hold for the cases as they are now."""
    tables = [table_of(amended_reports(), day_of(number)).n_observed for number in (19, 20, 25)]
    assert tables == [5, 4, 3]
    assert table_of(amended_reports(), day_of(40)).n_observed == 8


def test_daily_counts_are_those_of_each_day(history: CaseHistory) -> None:
    daily = history.daily_counts(DRUG, EVENT, _number(day_of(40)))
    assert daily.height > 30
    for row in daily.iter_rows(named=True):
        day = row.pop("day")
        assert Table(**row) == table_of(amended_reports(), day), day


def test_daily_counts_end_with_their_last_day(history: CaseHistory) -> None:
    daily = history.daily_counts(DRUG, EVENT, _number(day_of(19)))
    assert daily["day"].max() == day_of(19)
    assert daily["n_observed"][-1] == 5


def test_a_name_that_no_case_has_is_counted_nowhere(history: CaseHistory) -> None:
    daily = history.daily_counts("tin", EVENT, _number(day_of(40)))
    assert daily["n_drug"].sum() == daily["n_observed"].sum() == 0
    assert daily["n_event"][-1] == table_of(amended_reports(), day_of(40)).n_event


def test_a_delta_that_comes_again_changes_nothing(deltas: list[Delta]) -> None:
    made = CaseHistory(default_age_bands())
    for delta in [*deltas[:5], *deltas[3:], *deltas[-2:]]:
        made.apply(delta)
    end = made.offsets_on(_number(day_of(99)))
    assert made.known(end).log.n_cases == table_of(amended_reports(), day_of(99)).n_total


def test_partitions_are_known_each_up_to_its_own_offset(deltas: list[Delta]) -> None:
    """Deltas of two partitions take turns; a position may hold the one and not the other."""
    first = [delta for delta in deltas if delta.changes.height][:6]
    made = CaseHistory(default_age_bands())
    for place, delta in enumerate(first):
        made.apply(
            Delta(place % 2, delta.first_offset, delta.next_offset, delta.watermark, delta.changes)
        )
    known = made.known({0: first[2].next_offset, 1: first[1].next_offset})
    wanted = pl.concat([first[place].changes for place in (0, 1, 2)])
    assert known.log.n_cases == wanted["n"].sum()
    assert made.known({1: first[5].next_offset}).log.n_cases == sum(
        int(first[place].changes["n"].sum()) for place in (1, 3, 5)
    )


def test_nothing_is_known_before_the_first_report() -> None:
    made = CaseHistory(default_age_bands())
    assert made.offsets_on(_number(day_of(0))) == {}
    assert made.known({}).log.n_cases == 0
    assert made.daily_counts(DRUG, EVENT, _number(day_of(0))).is_empty()


def test_what_was_asked_before_more_deltas_came_stays(deltas: list[Delta]) -> None:
    made = CaseHistory(default_age_bands())
    for delta in deltas[:10]:
        made.apply(delta)
    early = made.offsets_on(_number(day_of(99)))
    known = made.known(early)
    before = known.log.rows()
    for delta in deltas[10:]:
        made.apply(delta)
    assert known.log.rows().equals(before)
    assert made.known(early).log.rows().equals(before)
