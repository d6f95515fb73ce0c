"""The counted cases by day, encoded: the daily buckets every window is a sum of."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.topology.counting import Keys, join_key, split_key

__all__ = ["CASE_LOG", "CaseLog"]

CASE_LOG: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "seq": pl.Int64(),  # order of arrival; one case's rows alternate +1, -1 along it
        "day": pl.Int32(),  # days since 1970-01-01
        "case_id": pl.String(),
        "stratum": pl.UInt32(),
        "serious": pl.Boolean(),
        "fatal": pl.Boolean(),
        "drugs": pl.List(pl.UInt32()),
        "events": pl.List(pl.UInt32()),
        "n": pl.Int8(),
    }
)
"""Columns of the log: one row a case entering (+1) or leaving (-1) its day's bucket."""


_MERGED = 4  # runs at a time


class _Run:
    """An immutable stretch of the log, sorted by day, with an index by drug made on first use."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows
        self.days = rows["day"].to_numpy()
        self._index: tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]] | None = None

    def between(self, first_day: int | None, last_day: int) -> pl.DataFrame:
        start = 0 if first_day is None else int(np.searchsorted(self.days, first_day, "left"))
        end = int(np.searchsorted(self.days, last_day, "right"))
        return self.rows.slice(start, end - start)

    def naming(self, drugs: npt.NDArray[np.uint32]) -> pl.DataFrame:
        """Return the rows that name any of the drugs, in the order of the run."""
        if self._index is None:
            named = self.rows.select("drugs", row=pl.int_range(pl.len(), dtype=pl.UInt32))
            named = named.explode("drugs").sort("drugs", "row")
            self._index = named["drugs"].to_numpy(), named["row"].to_numpy()
        codes, rows = self._index
        starts = np.searchsorted(codes, drugs, "left")
        ends = np.searchsorted(codes, drugs, "right")
        wanted = np.zeros(self.rows.height, dtype=np.bool_)
        for start, end in zip(starts, ends, strict=True):
            wanted[rows[start:end]] = True
        return self.rows.filter(pl.Series(wanted))


class CaseLog:
    """Rows of `CASE_LOG` in few sorted runs, merged as they grow; nothing is ever dropped as late.

    A retraction is a row like any other: sums over days are right before and after a merge, which
    only removes what has cancelled out.
    """

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def append(self, rows: pl.DataFrame) -> None:
        """Add rows of `CASE_LOG`, later in `seq` than any before, those of one day in its order."""
        if rows.height == 0:
            return
        self._runs.append(_Run(_by_day(rows)))
        while self._runs_are_many():
            merged = _by_day(pl.concat(run.rows for run in self._runs[-_MERGED:]))
            self._runs[-_MERGED:] = [_Run(_cancelled(merged))]

    def _runs_are_many(self) -> bool:
        # Of any four runs in a row the first is the larger by a power of four: so they stay few,
        # and a row is merged as many times as it takes fours to make the log.
        first, *later = [run.rows.height.bit_length() // 2 for run in self._runs[-_MERGED:]]
        return len(later) == _MERGED - 1 and first <= max(later)

    @property
    def n_cases(self) -> int:
        """Number of cases that are counted."""
        return sum(int(run.rows["n"].sum()) for run in self._runs)

    def between(self, first_day: int | None, last_day: int) -> pl.DataFrame:
        """Return the rows of the days, both ends included; `None` is open to the past."""
        return pl.concat(
            [
                pl.DataFrame(schema=dict(CASE_LOG)),
                *(run.between(first_day, last_day) for run in self._runs),
            ]
        )

    def cases_of(self, pairs: Keys, first_day: int | None, last_day: int) -> pl.DataFrame:
        """Return the cases of drug-event pairs in a range of days.

        Returns
        -------
        polars.DataFrame
            `key`, `case_id`, `day`, `serious`, `fatal`; one row a case and pair, sorted by `key`,
            `day` and `case_id`.
        """
        drugs = np.unique(split_key(pairs)[0]).astype(np.uint32)
        named = pl.concat(
            [pl.DataFrame(schema=dict(CASE_LOG)), *(run.naming(drugs) for run in self._runs)]
        ).filter(pl.col("day") <= last_day)
        if first_day is not None:
            named = named.filter(pl.col("day") >= first_day)
        exploded = (
            named.lazy()
            .explode("drugs")
            .filter(pl.col("drugs").is_in(pl.Series(drugs).implode()))
            .explode("events")
            .with_columns(key=join_key(pl.col("drugs"), pl.col("events")))
            .join(pl.LazyFrame({"key": np.unique(pairs)}), on="key", how="semi")
            .group_by("key", "case_id", "day", "serious", "fatal")
            .agg(pl.col("n").cast(pl.Int64).sum())
            .filter(pl.col("n") != 0)
            .drop("n")
            .sort("key", "day", "case_id")
        )
        return exploded.collect()

    def rows(self) -> pl.DataFrame:
        """Return every row that has not cancelled out, sorted by day: the log's snapshot."""
        merged = pl.concat([pl.DataFrame(schema=dict(CASE_LOG)), *(run.rows for run in self._runs)])
        return _cancelled(_by_day(merged))


def _by_day(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("day", maintain_order=True)  # the order is that of `seq`


def _cancelled(rows: pl.DataFrame) -> pl.DataFrame:
    """Remove what a case added and took back within the rows.

    Along `seq` the rows of a case alternate, so all cancel but a leading -1, which takes back a row
    of an earlier run, and a trailing +1, which still stands.
    """
    back = rows.filter(pl.col("n") < 0)["case_id"]
    if len(back) == 0:
        return rows
    # Most cases only enter.
    moved = rows.select("seq", "n", "case_id", row=pl.int_range(pl.len(), dtype=pl.UInt32)).filter(
        pl.col("case_id").is_in(back.implode())
    )
    seq = pl.col("seq")
    leading = (pl.col("n") < 0) & (seq == seq.min().over("case_id"))
    trailing = (pl.col("n") > 0) & (seq == seq.max().over("case_id"))
    gone = moved.filter(~(leading | trailing))["row"].to_numpy()
    kept = np.ones(rows.height, dtype=np.bool_)
    kept[gone] = False
    return rows.filter(pl.Series(kept))
