"""Anytime-valid test over the cumulative counts, updated as days close."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.alarm_budget import FLOOR, PERIOD, entry_threshold
from detectors.anytime_valid import SafeTest, advance, e_values, recompute, start
from detectors.anytime_valid_state import DayCounts, daily_counts, without_repeats
from detectors.rules import RuleSet
from schemas.alert import SignalGrade, WindowKind
from schemas.errors import InputError
from streams.core.cases.strata import BAND_UNIT
from streams.core.counting.case_log import CaseLog
from streams.core.counting.level_codes import LevelCodes
from streams.core.counting.sorted_counts import Keys, join_key
from streams.core.counting.windows import WindowSpec
from streams.core.signals.scorer import NEEDS_BLOCKED_TEST, NEEDS_SAFE_TEST, OF_TEST, Scorer

__all__ = ["DailySequentialTest", "SequentialState", "SequentialTests", "require_window"]

Rows = Callable[[pl.DataFrame], pl.DataFrame]
Chosen = Callable[[Keys], npt.NDArray[np.bool_]]


class DailySequentialTest:
    """Tests each day once it is over; a correction to a day already tested recomputes all.

    The result is the same to the last bit either way. But a correction that somebody made because
    of an alert breaks the order that the test's guarantee assumes, so `recomputed` stays true from
    then on, and alerts state it.

    Parameters
    ----------
    asked
        Returns rows of the case log with the drugs and events that are tested; with `block`, if
        days are divided.
    identity
        Columns of these rows in which a change corrects a day.
    entering
        Returns, of all rows of some days, those that enter the test.
    """

    def __init__(
        self,
        asked: Rows = lambda rows: rows,
        *,
        identity: Sequence[str] = ("day", "drugs", "events"),
        entering: Rows = lambda rows: rows,
    ) -> None:
        self._asked = asked
        self._identity = list(identity)
        self._entering = entering
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

    @property
    def state(self) -> SafeTest:
        """Return the test after the last day."""
        return self._test

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
            change = past.group_by(self._identity).agg(pl.col("n").cast(pl.Int64).sum())
            self._corrected = bool((change["n"] != 0).any())

    def close(self, last_day: int, log: CaseLog) -> bool:
        """Test the days up to and including one that is over; return whether any was tested."""
        if self._corrected:
            through = max(last_day, -1 if self._last_day is None else self._last_day)
            self._test = recompute(self._daily(log, None, through), self._test.level)
            self._last_day, self._corrected, self._table = through, False, None
            return True
        if self._last_day is None or last_day > self._last_day:
            first = None if self._last_day is None else self._last_day + 1
            days = groupby(self._daily(log, first, last_day), key=lambda block: block.margins.day)
            for _, blocks in days:
                self._test = advance(self._test, *blocks)
            self._last_day, self._table = last_day, None
            return True
        return False

    def _daily(self, log: CaseLog, first: int | None, last: int) -> list[DayCounts]:
        return daily_counts(self._entering(self._asked(log.between(first, last))))

    def entry_threshold(self, log: CaseLog, counted: Chosen) -> float:
        """Return the e-value that a pair needs for an alarm on the last day tested.

        Parameters
        ----------
        counted
            Returns which pairs count as newly reported, of those of the last days.
        """
        first_day = self._test.history.first_day
        if self._last_day is None or first_day is None:
            return FLOOR  # no pair is tested
        new = self._test.pairs[self._test.first_day > self._last_day - PERIOD]
        cases = log.between(self._last_day - PERIOD + 1, self._last_day)
        return entry_threshold(
            int(np.count_nonzero(counted(new))),
            int(cases["n"].sum()),
            self._last_day - first_day + 1,
        )

    def statistics(self, keys: np.ndarray) -> pl.DataFrame:
        """Return the test's three statistics of pairs, in the order asked for; null if unknown."""
        if self._table is None:
            key = join_key(pl.col("drug"), pl.col("event")).alias("key")
            self._table = e_values(self._test).select(key, "e_value", "log_e_value", "e_bh_level")
        asked = pl.DataFrame({"key": keys})
        return asked.join(self._table, on="key", how="left", maintain_order="left").drop("key")


@dataclass(frozen=True, slots=True)
class SequentialState:
    """State of one anytime-valid test, to compute the e-values of pairs without some cases.

    Attributes
    ----------
    suffix
        End of the names of its statistics.
    last_day
        Last day tested [days since 1970-01-01].
    per_block
        By what the code of age band and sex is divided to give the block; None: days are whole.
    """

    test: SafeTest
    suffix: str
    last_day: int
    per_block: int | None


class SequentialTests:
    """The anytime-valid tests that the rules of a run need: of whole days, and within age bands.

    Parameters
    ----------
    scorer
        Knows which statistics the rules need.
    levels
        Returns the level of each code: lots, facilities and families are not tested.
    sources
        Returns the source of each origin, by its code.
    by_sex
        Whether the blocks are of one sex as well.
    """

    def __init__(
        self,
        scorer: Scorer,
        levels: Callable[[], LevelCodes],
        sources: Callable[[], pl.Series],
        *,
        by_sex: bool = False,
    ) -> None:
        self.by_sex = by_sex
        self._levels = levels
        self._sources = sources
        self._threshold: float | None = None  # of the last day tested, once it is known
        self._tests: dict[str, DailySequentialTest] = {}
        if scorer.needs_safe_test:
            self._tests["whole_days"] = DailySequentialTest(
                lambda rows: self._plain(rows.drop("block"))
            )
        if scorer.needs_blocked_test:
            self._tests["age_bands"] = DailySequentialTest(
                self._in_blocks,
                identity=("day", "block", "source", "drugs", "events"),
                entering=without_repeats,
            )

    def _plain(self, rows: pl.DataFrame) -> pl.DataFrame:
        return self._levels().without_levels(rows)

    def _in_blocks(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows with the age band as `block`, with the sex if asked, and the `source`."""
        source = self._sources().gather(rows["origin"])
        block = pl.col("block") if self.by_sex else pl.col("block") // BAND_UNIT
        return self._plain(rows).with_columns(block, source.alias("source"))

    @property
    def last_day(self) -> int | None:
        """Return the last day tested [days since 1970-01-01]; `None` if none is, or none needed."""
        return next((test.last_day for test in self._tests.values()), None)

    @property
    def recomputed(self) -> bool | None:
        """Return whether a past day was corrected after it had been tested; `None` without test."""
        return any(test.recomputed for test in self._tests.values()) if self._tests else None

    def note(self, rows: pl.DataFrame) -> None:
        """Find corrections of past days among new rows of the case log."""
        for test in self._tests.values():
            test.note(rows)

    def close(self, last_day: int, log: CaseLog) -> None:
        """Test the days up to and including one that is over."""
        for name, test in self._tests.items():
            changed = test.close(last_day, log)
            if name == "age_bands" and (changed or self._threshold is None):
                self._threshold = test.entry_threshold(log, self._levels().is_of_product)

    def states(self) -> dict[str, SequentialState]:
        """Return the state of each test that has tested a day, by its name."""
        of_block = 1 if self.by_sex else BAND_UNIT
        return {
            name: SequentialState(
                test.state,
                "_blocked" if name == "age_bands" else "",
                test.last_day,
                of_block if name == "age_bands" else None,
            )
            for name, test in self._tests.items()
            if test.last_day is not None
        }

    @property
    def scale(self) -> float:
        """Return the factor of `e_value_budgeted` to the e-value within age bands."""
        return FLOOR / (self._threshold or FLOOR)

    def facts(self) -> dict[str, Any]:
        """Return the facts of each test that a snapshot keeps."""
        return {name: test.facts() for name, test in self._tests.items()}

    def restore(self, facts: Mapping[str, Any], log: CaseLog) -> None:
        """Restore new tests from a snapshot; one that it does not know begins from the log."""
        for name, test in self._tests.items():
            if name in facts:
                test.restore(facts[name], log)

    def statistics(self, keys: Keys, *, defined: bool) -> list[pl.Series]:
        """Return the statistics of pairs, in their order; null if unknown.

        Parameters
        ----------
        defined
            Whether the pairs are those of the cumulative window: the tests cover all days.
        """
        columns: list[pl.Series] = []
        for name, test in self._tests.items():
            found = test.statistics(keys if defined else keys[:0])
            found = found if defined else found.clear(len(keys))
            if name == "age_bands":
                # Of two factors, the one of at most 1 first: what is finite stays so.
                found = found.rename(OF_TEST).with_columns(
                    (pl.col("e_value_blocked") * self.scale).alias("e_value_budgeted")
                )
            columns += found.get_columns()
        return columns


def require_window(rules: RuleSet, specs: Sequence[WindowSpec]) -> None:
    """Refuse an alarm that can never be raised: the tests are of the cumulative window.

    Raises
    ------
    InputError
        If every rule of the alarm needs a test, and no window is cumulative.
    """
    of_alarm = [rule for rule in rules.rules if rule.grade is SignalGrade.ALARM]
    of_test = NEEDS_SAFE_TEST | NEEDS_BLOCKED_TEST
    if any(spec.kind is WindowKind.CUMULATIVE for spec in specs) or not specs:
        return
    if all(rule.requires(of_test) for rule in of_alarm):
        names = ", ".join(rule.name for rule in of_alarm)
        msg = (
            f"rules: {names} needs the anytime-valid test, which is of the cumulative window; got "
            "none. Add --window cumulative, or other --rules"
        )
        raise InputError(msg)
