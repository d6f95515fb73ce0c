"""Permutation of products among cases of a block: a null in which no product causes an event.

Whole product sets move, so that the products named together stay together, and so do the events of
a case. What belongs to the products moves with them: classes, lots and facilities (which are names
among the drugs), courses, spellings and indications. The facts of a domain case belong to the
products in part and to the case in part; they are dropped.
"""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import polars as pl

from schemas.errors import InputError
from streams.core.cases.strata import BAND_UNIT, default_age_bands

__all__ = ["Block", "n_unmovable", "parse_blocks", "permute_products"]

_OF_PRODUCTS = ("drugs", "courses", "drug_spellings", "indications")
_UNIT = "\x1f"  # separates the country from the rest of an origin


class Block(StrEnum):
    """A property of a case; cases that agree in it may exchange their products."""

    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"
    AGE = "age"
    SEX = "sex"
    STATE = "state"
    COUNTRY = "country"
    REGION = "region"


_COLUMNS = {
    Block.DAY: pl.col("day"),
    Block.MONTH: pl.col("day").dt.truncate("1mo"),
    Block.QUARTER: pl.col("day").dt.truncate("1q"),
    Block.SEX: pl.col("sex"),
    Block.STATE: pl.col("subdivision"),
    Block.COUNTRY: pl.col("origin").str.split(_UNIT).list.first(),
    Block.REGION: pl.col("region"),
}


def parse_blocks(text: str) -> tuple[Block, ...]:
    """Read the properties of a block, comma-separated.

    >>> parse_blocks("quarter, age")
    (<Block.QUARTER: 'quarter'>, <Block.AGE: 'age'>)

    Raises
    ------
    InputError
        If a name is unknown, or none is given.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names or not set(names) <= set(Block):
        msg = f"within: one or more of {', '.join(Block)} must be given; got {text!r}"
        raise InputError(msg)
    return tuple(dict.fromkeys(map(Block, names)))


def permute_products(
    cases: pl.DataFrame, within: Sequence[Block], *, seed: int | Sequence[int]
) -> pl.DataFrame:
    """Move whole product sets among the cases of a block, at random.

    Every permutation of a block is equally likely. Each case keeps its id, day, events and patient,
    each block its product sets. The result is a function of the set of cases, not of their order.

    Parameters
    ----------
    cases
        Columns of `schemas.delta.CASE_CHANGES`; each counted case once.
    within
        Cases that agree in all of these form a block; a property not stated is a value of its own.
    seed
        Seed of `numpy.random.default_rng`.

    Returns
    -------
    polars.DataFrame
        The same columns, sorted by day and case, `watched` empty.
    """
    ordered = cases.sort("day", "case_id")
    block = _blocks(ordered, within).to_numpy()
    drawn = np.lexsort((np.random.default_rng(seed).permutation(len(block)), block))
    source = np.empty(len(block), dtype=np.intp)
    source[np.argsort(block, kind="stable")] = drawn
    return ordered.with_columns(*ordered.select(_OF_PRODUCTS)[source], watched=pl.lit(""))


def n_unmovable(cases: pl.DataFrame, within: Sequence[Block]) -> int:
    """Count the cases that no permutation changes: all cases of their block have the same drugs.

    A case that is alone in its block is one of them. What is associated among these cases stays
    associated in the null: with many of them, it is none.
    """
    sets = pl.struct(drugs=pl.col("drugs").list.join(_UNIT)).n_unique().over("block")
    blocked = cases.with_columns(block=_blocks(cases, within))
    return blocked.filter(sets == 1).height


def _blocks(cases: pl.DataFrame, within: Sequence[Block]) -> pl.Series:
    """Return the number of the block of each case."""
    bands = pl.Series(default_age_bands().blocks(cases) // BAND_UNIT)
    columns = {**_COLUMNS, Block.AGE: pl.lit(bands)}
    parts = [columns[part].alias(part.value) for part in within]
    return cases.select(pl.struct(parts).rank("dense")).to_series()
