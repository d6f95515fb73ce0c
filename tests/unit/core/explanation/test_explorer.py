"""All pairs of a product or event, with the counts of the cases, also of what is no signal."""

import pytest

from streams.core.explanation.explorer import pairs_of_event, pairs_of_product
from tests.support.explained import explained_run, run

RUN = explained_run(run())


def test_every_event_of_a_product_has_its_four_counts() -> None:
    table = pairs_of_product(RUN, "Iron")
    counts = {
        row["event"]: (row["n_observed"], row["n_drug"], row["n_event"], row["n_total"])
        for row in table.iter_rows(named=True)
    }
    assert counts == {"rash": (7, 27, 16, 124), "cough": (20, 27, 68, 124)}
    assert table["expected"].to_list() == pytest.approx(
        [row["n_drug"] * row["n_event"] / 124 for row in table.iter_rows(named=True)]
    )
    assert table["signal_key"].to_list() == [f"iron|{event}|cumulative" for event in table["event"]]


def test_every_product_of_an_event_is_listed_the_highest_limit_first() -> None:
    table = pairs_of_event(RUN, "RASH")
    assert set(table["drug"]) == {"zinc", "iron", "lead"}
    assert table["ic_lower"].is_sorted(descending=True)
    assert table["drug"][0] == "zinc"


def test_pairs_of_few_cases_may_be_left_out() -> None:
    assert set(pairs_of_event(RUN, "rash", least=6)["drug"]) == {"zinc", "iron"}
    assert set(pairs_of_product(RUN, "lead", least=6)["event"]) == {"fever"}


def test_an_unknown_name_has_no_pairs() -> None:
    assert pairs_of_product(RUN, "nothing").height == 0
    assert pairs_of_event(RUN, "nothing").height == 0
