"""The path of one pair against the test of all pairs, day by day."""

from itertools import groupby

import numpy as np
import polars as pl
import pytest

from detectors.anytime_valid import advance, e_values, start
from detectors.anytime_valid_path import evidence_path
from detectors.anytime_valid_state import daily_counts


def _cases(seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    rows = [
        {
            "day": 19000 + int(random.integers(0, 12)),
            "block": int(random.integers(0, 3)),
            "drugs": sorted({int(code) for code in random.integers(0, 4, 2)}),
            "events": sorted({int(code) for code in random.integers(0, 5, 2)}),
            "n": 1,
        }
        for _ in range(150)
    ]
    return pl.DataFrame(rows)


@pytest.mark.parametrize("seed", range(4))
def test_each_day_has_the_e_value_of_the_test_of_all_pairs(seed: int) -> None:
    blocks = daily_counts(_cases(seed))
    path = {row[0]: row[1:] for row in evidence_path(blocks, 2, 3).iter_rows()}
    test, so_far, n_compared = start(), 0, 0
    for day, of_day in groupby(blocks, key=lambda block: block.margins.day):
        test = advance(test, *of_day)
        date = pl.Series([day]).cast(pl.Date).item()
        table = e_values(test).filter(drug=2, event=3)
        if date in path and table.height:
            n, expected, n_so_far, log_e, e_value = path[date]
            so_far += n
            assert n_so_far == so_far == table["n_observed"].item()
            assert log_e == pytest.approx(table["log_e_value"].item(), abs=1e-12)
            assert e_value == pytest.approx(np.exp(log_e), rel=1e-12)
            assert expected > 0
            n_compared += 1
        elif table.height:  # neither changed: the last one of the path stands
            last = max(known for known in path if known <= date)
            assert path[last][3] == pytest.approx(table["log_e_value"].item(), abs=1e-12)
    assert n_compared > 5


def test_expected_cases_are_those_of_the_margins_of_each_block() -> None:
    rows = {"day": [19000] * 3, "block": [0, 0, 1], "drugs": [[1], [2], [1]]}
    cases = pl.DataFrame(rows | {"events": [[7], [7], [7]], "n": [1, 3, 2]})
    day, n, expected, so_far, *_ = evidence_path(daily_counts(cases), 1, 7).row(0)
    assert (str(day), n, so_far) == ("2022-01-08", 3, 3)
    assert expected == pytest.approx(1 * 4 / 4 + 2 * 2 / 2)


def test_a_pair_without_both_has_no_path() -> None:
    cases = pl.DataFrame({"day": [19000, 19001], "drugs": [[1], [2]], "events": [[7], [8]], "n": 1})
    assert evidence_path(daily_counts(cases), 1, 8).is_empty()
