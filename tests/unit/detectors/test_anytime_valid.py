import math
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.stats import beta, hypergeom

from detectors import anytime_valid
from detectors.anytime_valid import RATE_RATIOS
from detectors.anytime_valid_state import DayCounts, DayMargins, daily_counts
from schemas.errors import CountsError, InputError


def codes(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def one_pair_day(day: int, n: int, n_drug: int, n_event: int, n_total: int) -> DayCounts:
    """Give a day on which drug 0 and event 0 have these counts."""
    some = n > 0
    return DayCounts(
        DayMargins(
            day,
            n_total,
            *((codes(0), codes(n_drug)) if n_drug else (codes(), codes())),
            *((codes(0), codes(n_event)) if n_event else (codes(), codes())),
        ),
        codes(0) if some else codes(),
        codes(n) if some else codes(),
    )


def log_e_by_hand(days: list[tuple[int, int, int, int]]) -> float:
    terms = []
    for r in RATE_RATIOS:
        log_e = 0.0
        for n, n_drug, n_event, n_total in days:
            fewer, more = sorted((n_drug, n_event))
            log_e += n * math.log(r) - fewer * math.log(1 + (r - 1) * more / n_total)
        terms.append(math.exp(log_e))
    return math.log(sum(terms) / len(terms))


def test_the_e_value_is_the_mean_of_the_products() -> None:
    days = [(2, 3, 5, 40), (0, 4, 1, 30), (1, 0 + 1, 6, 50), (3, 7, 4, 60)]
    buckets = [one_pair_day(at, *counts) for at, counts in enumerate(days)]
    table = anytime_valid.e_values(anytime_valid.recompute(buckets))
    assert table["log_e_value"].item() == pytest.approx(log_e_by_hand(days), rel=1e-13)
    assert table["e_value"].item() == pytest.approx(math.exp(log_e_by_hand(days)), rel=1e-13)


@pytest.mark.parametrize("n_total", [2, 5, 9, 14])
@pytest.mark.parametrize("ratio", RATE_RATIOS)
def test_a_day_is_an_e_variable_given_its_margins(n_total: int, ratio: float) -> None:
    """Exactly: the mean over all ways to deal the drug out is never above 1."""
    for n_drug in range(n_total + 1):
        for n_event in range(n_total + 1):
            n = np.arange(min(n_drug, n_event) + 1)
            chances = hypergeom.pmf(n, n_total, n_drug, n_event)
            fewer, more = sorted((n_drug, n_event))
            factor = ratio**n / (1 + (ratio - 1) * more / n_total) ** fewer
            assert chances @ factor <= 1 + 1e-12


def test_a_day_without_a_case_of_the_pair_never_raises_its_e_value() -> None:
    days = [(3, 4, 3, 40), (0, 5, 7, 40), (0, 0, 7, 40), (0, 5, 0, 40)]
    values = [log_e_by_hand(days[:upto]) for upto in range(1, 5)]
    assert all(later <= earlier for earlier, later in pairwise(values))
    test = anytime_valid.recompute([one_pair_day(at, *counts) for at, counts in enumerate(days)])
    assert anytime_valid.e_values(test)["log_e_value"].item() == pytest.approx(values[-1])


def test_null_pairs_cross_no_more_often_than_the_level() -> None:
    """2,000 null pairs, 365 daily looks, 36 cases expected: the exact 99% limit is below 5%."""
    rng = np.random.default_rng(36)
    pairs, days, reports = 2000, 365, 1000
    share = math.sqrt(36 / days / reports)
    n_drug = rng.binomial(reports, share, (days, pairs))
    n_event = rng.binomial(reports, share, (days, pairs))
    n = rng.hypergeometric(n_drug, reports - n_drug, n_event)
    every = np.arange(pairs)
    test = anytime_valid.recompute(
        DayCounts(
            DayMargins(
                day,
                reports,
                *(every[n_drug[day] > 0], n_drug[day][n_drug[day] > 0]),
                *(every[n_event[day] > 0], n_event[day][n_event[day] > 0]),
            ),
            (every << 32 | every)[n[day] > 0],
            n[day][n[day] > 0],
        )
        for day in range(days)
    )
    alerts = anytime_valid.e_values(test)["crossed_on"].count()
    assert beta.ppf(0.995, alerts + 1, pairs - alerts) < 0.05
    assert alerts > 20  # and the test is not asleep: about 2.7% do cross


def test_the_day_of_the_first_crossing_stays_when_the_e_value_falls_again() -> None:
    quiet = [(0, 30, 30, 60)] * 3
    days = [(1, 1, 1, 50), (1, 1, 1, 50), (1, 1, 1, 50), *quiet]
    table = anytime_valid.e_values(
        anytime_valid.recompute([one_pair_day(20000 + at, *day) for at, day in enumerate(days)])
    )
    assert table["crossed_on"].item() == date(2024, 10, 5)
    assert table["e_value"].item() < 1e-6  # not clipped, not restarted


@pytest.mark.parametrize(("level", "crossings"), [(0.0232, 1), (0.0231, 0)])
def test_the_level_sets_the_line(level: float, crossings: int) -> None:
    days = [one_pair_day(at, 1, 1, 1, 10) for at in range(3)]  # e = 43.1798 = 1 / 0.02316
    table = anytime_valid.e_values(anytime_valid.recompute(days, level=level))
    assert table["crossed_on"].count() == crossings


def test_evidence_beyond_the_largest_float_keeps_its_logarithm() -> None:
    days = [one_pair_day(at, 100, 100, 100, 100_000) for at in range(5)]
    table = anytime_valid.e_values(anytime_valid.recompute(days))
    assert table["e_value"].item() == math.inf
    assert table["e_bh_level"].item() == 0
    assert 1000 < table["log_e_value"].item() < 1200


def test_all_pairs_that_could_have_been_reported_are_hypotheses() -> None:
    cases = pl.DataFrame(
        {"day": [1, 1, 2], "drugs": [[0], [1], [5]], "events": [[0], [2], [2]], "n": [1, 1, 1]}
    )
    test = anytime_valid.recompute(daily_counts(cases))
    assert len(test.pairs) == 3
    assert test.n_hypotheses == 6
    table = anytime_valid.e_values(test)
    assert table["e_bh_level"].max() == pytest.approx(6 / 3 / table["e_value"].to_numpy().min())


def test_daily_counts_adds_up_signed_cases_and_takes_cases_without_codes() -> None:
    cases = pl.DataFrame(
        {
            "day": [date(2024, 1, 2), date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 2)],
            "drugs": [[3, 1], [1], [3], [3]],
            "events": [[0], [], [0], [0]],
            "n": [1, 1, 1, -1],
        }
    )
    first, second = daily_counts(cases)
    assert (first.margins.day, first.margins.n_total, len(first.margins.events)) == (19723, 1, 0)
    assert len(first.pairs) == 0
    assert second.margins.drugs.tolist() == [1, 3]
    assert second.n_observed.tolist() == [1, 1]
    assert second.margins.n_total == 1


def test_a_day_is_added_whole_and_alone() -> None:
    monday, tuesday = one_pair_day(5, 1, 1, 1, 10), one_pair_day(6, 1, 1, 1, 10)
    with pytest.raises(InputError, match="one day must be added at a time; got 5 to 6"):
        anytime_valid.advance(anytime_valid.start(), monday, tuesday)
    with pytest.raises(InputError, match="got day 5, block 0 after day 5, block 0"):
        anytime_valid.advance(anytime_valid.start(), monday, monday)


def test_a_past_day_is_refused_and_recomputing_says_so() -> None:
    test = anytime_valid.advance(anytime_valid.start(), one_pair_day(5, 1, 1, 1, 10))
    with pytest.raises(InputError, match=r"a correction needs recompute; got day 5 after 5"):
        anytime_valid.advance(test, one_pair_day(5, 1, 1, 1, 10))
    with pytest.raises(InputError, match="must be in order of day and block; got day 4"):
        anytime_valid.recompute([one_pair_day(5, 1, 1, 1, 10), one_pair_day(4, 1, 1, 1, 10)])
    assert not test.recomputed
    assert anytime_valid.advance(
        anytime_valid.recompute([]), one_pair_day(5, 1, 1, 1, 10)
    ).recomputed


@pytest.mark.parametrize("level", [0, 1, float("nan")])
def test_the_level_is_a_probability(level: float) -> None:
    with pytest.raises(InputError, match=r"safe test: level must lie in \(0, 1\); got"):
        anytime_valid.start(level)
    with pytest.raises(InputError, match=r"safe test: level must lie in \(0, 1\); got"):
        anytime_valid.recompute([], level=level)


@pytest.mark.parametrize(
    ("drugs", "n_drug", "n_total", "message"),
    [
        (codes(1, 2), codes(1), 9, "day 3: drugs need one count each; got 2 and 1 counts"),
        (codes(2, 1), codes(1, 1), 9, "day 3: drugs must be codes of 0 or more, in order"),
        (codes(1, 1), codes(1, 1), 9, "day 3: drugs must be codes of 0 or more, in order"),
        (codes(-1), codes(1), 9, "day 3: drugs must be codes of 0 or more, in order"),
        (codes(1, 2), codes(1, 0), 9, "day 3: drugs must have a case each; got 0 of code 2"),
        (codes(1), codes(5), 4, "day 3: n_total must be at least every margin, 5; got 4"),
        (codes(), codes(), 0, "day 3: n_total must be at least every margin, 1; got 0"),
    ],
)
def test_impossible_margins_are_refused(
    drugs: NDArray[np.int64], n_drug: NDArray[np.int64], n_total: int, message: str
) -> None:
    with pytest.raises(CountsError, match=message):
        DayMargins(3, n_total, drugs, n_drug, codes(), codes())
    if n_total == 9:
        message = message.replace("drugs", "events")
        with pytest.raises(CountsError, match=message):
            DayMargins(3, n_total, codes(), codes(), drugs, n_drug)


@pytest.mark.parametrize(("n", "pair"), [(4, 0), (1, 1), (1, 1 << 32), (1, 7 << 32)])
def test_impossible_pairs_are_refused(n: int, pair: int) -> None:
    margins = DayMargins(3, 6, codes(0), codes(3), codes(0), codes(3))
    with pytest.raises(CountsError, match=r"day 3: n_observed <= .* 1 of 1 pairs break it, first"):
        DayCounts(margins, codes(pair), codes(n))


def test_a_table_that_does_not_fit_the_total_is_refused() -> None:
    margins = DayMargins(3, 4, codes(0), codes(3), codes(0), codes(3))
    with pytest.raises(CountsError, match="'n_observed': 1, 'n_drug': 3, 'n_event': 3"):
        DayCounts(margins, codes(0), codes(1))
