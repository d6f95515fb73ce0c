"""Other products of the pair's cases, counted by hand."""

import math

import pytest

from streams.core.explanation.neighbours import co_named_products
from streams.core.explanation.section import Section
from tests.support.explained import population, run, sections
from tests.support.replays import Replayed, replayed
from tests.support.reports import make_report


@pytest.fixture(scope="module")
def done() -> Replayed:
    return run()


@pytest.fixture(scope="module")
def found(done: Replayed) -> dict[str, Section]:
    return sections(done)


def test_products_of_the_cases_come_with_what_is_left_without_them(
    found: dict[str, Section],
) -> None:
    (iron,) = found["co_named"].rows
    assert (iron["product"], iron["n_shared"], iron["share"]) == ("iron", 6, 0.6)
    assert iron["explains"] is False
    # Without the 27 cases of iron: 4 of 12 of zinc, 5 others with rash, 97 in all.
    assert iron["n_without"] == 4
    assert iron["expected_without"] == pytest.approx(12 * 9 / 97)
    assert iron["ic_without"] == pytest.approx(math.log2(4.5 / (12 * 9 / 97 + 0.5)))
    assert iron["ic_without_lower"] < iron["ic_without"]
    # Iron without the cases of zinc: 1 of 21, 6 with rash, 106 in all.
    assert iron["reverse_ic"] == pytest.approx(math.log2(1.5 / (21 * 6 / 106 + 0.5)))


def test_a_bystander_is_explained_by_the_culprit_beside_it() -> None:
    """All cases of silver and rash name zinc, which 12 others have with rash alone."""
    kinds = [
        *[(("zinc", "silver"), ("rash",))] * 5,
        *[(("silver",), ("cough",))] * 6,
        *[(("zinc",), ("rash",))] * 12,
        *[(("zinc",), ("cough",))] * 6,
        *[(("lead",), ("fever",))] * 120,
        *[(("gold",), ("rash",))] * 3,
    ]
    done = replayed(
        make_report(f"C{place:03}", drugs=drugs, events=events)
        for place, (drugs, events) in enumerate(kinds)
    )
    (zinc,) = sections(done, ("silver", "rash"))["co_named"].rows
    assert (zinc["product"], zinc["explains"], zinc["n_shared"]) == ("zinc", True, 5)
    (silver,) = sections(done, ("zinc", "rash"))["co_named"].rows
    assert silver["explains"] is False


def test_maskers_are_the_other_products_of_the_event(found: dict[str, Section]) -> None:
    rows = {row["masker"]: row for row in found["masking"].rows}
    assert set(rows) == {"iron", "lead"}
    lead = rows["lead"]
    assert (lead["n_masker"], lead["n_masker_event"], lead["n_observed_masker"]) == (45, 5, 0)
    prr, without = (10 / 18) / (6 / 106), (10 / 18) / (1 / 61)
    assert lead["masking_ratio"] == pytest.approx(without / prr)


def test_interaction_is_of_products_that_three_cases_name(found: dict[str, Section]) -> None:
    (iron,) = found["interaction"].rows
    assert (iron["product"], iron["n_observed"], iron["n_both"]) == ("iron", 6, 6)


def test_the_most_often_named_come_first(done: Replayed) -> None:
    assert co_named_products(population(done)).rows() == [("iron", 6)]
    assert co_named_products(population(done, "lead", "fever")).is_empty()
