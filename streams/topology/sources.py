"""Who the cases of pairs came from, and whether one source made most of them in one day."""

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from streams.topology.counting import Keys, Vocabulary
from streams.topology.provenance import parse_origin

__all__ = ["BurstRule", "Origins", "burst_rule", "bursts_of", "sources_of"]


_PARTS = {
    "source": pl.UInt32,
    "by_professional": pl.Boolean,
    "country": pl.String,
    "dictionary_versions": pl.String,  # joined; few reports state several
}
_SEPARATOR = "\x1f"
_BY_NAME = {"source": pl.String, "sender_stated": pl.Boolean}
_NO_BURSTS = pl.DataFrame(
    schema={
        **{"key": pl.Int64, "day": pl.Int32, "n": pl.Int64, "n_by_professional": pl.Int64},
        **_BY_NAME,
    }
)


class BurstRule(BaseModel):
    """When cases of one source and day of receipt are a burst: thresholds, as data."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    fewest_cases: int = Field(ge=1, description="At least so many cases of the pair.")
    share: float = Field(gt=0, le=1, description="And at least this share of all of them.")


@lru_cache(maxsize=1)
def burst_rule() -> BurstRule:
    """Return the thresholds that are shipped."""
    text = files("streams.topology").joinpath("bursts.toml").read_text(encoding="utf-8")
    return BurstRule.model_validate(tomllib.loads(text))


class Origins:
    """The parts of a vocabulary's origins; what it has learnt since is added as it is asked."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._sources: dict[tuple[str, bool], int] = {}
        self._rows: list[tuple[int, bool, str | None, str | None]] = []
        self._frame = pl.DataFrame(schema=_PARTS)

    @property
    def sources(self) -> Sequence[tuple[str, bool]]:
        """Sources by their codes in `parts`: the name, and whether it is that of a sender.

        A sender that has the name of a system is not that system.
        """
        return list(self._sources)

    @property
    def parts(self) -> pl.DataFrame:
        """Return the parts of every origin, by its code.

        They are `source` [code], `by_professional`, `country` and `dictionary_versions` [joined];
        what is not stated is null.
        """
        names = self._vocabulary.names
        if len(names) > len(self._rows):
            for text in names[len(self._rows) :]:
                origin = parse_origin(text)
                named = origin.source, origin.sender_stated
                source = self._sources.setdefault(named, len(self._sources))
                versions = _SEPARATOR.join(origin.dictionaries)
                self._rows.append(
                    (source, origin.by_professional, origin.country or None, versions or None)
                )
            self._frame = pl.DataFrame(self._rows, schema=_PARTS, orient="row")
        return self._frame


def sources_of(cases: pl.DataFrame, keys: Keys, origins: pl.DataFrame) -> pl.DataFrame:
    """Sum up who reported the cases of pairs, and how completely.

    Parameters
    ----------
    cases
        What `streams.topology.caselog.CaseLog.cases_of` gives for the pairs.
    keys
        The pairs, one row each in this order, those without a case too.
    origins
        `Origins.parts`.

    Returns
    -------
    polars.DataFrame
        `key`, `n_by_professional`, `n_sources`, `countries`, `dictionary_versions`, `completeness`
        [median, %; null without a case], `n_suspected_duplicates`.
    """
    found = (
        _with_origin(cases, origins)
        .group_by("key")
        .agg(
            pl.col("by_professional").sum().cast(pl.Int64).alias("n_by_professional"),
            pl.col("source").n_unique().cast(pl.Int64).alias("n_sources"),
            pl.col("country").drop_nulls().unique().sort().alias("countries"),
            pl.col("dictionary_versions").drop_nulls().unique(),
            pl.col("completeness").cast(pl.Float64).median(),
            pl.col("suspected_duplicate").sum().cast(pl.Int64).alias("n_suspected_duplicates"),
        )
    )
    counts = ("n_by_professional", "n_sources", "n_suspected_duplicates")
    each_once = pl.element().str.split(_SEPARATOR).explode().unique().sort()
    return (
        pl.LazyFrame({"key": keys})
        .join(found, on="key", how="left", maintain_order="left")
        .with_columns(
            pl.col(counts).fill_null(0),
            pl.col("countries").fill_null([]),
            pl.col("dictionary_versions").fill_null([]).list.eval(each_once),
        )
        .collect()
    )


def bursts_of(cases: pl.DataFrame, origins: Origins, rule: BurstRule) -> pl.DataFrame:
    """Return the burst of every pair that has one.

    Of two of one size the earlier stands, then that of the source whose name comes first, then that
    of the system before that of the sender.

    Parameters
    ----------
    cases
        As of `sources_of`.
    origins
        Where they came from.
    rule
        When they are a burst.

    Returns
    -------
    polars.DataFrame
        `key`, `day` [days since 1970-01-01], `source` [name], `sender_stated`, `n` and
        `n_by_professional` [cases].
    """
    of_key = np.unique(cases["key"].to_numpy(), return_counts=True)[1]
    if of_key.max(initial=0) < rule.fewest_cases:
        return _NO_BURSTS
    found = (
        _with_origin(cases, origins.parts)
        .group_by("key", "day", "source")
        .agg(
            pl.len().cast(pl.Int64).alias("n"),
            pl.col("by_professional").sum().cast(pl.Int64).alias("n_by_professional"),
        )
        .with_columns(pl.col("n").sum().over("key").alias("of"))
        .filter(pl.col("n") >= rule.fewest_cases, pl.col("n") >= rule.share * pl.col("of"))
        .drop("of")
        .collect()
    )
    named = pl.DataFrame(origins.sources, schema=_BY_NAME, orient="row")[found["source"].to_numpy()]
    return (
        found.with_columns(named.get_columns())
        .sort("key", -pl.col("n"), "day", "source", "sender_stated")
        .unique("key", keep="first", maintain_order=True)
    )


def _with_origin(cases: pl.DataFrame, origins: pl.DataFrame) -> pl.LazyFrame:
    return cases.hstack(origins[cases["origin"].to_numpy().astype(np.int64)]).lazy()
