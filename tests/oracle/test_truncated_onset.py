"""Onsets corrected for right truncation, against the likelihood maximised by self-consistency."""

import numpy as np
import polars as pl
import pytest

from detectors.truncated_onset import truncated_onset
from schemas.errors import CountsError

PAIR = pl.DataFrame({"drug": ["A"], "event": ["rash"]})


def _onsets(onset: list[int], report: list[int]) -> pl.DataFrame:
    rows = {"case": range(len(onset)), "onset_days": onset, "report_days": report}
    return pl.DataFrame(rows).with_columns(drug=pl.lit("A"), event=pl.lit("rash"))


def _maximum_likelihood(onset: list[int], report: list[int]) -> dict[int, float]:
    """Return the shares of the days that maximise the product of f(onset) / F(report).

    By the iteration of Turnbull (1976): each case stands for those of its kind that were reported
    too early to be seen, which have the onsets beyond its report.
    """
    days = sorted(set(onset))
    share = {day: 1 / len(days) for day in days}
    for _ in range(200_000):
        weight = {day: float(onset.count(day)) for day in days}
        for limit in report:
            seen = sum(share[day] for day in days if day <= limit)
            for day in days:
                if day > limit:
                    weight[day] += share[day] / seen
        total = sum(weight.values())
        new = {day: weight[day] / total for day in days}
        if max(abs(new[day] - share[day]) for day in days) < 1e-13:
            break
        share = new
    return share


@pytest.mark.parametrize("seed", range(12))
def test_the_median_is_that_of_the_largest_likelihood(seed: int) -> None:
    random = np.random.default_rng(seed)
    onset = random.geometric(0.08, 400)
    report = random.integers(1, 40, 400)
    seen = onset <= report
    kept, until = onset[seen].tolist()[:30], report[seen].tolist()[:30]
    # Of a few cases with long reports the estimate exists for all days.
    kept, until = [*kept, 1, 2, 3], [*until, 60, 60, 60]
    shares = _maximum_likelihood(kept, until)
    so_far, median = 0.0, None
    for day, share in sorted(shares.items()):
        so_far += share
        if so_far >= 0.5 - 1e-9 and median is None:
            median = day
    found = truncated_onset(PAIR, _onsets(kept, until)).row(0, named=True)
    assert found["median_corrected"] == median
    assert found["median_reported"] == np.median(kept)
    assert (found["n_onset"], found["longest_days"]) == (33, max(kept))
    assert found["n_at_longest"] == sum(day >= max(kept) for day in until)


def test_the_median_of_the_whole_is_found_again_from_a_young_product() -> None:
    """Onsets of 20 days in the median, reports on average after 25: half are cut off."""
    random = np.random.default_rng(1988)
    onset = np.floor(random.weibull(1.2, 60_000) * 20 / np.log(2) ** (1 / 1.2)).astype(int)
    report = random.integers(0, 200, 60_000) // random.integers(1, 9, 60_000)
    seen = onset <= report
    found = truncated_onset(PAIR, _onsets(onset[seen].tolist(), report[seen].tolist()))
    row = found.row(0, named=True)
    assert row["median_reported"] <= 15
    assert abs(row["median_corrected"] - 20) <= 1


def test_without_truncation_nothing_is_corrected() -> None:
    onsets = _onsets([1, 3, 3, 8, 9], [400] * 5)
    assert truncated_onset(PAIR, onsets).row(0)[2:] == (5, 9, 3, 3, 5)


def test_short_onsets_reported_too_early_to_compare_leave_no_median() -> None:
    onsets = _onsets([1, 2, 9], [4, 4, 30])
    assert truncated_onset(PAIR, onsets).row(0)[2:] == (3, 9, 2, None, 1)


def test_a_case_counts_once_and_unknown_days_are_left_out() -> None:
    onsets = _onsets([5, 2, 7], [9, 9, 9]).with_columns(case=pl.Series([1, 1, 2]))
    unknown = onsets.head(1).with_columns(case=pl.lit(3), onset_days=pl.lit(None, pl.Int64))
    found = truncated_onset(PAIR, pl.concat([onsets, unknown], how="vertical_relaxed"))
    assert found["n_onset"].item() == 2
    assert found["median_reported"].item() == 2
    none = truncated_onset(pl.DataFrame({"drug": ["B"], "event": ["rash"]}), onsets)
    assert none.row(0)[2:] == (0, None, None, None, 0)


@pytest.mark.parametrize(("onset", "report"), [(-1, 3), (4, 3)])
def test_impossible_days_are_refused(onset: int, report: int) -> None:
    with pytest.raises(CountsError, match="onset_days <= report_days"):
        truncated_onset(PAIR, _onsets([onset], [report]))
