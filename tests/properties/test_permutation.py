"""Permutation of products: each block keeps its product sets, each case its events and its day."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from schemas.delta import CASE_CHANGES
from streams.core.cases.permutation import Block, permute_products
from tests.support.deltas import case_change

NAMES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True).map(sorted)


@st.composite
def populations(draw: st.DrawFn) -> list[dict[str, Any]]:
    size = draw(st.integers(1, 12))
    return [
        case_change(
            f"case {number}",
            day=date(2024, 1, 30) + timedelta(days=draw(st.integers(0, 3))),
            sex=draw(st.sampled_from(["male", "female", "unknown"])),
            age_years=draw(st.sampled_from([-1.0, 0.2, 30.0])),
            subdivision="",
            drugs=(drugs := draw(NAMES)),
            drug_spellings=[name.upper() for name in drugs],
            courses=draw(st.none() | st.just([len(drugs)] * len(drugs))),
            events=(events := draw(NAMES)),
            event_spellings=[name.upper() for name in events],
        )
        for number in range(size)
    ]


def block_of(case: dict[str, Any], within: list[Block]) -> tuple[object, ...]:
    """Return what the cases of a block agree in, by other means than the code under test."""
    day, years = case["day"], case["age_years"]
    age = "unknown" if years < 0 else "infant" if years < 0.5 else "adult"
    values = {
        Block.DAY: day,
        Block.MONTH: (day.year, day.month),
        Block.SEX: case["sex"],
        Block.AGE: age,
    }
    return tuple(values[part] for part in within)


def products(case: dict[str, Any]) -> str:
    return repr([case[name] for name in ("drugs", "courses", "drug_spellings", "indications")])


@given(
    rows=populations(),
    within=st.lists(
        st.sampled_from([Block.DAY, Block.MONTH, Block.SEX, Block.AGE]), min_size=1, unique=True
    ),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_a_permutation_moves_whole_product_sets_within_blocks(
    rows: list[dict[str, Any]], within: list[Block], seed: int, data: st.DataObject
) -> None:
    schema = dict(CASE_CHANGES)
    permuted = permute_products(
        pl.DataFrame(rows, schema=schema, orient="row"), within, seed=[seed, 1]
    )
    after = permuted.to_dicts()

    def sets(cases: list[dict[str, Any]]) -> Counter[tuple[object, ...]]:
        return Counter((*block_of(case, within), products(case)) for case in cases)

    assert sets(after) == sets(rows)
    of_case = ("day", "sex", "age_years", "events", "event_spellings", "onsets", "serious", "n")
    before = {case["case_id"]: [case[name] for name in of_case] for case in rows}
    assert {case["case_id"]: [case[name] for name in of_case] for case in after} == before
    assert [(case["day"], case["case_id"]) for case in after] == sorted(
        (case["day"], case["case_id"]) for case in rows
    )
    shuffled = pl.DataFrame(data.draw(st.permutations(rows)), schema=schema, orient="row")
    assert permute_products(shuffled, within, seed=[seed, 1]).equals(permuted)
