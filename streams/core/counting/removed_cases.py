"""Cases that were nullified or linked to another, kept beside the case log.

They are in no count. An alert states how many of its pair were removed, so they are stored in the
form in which they would count, in the same kind of log as the counted ones.
"""

from typing import NamedTuple

import polars as pl

from streams.core.counting.case_log import CASE_LOG, CaseLog
from streams.core.counting.sorted_counts import Keys

__all__ = ["KeptCases", "RemovedCases"]

_FIELDS = {
    "nullified": "n_removed_nullified",
    "duplicate": "n_removed_duplicates",
    "withdrawn": "n_removed_withdrawn",
}


class RemovedCases:
    """A case log for each reason: `nullified`, `duplicate` and `withdrawn`."""

    def __init__(self) -> None:
        self._logs = {reason: CaseLog() for reason in _FIELDS}

    def append(self, rows: pl.DataFrame) -> None:
        """Add rows of `streams.core.counting.case_log.CASE_LOG` with a `reason`, in their order."""
        for reason, log in self._logs.items():
            log.append(rows.filter(pl.col("reason") == reason).drop("reason"))

    def counts(self, keys: Keys, first_day: int | None, last_day: int) -> dict[str, list[int]]:
        """Count the removed cases of each pair in a range of days, by field of an alert.

        Parameters
        ----------
        keys
            The pairs, sorted, each once.
        first_day, last_day
            See `streams.core.counting.case_log.CaseLog.cases_of`.
        """
        return {
            _FIELDS[reason]: log.numbers_of(keys, first_day, last_day).tolist()
            for reason, log in self._logs.items()
        }

    def frozen(self) -> "RemovedCases":
        """Return the current logs for another thread, as `CaseLog.frozen` does."""
        copy = RemovedCases()
        copy._logs = {reason: log.frozen() for reason, log in self._logs.items()}
        return copy

    def rows(self) -> pl.DataFrame:
        """Return every row that has not cancelled out, with its `reason`."""
        return pl.concat(
            log.rows().with_columns(pl.lit(reason).alias("reason"))
            for reason, log in self._logs.items()
        )


class KeptCases(NamedTuple):
    """Snapshot of a detector's counted and removed cases."""

    log: CaseLog
    removals: RemovedCases

    def rows(self) -> pl.DataFrame:
        """Return all rows; `reason` is null for cases that count."""
        nothing = pl.lit(None, dtype=pl.String).alias("reason")
        return pl.concat([self.log.rows().with_columns(nothing), self.removals.rows()])

    @staticmethod
    def split(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Split `rows` into those of the log and those of the removals."""
        rows = rows.match_to_schema({**CASE_LOG, "reason": pl.String()})
        counted = pl.col("reason").is_null()
        return rows.filter(counted).drop("reason"), rows.filter(~counted)
