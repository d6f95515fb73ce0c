"""The installed code against published and independently computed numbers: `tocsin validate`."""

import json
from importlib.resources import files
from typing import Any

import polars as pl

from detectors.scoring import score
from schemas.counts import MARGINS

__all__ = ["validate"]


def validate() -> pl.DataFrame:
    """Compute every row of `oracles.json` and compare it with the number printed there.

    Returns
    -------
    polars.DataFrame
        One row a number: `check` (the group and its four counts), `statistic`, `expected`, `got`,
        `difference`, `tolerance` (half a unit of the last printed digit), `source`, `ok`.

    Examples
    --------
    >>> validate()["ok"].all()
    True
    """
    groups = json.loads(files("detectors").joinpath("oracles.json").read_text(encoding="utf-8"))
    return pl.concat([_compare(name, group) for name, group in groups.items()])


def _compare(name: str, group: dict[str, Any]) -> pl.DataFrame:
    counts_of = pl.concat_str([pl.col(margin) for margin in MARGINS], separator=", ")
    printed = pl.DataFrame(group["rows"], schema=group["columns"], orient="row").with_columns(
        pl.col(MARGINS).cast(pl.Int64)
    )
    statistics = [column for column in printed.columns if column not in MARGINS]
    check = pl.format("{} ({})", pl.lit(name), counts_of).alias("check")
    computed = score(printed.select(*MARGINS, drug=counts_of, event=pl.lit(name)))
    expected = printed.select(check, *statistics).unpivot(
        index="check", variable_name="statistic", value_name="expected"
    )
    got = computed.select(check, *statistics).unpivot(
        index="check", variable_name="statistic", value_name="got"
    )
    difference = (pl.col("got") - pl.col("expected")).abs()
    tolerance = pl.lit(group["tolerance"], dtype=pl.Float64)
    return expected.join(
        got, on=["check", "statistic"], how="left", maintain_order="left"
    ).with_columns(
        difference.alias("difference"),
        tolerance.alias("tolerance"),
        pl.lit(group["source"]).alias("source"),
        (difference <= tolerance).fill_null(False).alias("ok"),
    )
