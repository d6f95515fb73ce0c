"""Products of the same cases, with and without those cases, counted by hand."""

import math

import pytest

from streams.core.explanation.neighbours import co_named_products, neighbours_with_and_without
from tests.support.explained import population, run


def test_a_neighbour_is_counted_with_and_without_the_cases_of_the_drug() -> None:
    (iron,) = neighbours_with_and_without(population(run())).iter_rows(named=True)
    assert (iron["product"], iron["n_shared"]) == ("iron", 6)
    # All 124: 27 of iron, 16 with rash, 7 of both.
    assert (iron["n_observed"], iron["expected"]) == (7, pytest.approx(27 * 16 / 124))
    assert iron["ic"] == pytest.approx(math.log2(7.5 / (27 * 16 / 124 + 0.5)))
    # Without the 18 of zinc: 1 of 21, 6 with rash, 106 in all.
    assert (iron["n_observed_without"], iron["expected_without"]) == (
        1,
        pytest.approx(21 * 6 / 106),
    )
    assert iron["ic_without"] == pytest.approx(math.log2(1.5 / (21 * 6 / 106 + 0.5)))
    for end in ("", "_without"):
        assert iron[f"ic_lower{end}"] < iron[f"ic{end}"] < iron[f"ic_upper{end}"]


def test_no_more_products_than_asked() -> None:
    assert neighbours_with_and_without(population(run()), most=0).is_empty()


def test_a_pair_whose_cases_name_one_product_has_no_neighbour() -> None:
    alone = population(run(), "gold", "cough")
    assert co_named_products(alone).is_empty()
    assert neighbours_with_and_without(alone).is_empty()
