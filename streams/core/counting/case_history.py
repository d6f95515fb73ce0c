"""History of the counted cases: what was known at any position of the input, or on any day."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

import polars as pl

from schemas.counts import MARGINS
from schemas.delta import Delta
from streams.core.cases.strata import AgeBands
from streams.core.counting.case_codes import CaseCodes
from streams.core.counting.case_log import CASE_LOG, CaseLog
from streams.core.counting.level_codes import LevelCodes
from streams.core.counting.vocabulary import Vocabulary

__all__ = ["CaseHistory", "KnownCases"]


@dataclass(frozen=True, slots=True)
class KnownCases:
    """The cases that were counted at a position, as `streams.core.counting.coded_cases` has them.

    The vocabularies are those of now: they only grow, and no row has a code of later.
    """

    drugs: Vocabulary
    events: Vocabulary
    strata: Vocabulary
    origins: Vocabulary
    indications: Vocabulary
    levels: LevelCodes
    age_bands: AgeBands
    log: CaseLog


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows of one delta: their place among all rows, and the clock when they were counted."""

    partition: int
    next_offset: int
    clock: int  # latest day of receipt so far [days since 1970-01-01]
    start: int
    end: int


class CaseHistory:
    """Rows of the case log in order of arrival, with the offsets and the clock of each batch.

    A row is never removed: a case that was amended or nullified later is, at an earlier position,
    what it was then. It follows the deltas of `pv.deltas`, or those of a replay. One thread may add
    deltas while others ask: what they read is replaced, never changed.

    Parameters
    ----------
    age_bands
        Age bands of the strata.

    Attributes
    ----------
    problem
        Reason why it is not whole, and so must not be asked; None if it is.
    """

    def __init__(self, age_bands: AgeBands) -> None:
        self.problem: str | None = None
        self._codes = CaseCodes(age_bands)
        self._levels = LevelCodes()
        self._batches: list[_Batch] = []
        self._next: dict[int, int] = {}  # offset by partition
        self._parts: tuple[pl.DataFrame, ...] = (pl.DataFrame(schema=dict(CASE_LOG)),)

    def apply(self, delta: Delta) -> None:
        """Add the changes of a delta; one that was added before changes nothing."""
        if delta.next_offset <= self._next.get(delta.partition, 0):
            return
        self._next[delta.partition] = delta.next_offset
        if delta.changes.height:
            self._add(self._codes.encode(delta.changes))
            self._levels.learn(self._codes.drugs, self._codes.events)
        last = self._batches[-1] if self._batches else None
        start = last.end if last else 0
        self._batches.append(  # last, so that a reader of a batch finds its rows
            _Batch(
                partition=delta.partition,
                next_offset=delta.next_offset,
                clock=max(delta.watermark, last.clock if last else -1),
                start=start,
                end=start + delta.changes.height,
            )
        )

    def _add(self, rows: pl.DataFrame) -> None:
        """Append rows; parts of alike size are merged, so that there are few."""
        parts = [*self._parts, rows]
        while len(parts) > 1 and 2 * parts[-1].height >= parts[-2].height:
            parts[-2:] = [pl.concat(parts[-2:], rechunk=True)]
        self._parts = tuple(parts)

    @property
    def n_deltas(self) -> int:
        """Return the number of deltas that were added."""
        return len(self._batches)

    def offsets_on(self, day: int) -> dict[int, int]:
        """Return the next offset of each partition at the close of a day.

        Parameters
        ----------
        day
            The day [days since 1970-01-01]: the last one whose reports are known.
        """
        found: dict[int, int] = {}
        for batch in self._batches:
            if batch.clock > day:
                break
            found[batch.partition] = batch.next_offset
        return found

    def known(self, offsets: Mapping[int, int]) -> KnownCases:
        """Return the cases as they were counted at a position.

        Parameters
        ----------
        offsets
            Next offset by partition: every message before it is known, no other.
        """
        log = CaseLog()
        log.append(pl.concat([pl.DataFrame(schema=dict(CASE_LOG)), *self._slices(offsets)]))
        return KnownCases(
            drugs=self._codes.drugs,
            events=self._codes.events,
            strata=self._codes.strata,
            origins=self._codes.origins,
            indications=self._codes.indications,
            levels=self._levels,
            age_bands=self._codes.age_bands,
            log=log,
        )

    def daily_counts(self, drug: str, event: str, last_day: int) -> pl.DataFrame:
        """Return the 2x2 table of a pair at the close of each day, as it was known then.

        Parameters
        ----------
        drug, event
            Normal forms.
        last_day
            Last day [days since 1970-01-01].

        Returns
        -------
        polars.DataFrame
            `day` [date], then `n_observed`, `n_drug`, `n_event`, `n_total` [cases so far]; one row
            a day on which a case of any pair came or changed.
        """
        batches = list(self._batches)
        rows = self._rows_of(batches)
        flags = {}
        for column, name, vocabulary in (
            ("drugs", drug, self._codes.drugs),
            ("events", event, self._codes.events),
        ):
            code = vocabulary.find(name)
            has = pl.lit(False) if code is None else pl.col(column).list.contains(code)
            flags[column] = has
        clocks = pl.Series(
            "clock",
            [batch.clock for batch in batches for _ in range(batch.start, batch.end)],
            dtype=pl.Int32,
        )
        n = pl.col("n").cast(pl.Int64)
        changes = rows.select(
            clocks.cast(pl.Date).alias("day"),
            (n * (flags["drugs"] & flags["events"])).alias("n_observed"),
            (n * flags["drugs"]).alias("n_drug"),
            (n * flags["events"]).alias("n_event"),
            n.alias("n_total"),
        ).filter(pl.col("day").cast(pl.Int32) <= last_day)
        daily = changes.group_by("day", maintain_order=True).agg(pl.col(MARGINS).sum())
        return daily.sort("day").with_columns(pl.col(MARGINS).cum_sum())

    def _rows_of(self, batches: list[_Batch]) -> pl.DataFrame:
        """Return the rows of all batches up to the last of some."""
        return pl.concat(self._parts).head(batches[-1].end if batches else 0)

    def _slices(self, offsets: Mapping[int, int]) -> Iterator[pl.DataFrame]:
        """Yield the rows of the batches that are known at a position, in order of arrival."""
        every = list(self._batches)
        rows = self._rows_of(every)
        for is_known, batches in groupby(
            every, lambda batch: batch.next_offset <= offsets.get(batch.partition, 0)
        ):
            run = list(batches)
            if is_known:
                yield rows[run[0].start : run[-1].end]
