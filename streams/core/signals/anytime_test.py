"""Anytime-valid test over the cumulative counts, updated as days close."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from detectors.anytime_valid import advance, e_values, recompute, start
from detectors.anytime_valid_state import DayCounts, SafeTest, daily_counts
from streams.core.counting.case_log import CaseLog
from streams.core.counting.sorted_counts import join_key

__all__ = ["DailySequentialTest"]


class DailySequentialTest:
    """Tests each day once it is over; a correction to a day already tested recomputes all.

    The result is the same to the last bit either way. But a correction that somebody made because
    of an alert breaks the order that the test's guarantee assumes, so `recomputed` stays true from
    then on, and alerts state it.

    Parameters
    ----------
    asked
        Returns rows of the case log with the drugs and events that are tested.
    """

    def __init__(self, asked: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows) -> None:
        self._asked = asked
        self._test: SafeTest = start()
        self._last_day: int | None = None
        self._corrected = False
        self._table: pl.DataFrame | None = None

    @property
    def recomputed(self) -> bool:
        """Return whether a past day was corrected after it had been tested."""
        return self._test.recomputed

    @property
    def last_day(self) -> int | None:
        """Return the last day tested [days since 1970-01-01]; `None` before the first."""
        return self._last_day

    def facts(self) -> dict[str, Any]:
        """Return the facts that a snapshot keeps; the daily counts come from the case log."""
        return {"last_day": self._last_day, "recomputed": self.recomputed or self._corrected}

    def restore(self, facts: Mapping[str, Any], log: CaseLog) -> None:
        """Restore a new test from a snapshot, so that later corrections are recognised."""
        if facts["last_day"] is not None:
            test = recompute(self._daily(log, None, facts["last_day"]), self._test.level)
            self._test = replace(test, recomputed=facts["recomputed"])
            self._last_day = facts["last_day"]

    def note(self, rows: pl.DataFrame) -> None:
        """Find corrections of past days among new rows of the case log.

        A case that leaves and enters again with the same drugs and events corrects nothing here.
        """
        if self._last_day is None or self._corrected:
            return
        past = self._asked(rows.filter(pl.col("day") <= self._last_day))
        if past.height:
            change = past.group_by("day", "drugs", "events").agg(pl.col("n").cast(pl.Int64).sum())
            self._corrected = bool((change["n"] != 0).any())

    def close(self, last_day: int, log: CaseLog) -> None:
        """Test the days up to and including one that is over."""
        if self._corrected:
            through = max(last_day, -1 if self._last_day is None else self._last_day)
            self._test = recompute(self._daily(log, None, through), self._test.level)
            self._last_day, self._corrected, self._table = through, False, None
        elif self._last_day is None or last_day > self._last_day:
            first = None if self._last_day is None else self._last_day + 1
            for day in self._daily(log, first, last_day):
                self._test = advance(self._test, day)
            self._last_day, self._table = last_day, None

    def _daily(self, log: CaseLog, first: int | None, last: int) -> list[DayCounts]:
        return daily_counts(self._asked(log.between(first, last)))

    def statistics(self, keys: np.ndarray) -> pl.DataFrame:
        """Return the test's three statistics of pairs, in the order asked for; null if unknown."""
        if self._table is None:
            key = join_key(pl.col("drug"), pl.col("event")).alias("key")
            self._table = e_values(self._test).select(key, "e_value", "log_e_value", "e_bh_level")
        asked = pl.DataFrame({"key": keys})
        return asked.join(self._table, on="key", how="left", maintain_order="left").drop("key")
