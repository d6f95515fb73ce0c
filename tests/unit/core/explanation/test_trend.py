"""A pair day by day, beside counts by hand."""

import math
from datetime import timedelta

import pytest

from streams.core.explanation.population import Population
from streams.core.explanation.trend import daily_trend
from tests.support.explained import FIRST, in_order, population, run


@pytest.fixture(scope="module")
def found() -> Population:
    return population(run())


def test_each_day_holds_the_cases_received_until_then(found: Population) -> None:
    trend = daily_trend(found)
    reports = in_order()
    for row in trend.iter_rows(named=True):
        so_far = [each for each in reports if each.first_received <= row["day"]]
        zinc = [
            each
            for each in so_far
            if "zinc" in each.products[-1].substances + each.products[0].substances
        ]
        rash = [each for each in so_far if any(one.term == "rash" for one in each.reactions)]
        both = [each for each in zinc if each in rash]
        counts = row["n_observed"], row["n_drug"], row["n_event"], row["n_total"]
        assert counts == (len(both), len(zinc), len(rash), len(so_far)), row["day"]
        expected = len(zinc) * len(rash) / len(so_far)
        assert row["expected"] == pytest.approx(expected)
        assert row["ic"] == pytest.approx(math.log2((len(both) + 0.5) / (expected + 0.5)))
        assert row["ic_lower"] < row["ic"] < row["ic_upper"] or not both


def test_it_begins_with_the_first_case_of_the_drug(found: Population) -> None:
    trend = daily_trend(found)
    first = min(each.first_received for each in in_order() if "zinc" in str(each.products))
    assert trend["day"][0] == first
    assert trend["day"].is_sorted()
    assert trend["day"][-1] <= FIRST + timedelta(days=119)


def test_new_cases_sum_up_to_the_last_count(found: Population) -> None:
    trend = daily_trend(found)
    before = trend["n_observed"][0] - trend["n_new"][0]
    assert trend["n_new"].sum() + before == trend["n_observed"][-1] == 10
