"""Rows of a forest, beside counts by hand."""

import math
from collections import defaultdict

import pytest

from schemas.report import Report
from streams.core.explanation.population import Population
from streams.core.explanation.strata_forest import SUBGROUPS, strata_forest, within_subgroups
from tests.support.explained import in_order, population, run


@pytest.fixture(scope="module")
def found() -> Population:
    return population(run())


def _expected_in_strata() -> float:
    strata = defaultdict[tuple[object, ...], list[Report]](list)
    for each in in_order():
        quarter = (each.first_received.month + 2) // 3
        strata[quarter, each.patient.age_years, each.patient.sex].append(each)
    return sum(
        sum("zinc" in str(each.products) for each in held)
        * sum("rash" in str(each.reactions) for each in held)
        / len(held)
        for held in strata.values()
    )


def test_the_first_row_is_of_all_cases_and_the_second_adjusted(found: Population) -> None:
    everything, adjusted, *_ = strata_forest(found).iter_rows(named=True)
    assert (everything["factor"], everything["n_observed"]) == ("all", 10)
    assert everything["expected"] == pytest.approx(18 * 16 / 124)
    assert everything["ic"] == pytest.approx(math.log2(10.5 / (18 * 16 / 124 + 0.5)))
    assert (adjusted["factor"], adjusted["n_observed"]) == ("adjusted", 10)
    assert adjusted["expected"] == pytest.approx(_expected_in_strata())
    assert adjusted["ic"] == pytest.approx(math.log2(10.5 / (adjusted["expected"] + 0.5)))


def test_a_subgroup_is_compared_within_itself(found: Population) -> None:
    rows = {
        row["subgroup"]: row
        for row in strata_forest(found).iter_rows(named=True)
        if row["factor"] == "sex"
    }
    for sex, row in rows.items():
        of_sex = [each for each in in_order() if each.patient.sex.value == sex]
        zinc = [each for each in of_sex if "zinc" in str(each.products)]
        rash = [each for each in of_sex if any(one.term == "rash" for one in each.reactions)]
        assert row["n_observed"] == sum(each in rash for each in zinc)
        assert row["expected"] == pytest.approx(len(zinc) * len(rash) / len(of_sex))
        assert row["ic_lower"] < row["ic"] < row["ic_upper"]
    assert sum(row["n_observed"] for row in rows.values()) == 10


def test_only_subgroups_with_a_case_of_the_pair_are_rows(found: Population) -> None:
    forest = strata_forest(found)
    assert min(forest["n_observed"].to_list()) > 0
    assert set(forest["factor"]) <= {"all", "adjusted", *SUBGROUPS}


def test_a_factor_with_one_subgroup_is_left_out(found: Population) -> None:
    factors = [factor for factor, _ in within_subgroups(found)]
    assert {"age_band", "sex"} <= set(factors)
    assert "year" not in factors  # all cases are of 2024
