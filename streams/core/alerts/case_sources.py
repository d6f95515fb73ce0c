"""Sources of the cases of pairs, and bursts of cases from one source on one day."""

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from streams.core.cases.provenance import parse_origin
from streams.core.counting.sorted_counts import Keys
from streams.core.counting.vocabulary import Vocabulary

__all__ = ["BurstRule", "Origins", "burst_rule", "bursts_of", "sources_of"]


_PARTS = {
    "source": pl.UInt32,
    "by_professional": pl.Boolean,
    "country": pl.String,
    "dictionary_versions": pl.String,  # joined; few reports state several
}
_SEPARATOR = "\x1f"
_BY_NAME = {"source": pl.String, "sender_stated": pl.Boolean}
_DAYS = 1 << 31  # added to a day, so that it is not negative
_NO_BURSTS = pl.DataFrame(
    schema={
        **{"key": pl.Int64, "day": pl.Int32, "n": pl.Int64, "n_by_professional": pl.Int64},
        **_BY_NAME,
    }
)


class BurstRule(BaseModel):
    """Thresholds of a burst: cases of one source and day of receipt."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    fewest_cases: int = Field(ge=1, description="At least so many cases of the pair.")
    share: float = Field(gt=0, le=1, description="And at least this share of all of them.")


@lru_cache(maxsize=1)
def burst_rule() -> BurstRule:
    """Return the thresholds that are shipped."""
    text = files("streams.core.alerts").joinpath("bursts.toml").read_text(encoding="utf-8")
    return BurstRule.model_validate(tomllib.loads(text))


class Origins:
    """Parts of the origins in a vocabulary; grows with it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._sources: dict[tuple[str, bool], int] = {}
        self._rows: list[tuple[int, bool, str | None, str | None]] = []
        self._frame = pl.DataFrame(schema=_PARTS)

    @property
    def sources(self) -> Sequence[tuple[str, bool]]:
        """Return the sources by their codes in `parts`: the name, and whether it is of a sender.

        A sender with the name of a system is not that system.
        """
        return list(self._sources)

    @property
    def parts(self) -> pl.DataFrame:
        """Return the parts of every origin, by its code.

        They are `source` [code], `by_professional`, `country` and `dictionary_versions` [joined];
        those not stated are null.
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
    """Summarise the reporters, sources and completeness of the cases of pairs.

    Parameters
    ----------
    cases
        Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs.
    keys
        The pairs, sorted, each once; also those without a case.
    origins
        `Origins.parts`.

    Returns
    -------
    polars.DataFrame
        `key`, `n_by_professional`, `n_sources`, `countries`, `dictionary_versions`, `completeness`
        [median, %; null without a case], `n_suspected_duplicates`.
    """
    places = np.searchsorted(keys, cases["key"].to_numpy())
    n = np.bincount(places, minlength=len(keys))
    # Many cases of a pair share an origin: from here on one row a pair and origin.
    origin = cases["origin"].to_numpy().astype(np.int64)
    combined, n_combined = np.unique(places * origins.height + origin, return_counts=True)
    pairs, parts = combined // origins.height, origins[combined % origins.height]
    professional = parts["by_professional"].to_numpy()
    named = (
        parts.hstack([pl.Series("key", keys[pairs])])
        .group_by("key")
        .agg(
            pl.col("source").n_unique().cast(pl.Int64).alias("n_sources"),
            pl.col("country").drop_nulls().unique().sort().alias("countries"),
            pl.col("dictionary_versions").drop_nulls().unique(),
        )
    )
    suspected = cases["suspected_duplicate"].to_numpy()
    distinct_versions = pl.element().str.split(_SEPARATOR).explode().unique().sort()
    numbers = {
        "key": keys,
        "n_by_professional": np.bincount(
            pairs[professional], n_combined[professional], minlength=len(keys)
        ).astype(np.int64),
        "completeness": _medians(cases["completeness"].to_numpy(), places, n),
        "n_suspected_duplicates": np.bincount(places[suspected], minlength=len(keys)),
    }
    return (
        pl.DataFrame(numbers)
        .join(named, on="key", how="left", maintain_order="left")
        .select(
            "key",
            "n_by_professional",
            pl.col("n_sources").fill_null(0),
            pl.col("countries").fill_null([]),
            pl.col("dictionary_versions").fill_null([]).list.eval(distinct_versions),
            pl.col("completeness").fill_nan(None),
            "n_suspected_duplicates",
        )
    )


def _medians(
    values: npt.NDArray[np.uint8], places: npt.NDArray[np.intp], n: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Return the median of each pair's values; NaN where it has none."""
    medians = np.full(len(n), np.nan)
    with_values = np.flatnonzero(n)
    ordered = np.sort(places << 8 | values) & 0xFF
    begin = (np.cumsum(n) - n)[with_values]
    low, high = ordered[begin + (n[with_values] - 1) // 2], ordered[begin + n[with_values] // 2]
    medians[with_values] = (low + high) / 2
    return medians


def bursts_of(cases: pl.DataFrame, keys: Keys, origins: Origins, rule: BurstRule) -> pl.DataFrame:
    """Return the burst of every pair that has one.

    Of several bursts of one size the earliest counts, then that of the source whose name is first,
    then that of a system before that of a sender.

    Parameters
    ----------
    cases, keys
        See `sources_of`.
    origins
        Sources of the cases.
    rule
        Thresholds of a burst.

    Returns
    -------
    polars.DataFrame
        `key`, `day` [days since 1970-01-01], `source` [name], `sender_stated`, `n` and
        `n_by_professional` [cases].
    """
    places = np.searchsorted(keys, cases["key"].to_numpy())
    n = np.bincount(places, minlength=len(keys))
    # Few pairs have so many cases of one day from any source; the others are skipped.
    day = cases["day"].to_numpy().astype(np.int64) + _DAYS
    days, of_day = np.unique(places << 32 | day, return_counts=True)
    pairs = days >> 32
    many = pairs[(of_day >= rule.fewest_cases) & (of_day >= rule.share * n[pairs])]
    if len(many) == 0:
        return _NO_BURSTS
    cases = cases.filter(np.isin(places, many))
    found = (
        cases.hstack(origins.parts[cases["origin"].to_numpy().astype(np.int64)])
        .lazy()
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
