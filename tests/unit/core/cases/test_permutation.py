"""Permutation of products: what moves, what stays, and which cases may exchange."""

from collections import Counter
from datetime import date
from itertools import permutations
from typing import Any

import polars as pl
import pytest

from schemas.delta import CASE_CHANGES
from schemas.errors import InputError
from streams.core.cases.permutation import Block, n_unmovable, parse_blocks, permute_products
from tests.support.deltas import case_change

FIRST = date(2024, 1, 1)


def cases(*changes: dict[str, Any]) -> pl.DataFrame:
    usual = {"age_years": -1.0, "subdivision": ""}
    rows = [case_change(str(number), **usual | change) for number, change in enumerate(changes)]
    return pl.DataFrame(rows, schema=dict(CASE_CHANGES), orient="row")


def test_what_belongs_to_the_products_moves_with_them_and_nothing_else_does() -> None:
    frame = cases(
        {
            "drugs": ["lot:EX1", "zinc"],
            "courses": [0, 33],
            "drug_spellings": ["", "Zinc"],
            "indications": "cold",
            "events": ["Rash"],
            "onsets": [7],
            "event_spellings": ["RASH"],
            "watched": "facts",
        },
        {"drugs": ["iron"], "events": ["Fever"], "event_spellings": [""], "fatal": True},
    )
    of_products = ["drugs", "courses", "drug_spellings", "indications"]
    exchanged = next(
        found
        for seed in range(50)
        if (found := permute_products(frame, [Block.DAY], seed=seed))["drugs"][0].to_list()
        == ["iron"]
    )
    assert exchanged.schema == pl.Schema(CASE_CHANGES)
    assert exchanged.select(of_products).rows() == frame.select(of_products).reverse().rows()
    kept = [name for name in CASE_CHANGES if name not in (*of_products, "watched")]
    assert exchanged.select(kept).equals(frame.select(kept))
    assert exchanged["watched"].to_list() == ["", ""]


def test_every_permutation_of_a_block_is_equally_likely() -> None:
    names = ["a", "b", "c"]
    frame = cases(*({"drugs": [name]} for name in names))
    n_seeds = 1_200
    found = Counter(
        tuple(permute_products(frame, [Block.DAY], seed=seed)["drugs"].list.first().to_list())
        for seed in range(n_seeds)
    )
    expected = n_seeds / 6
    chi_squared = sum((found[order] - expected) ** 2 / expected for order in permutations(names))
    assert chi_squared < 20.5  # the 0.1% point at five degrees of freedom


@pytest.mark.parametrize(
    ("block", "one", "same", "other"),
    [
        ("day", {"day": FIRST}, {"day": FIRST}, {"day": date(2024, 1, 2)}),
        ("month", {"day": FIRST}, {"day": date(2024, 1, 31)}, {"day": date(2025, 1, 1)}),
        ("quarter", {"day": FIRST}, {"day": date(2024, 3, 31)}, {"day": date(2024, 4, 1)}),
        ("age", {"age_years": 0.5}, {"age_years": 0.99}, {"age_years": 0.49}),
        ("age", {"age_years": 65.0}, {"age_years": 99.0}, {"age_years": -1.0}),
        ("age", {"age_years": 0.0}, {"age_years": 0.1}, {"age_years": -1.0}),
        ("age", {"age_years": 7.0}, {"age_years": 17.9}, {"age_years": 18.0}),
        ("sex", {"sex": "female"}, {"sex": "female"}, {"sex": "unknown"}),
        ("state", {"subdivision": "US-TX"}, {"subdivision": "US-TX"}, {"subdivision": ""}),
        (
            "country",
            {"origin": "US\x1fp\x1fA"},
            {"origin": "US\x1f\x1fB\x1fMedDRA 27.0"},
            {"origin": "\x1fp\x1fA"},
        ),
        ("region", {"region": "asia"}, {"region": "asia"}, {"region": "unknown"}),
    ],
)
def test_cases_that_agree_in_the_property_exchange(
    block: str, one: dict[str, Any], same: dict[str, Any], other: dict[str, Any]
) -> None:
    frame = cases(
        {"drugs": ["a"], **one}, {"drugs": ["b"], **same}, {"drugs": ["c"], **other}
    ).sort("day", "case_id")
    where = frame["drugs"].list.first().to_list().index("c")
    moved = set[tuple[str, ...]]()
    for seed in range(40):
        drugs = permute_products(frame, parse_blocks(block), seed=seed)["drugs"].list.first()
        assert drugs[where] == "c"
        moved.add(tuple(drugs.to_list()))
    assert len(moved) == 2


def test_a_block_is_of_cases_that_agree_in_everything_named() -> None:
    frame = cases(
        {"drugs": ["a"], "sex": "male", "region": "asia"},
        {"drugs": ["b"], "sex": "male", "region": "japan"},
        {"drugs": ["c"], "sex": "female", "region": "asia"},
    )
    for seed in range(20):
        alone = permute_products(frame, parse_blocks("sex,region"), seed=seed)
        assert alone["drugs"].list.first().to_list() == ["a", "b", "c"]


def test_cases_that_no_permutation_changes_are_counted() -> None:
    frame = cases(
        {"drugs": ["a"], "sex": "male"},  # with the next, of equal drugs
        {"drugs": ["a"], "sex": "male"},
        {"drugs": ["a"], "sex": "female"},  # may exchange with the next
        {"drugs": ["a", "b"], "sex": "female"},
        {"drugs": ["c"], "sex": "unknown"},  # alone
    )
    assert n_unmovable(frame, [Block.SEX]) == 3
    assert n_unmovable(frame, [Block.DAY]) == 0
    assert n_unmovable(frame, [Block.DAY, Block.SEX]) == 3


def test_no_case_is_permuted_to_none() -> None:
    none = cases().clear()
    assert permute_products(none, [Block.DAY, Block.AGE], seed=1).height == 0
    assert n_unmovable(none, [Block.DAY, Block.AGE]) == 0


@pytest.mark.parametrize("text", ["", " , ", "week", "day,weeks", "Day"])
def test_an_unknown_property_is_refused(text: str) -> None:
    with pytest.raises(
        InputError,
        match=r"^within: one or more of day, month, quarter, age, sex, state, country, region must "
        rf"be given; got '{text}'$",
    ):
        parse_blocks(text)


def test_properties_are_read_once_each_in_order() -> None:
    assert parse_blocks(" month,age , month") == (Block.MONTH, Block.AGE)
