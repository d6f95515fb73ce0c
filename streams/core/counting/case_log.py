"""Log of the counted cases by day, encoded: windows are sums of its daily buckets."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.core.counting.arrays import Flat, flattened, spread
from streams.core.counting.cancelled_rows import along_seq, by_day, cancelled
from streams.core.counting.sorted_counts import (
    Keys,
    distinct,
    places_of,
    split_key,
    starts_of,
)

__all__ = ["CASE_LOG", "CaseLog"]

CASE_LOG: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "seq": pl.Int64(),  # order of arrival; one case's rows alternate +1, -1 along it
        "day": pl.Int32(),  # days since 1970-01-01
        "case_id": pl.String(),
        "stratum": pl.UInt32(),
        "block": pl.UInt16(),  # age band and sex: `streams.core.cases.strata.AgeBands.blocks`
        "serious": pl.Boolean(),
        "fatal": pl.Boolean(),
        "drugs": pl.List(pl.UInt32()),
        "events": pl.List(pl.UInt32()),
        "origin": pl.UInt32(),
        "indications": pl.UInt32(),  # code of all of them, joined
        "completeness": pl.UInt8(),  # of the report [%]
        "suspected_duplicate": pl.Boolean(),
        "life_threatening": pl.Boolean(),
        "courses": pl.List(pl.UInt32()),  # beside `drugs`; null: nothing is stated
        "onsets": pl.List(pl.UInt32()),  # beside `events`, likewise
        "n": pl.Int8(),
    }
)
"""Columns of the log: one row a case entering (+1) or leaving (-1) its day's bucket."""


_OF_CASE = (
    *("case_id", "day", "stratum", "block", "serious", "fatal"),
    *("origin", "indications", "completeness", "suspected_duplicate", "life_threatening"),
)
_BESIDE = {"courses": "drugs", "onsets": "events"}  # column of codes: column of their names
_LISTED = ["seq", *_OF_CASE, "n"]
# Built once: an empty frame takes as long to build as a full one to scan.
_NO_ROWS = pl.DataFrame(schema=dict(CASE_LOG))
_NO_CASES = pl.DataFrame(
    schema={
        "key": pl.Int64(),
        **{name: CASE_LOG[name] for name in _LISTED},
        **{"course": pl.UInt32(), "began": pl.UInt32(), "at": pl.Int64()},
    }
)
_NUMBERS = [name for name in _LISTED if name != "case_id"]
_OF_PAIRS = [name for name in _NO_CASES.columns if name not in ("seq", "n")]
Flags = npt.NDArray[np.bool_]
_Pairs = tuple[Keys, npt.NDArray[np.uint32], npt.NDArray[np.uint32]]
_INDEXED_AT_ONCE = 1 << 19  # [rows]; sorting their names takes some 100 MB meanwhile
_MERGED = 4  # runs at a time


class _Naming(NamedTuple):
    """Rows of the log that name a pair, with their facts."""

    case_ids: pl.Series
    numbers: dict[str, npt.NDArray[Any]]  # the other columns of `_NO_CASES`, by name


class LogRun:
    """Immutable part of the log, sorted by day, with indexes by name built on first use."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows
        self.days = rows["day"].to_numpy()
        self._indexes: dict[str, Keys] = {}
        self._pairs: list[_Pairs] | None = None
        # As arrays: an evaluation picks a few rows of every run. A polars column takes longer, and
        # releases the GIL, which another thread may then keep for a while.
        self._of_cases = {name: rows[name].to_numpy() for name in _NUMBERS}
        self._by_indications: npt.NDArray[np.float64] | None = None
        self._flat: dict[str, Flat] = {}

    def between(self, first_day: int | None, last_day: int) -> pl.DataFrame:
        start = 0 if first_day is None else int(np.searchsorted(self.days, first_day, "left"))
        end = int(np.searchsorted(self.days, last_day, "right"))
        return self.rows.slice(start, end - start)

    def places(self, pairs: Keys) -> tuple[Keys, Keys]:
        """Return, for every row that names both of a pair, the pair's key and the row's place."""
        found, places = [pairs[:0]], [pairs[:0]]
        for keys, first, rows in self._by_pair():
            known, index = places_of(keys, pairs)
            starts, ends = (first[place].astype(np.int64) for place in (index, index + 1))
            which, entries = spread(starts, ends)
            found.append(pairs[known][which])
            places.append(rows[entries].astype(np.int64))
        return np.concatenate(found), np.concatenate(places)

    def naming(
        self, pairs: Keys, first_day: int | None, last_day: int, number: int
    ) -> _Naming | None:
        """Return the facts of the rows that name both drug and event of a pair, if any."""
        found, places = self.places(pairs)
        days = self.days[places]
        inside = days <= last_day
        if first_day is not None:
            inside &= days >= first_day
        if not inside.any():
            return None
        if not inside.all():
            found, places = found[inside], places[inside]
        drugs, events = split_key(found)
        numbers = {
            "key": found,
            **{name: values[places] for name, values in self._of_cases.items()},
            "course": self._codes_beside("courses", places, drugs),
            "began": self._codes_beside("onsets", places, events),
            "at": number << 32 | places,
        }
        return _Naming(self.rows["case_id"][pl.Series(places)], numbers)

    def margins_within(
        self, pair: Keys, treated: Flags, first_day: int | None, last_day: int
    ) -> npt.NDArray[np.int64]:
        """Return the 2x2 table of a pair among the cases of the given indications."""
        indications, n = self.rows["indications"].to_numpy(), self.rows["n"].to_numpy()
        start = 0 if first_day is None else int(np.searchsorted(self.days, first_day, "left"))
        end = int(np.searchsorted(self.days, last_day, "right"))
        if end - start == len(self.days):  # most runs are wholly inside: summed up once
            if self._by_indications is None:
                self._by_indications = np.bincount(indications, weights=n).astype(np.float64)
            total = self._by_indications[treated[: len(self._by_indications)]].sum()
        else:
            total = n[start:end][treated[indications[start:end]]].sum()
        named: list[Keys] = []
        for column, code in zip(("drugs", "events"), split_key(pair), strict=True):
            index = self.index(column)
            (first,), (last,) = _slices(index, code)
            rows = split_key(index[first:last])[1]
            inside = treated[indications[rows]] & (start <= rows) & (rows < end)
            named.append(rows[inside])
        both = np.intersect1d(named[0], named[1], assume_unique=True)
        counts = [int(n[rows].sum(dtype=np.int64)) for rows in (both, *named)]
        return np.array([*counts, int(total)], dtype=np.int64)

    def _codes_beside(self, column: str, rows: Keys, names: Keys) -> npt.NDArray[np.uint32]:
        """Return the code beside each name in its row; 0 where the row states nothing."""
        codes_of = np.zeros(len(rows), dtype=np.uint32)
        codes, first, after = self.flattened(column)
        if len(codes) == 0:
            return codes_of
        stating = np.flatnonzero(after[rows] > first[rows])
        if len(stating):
            stored_names, start, _ = self.flattened(_BESIDE[column])
            rows = rows[stating]
            which, places = spread(first[rows], after[rows])
            within = places - first[rows][which]
            matches = stored_names[start[rows][which] + within] == names[stating][which]
            codes_of[stating[which[matches]]] = codes[places[matches]]
        return codes_of

    def codes_at(self, column: str, rows: Keys) -> tuple[Keys, npt.NDArray[np.uint32]]:
        """Return the codes of a column of lists in some rows, and the place of each one's row."""
        codes, first, after = self.flattened(column)
        which, places = spread(first[rows], after[rows])
        return which, codes[places]

    def flattened(self, column: str) -> Flat:
        """Return the items of the lists of a column, and the range of each row among them."""
        if column not in self._flat:
            self._flat[column] = flattened(self.rows[column])
        return self._flat[column]

    def _by_pair(self) -> list[_Pairs]:
        """Return indexes by pair, each of at most `_INDEXED_AT_ONCE` rows."""
        if self._pairs is None:
            # Pair and row in one integer: sorting rows by pair would take five times as long.
            codes = (self.flattened(name)[0] for name in ("drugs", "events"))
            bits = tuple(int(column.max(initial=0)).bit_length() for column in codes)
            size = min(_INDEXED_AT_ONCE, 1 << (63 - sum(bits)))
            starts = range(0, len(self.days), size)
            parts = (self._pairs_of(start, start + size, bits[1]) for start in starts)
            self._pairs = [part for part in parts if len(part[0])]
        return self._pairs

    def _pairs_of(self, start: int, end: int, bits: int) -> _Pairs:
        """Return the pairs of a range of rows, where the rows of each begin, and the rows.

        Parameters
        ----------
        bits
            Width of the code of an event [bits].
        """
        drugs, from_drug, to_drug = self.flattened("drugs")
        events, from_event, to_event = self.flattened("events")
        # Every drug of a row, once for each of its events.
        row, place = spread(from_drug[start:end], to_drug[start:end])
        which, event = spread(from_event[start:end][row], to_event[start:end][row])
        wide = (end - start - 1).bit_length()
        named = ((drugs[place].astype(np.int64) << bits)[which] | events[event]) << wide
        entries = np.sort(named | row[which])
        pairs = entries >> wide
        begins = starts_of(pairs)
        drug, event = pairs[begins] >> bits, pairs[begins] & (1 << bits) - 1
        rows = (entries & (1 << wide) - 1) + start
        ends = np.append(begins, len(pairs))
        return drug << 32 | event, ends.astype(np.uint32), rows.astype(np.uint32)

    def index(self, column: str) -> Keys:
        """Return a sorted key of every name in every row of a column: the name, then the row."""
        if column not in self._indexes:
            names, first, after = self.flattened(column)
            rows = np.repeat(np.arange(len(first)), after - first)
            self._indexes[column] = np.sort(names.astype(np.int64) << 32 | rows)
        return self._indexes[column]


def _slices(index: Keys, names: Keys) -> tuple[Keys, Keys]:
    """Return the range of each name in an index."""
    return np.searchsorted(index, names << 32), np.searchsorted(index, (names + 1) << 32)


def _put_together(parts: Sequence[_Naming]) -> pl.DataFrame:
    if not parts:
        return _NO_CASES
    case_ids = pl.concat([part.case_ids for part in parts], rechunk=True)
    columns = {"case_id": case_ids}
    for name in parts[0].numbers:
        columns[name] = pl.Series(name, np.concatenate([part.numbers[name] for part in parts]))
    return pl.DataFrame([columns[name] for name in _NO_CASES.columns])


class CaseLog:
    """Rows of `CASE_LOG` in few sorted runs, merged as they grow; no row is dropped as late.

    A retraction is a row like any other: sums over days are the same before and after a merge,
    which only removes rows that cancel out.
    """

    def __init__(self) -> None:
        self._runs: list[LogRun] = []

    def append(self, rows: pl.DataFrame) -> None:
        """Add rows of `CASE_LOG`, with higher `seq` than any before, ordered by it within a day."""
        if rows.height == 0:
            return
        self._runs.append(LogRun(by_day(rows)))
        while self._runs_are_many():
            merged = by_day(pl.concat(run.rows for run in self._runs[-_MERGED:]))
            self._runs[-_MERGED:] = [LogRun(cancelled(merged))]

    def _runs_are_many(self) -> bool:
        # Of any four successive runs the first is larger than the others by a power of four: there
        # are few runs, and a row is merged about log4(number of rows) times.
        first, *later = [run.rows.height.bit_length() // 2 for run in self._runs[-_MERGED:]]
        return len(later) == _MERGED - 1 and first <= max(later)

    @property
    def runs(self) -> Sequence[LogRun]:
        """Return the parts of the log, the oldest first."""
        return self._runs

    @property
    def n_cases(self) -> int:
        """Return the number of counted cases."""
        return sum(int(run.rows["n"].sum()) for run in self._runs)

    def between(self, first_day: int | None, last_day: int) -> pl.DataFrame:
        """Return the rows of the days, both ends included; `None` is open to the past."""
        return pl.concat(
            [
                _NO_ROWS,
                *(run.between(first_day, last_day) for run in self._runs),
            ]
        )

    def cases_of(self, pairs: Keys, first_day: int | None, last_day: int) -> pl.DataFrame:
        """Return the cases of drug-event pairs in a range of days.

        Returns
        -------
        polars.DataFrame
            `key`, `case_id`, `day`, `stratum`, `block`, `serious`, `fatal`, `origin`,
            `indications`, `completeness`, `suspected_duplicate`, `life_threatening`, `course` and
            `began` (the codes of the pair in `courses` and `onsets`; 0: not stated), and `at` (for
            `names_of`); one row a case and pair.
            They are not sorted: with a hundred cases a pair that takes as long as finding them.
        """
        wanted = distinct(pairs)
        parts = [
            run.naming(wanted, first_day, last_day, number) for number, run in enumerate(self._runs)
        ]
        cases = _put_together([part for part in parts if part is not None])
        left = cases["n"].to_numpy() < 0
        if left.any():
            # Along `seq` the rows of a case alternate: it is current if the last one is +1. Most
            # cases only enter, and need no comparison.
            moved = cases["case_id"].is_in(cases["case_id"].filter(pl.Series(left)).implode())
            doubtful = cases.filter(moved)
            order, _, last = along_seq(doubtful, doubtful["key"].to_numpy())
            current = order[last & (doubtful["n"].to_numpy()[order] > 0)]
            cases = pl.concat([cases.filter(~moved), doubtful[current]])
        return cases[_OF_PAIRS]

    def names_of(self, column: str, cases: pl.DataFrame) -> tuple[Keys, npt.NDArray[np.uint32]]:
        """Return all codes of `drugs` or `events` of cases, and the place of each one's case.

        Parameters
        ----------
        cases
            Rows of `cases_of`, before rows are added to the log.
        """
        numbers, rows = split_key(cases["at"].to_numpy())
        found, codes = [numbers[:0]], [np.empty(0, dtype=np.uint32)]
        for number, run in enumerate(self._runs):
            places = np.flatnonzero(numbers == number)
            which, of_run = run.codes_at(column, rows[places])
            found.append(places[which])
            codes.append(of_run)
        return np.concatenate(found), np.concatenate(codes)

    def numbers_of(self, pairs: Keys, first_day: int | None, last_day: int) -> Keys:
        """Return the number of cases of each pair in a range of days: the rows of `cases_of`.

        Parameters
        ----------
        pairs
            Sorted, each once.
        """
        numbers = np.zeros(len(pairs), dtype=np.int64)
        for run in self._runs:
            found, rows = run.places(pairs)
            inside = run.days[rows] <= last_day
            if first_day is not None:
                inside &= run.days[rows] >= first_day
            index = np.searchsorted(pairs, found[inside])
            # A case leaves on the day on which it entered: the sum over its rows is 0 or 1.
            n = run.rows["n"].to_numpy()[rows[inside]]
            numbers += np.bincount(index, weights=n, minlength=len(pairs)).astype(np.int64)
        return numbers

    def frozen(self) -> "CaseLog":
        """Return the current log for another thread: runs never change, so they are shared."""
        copy = CaseLog()
        copy._runs = list(self._runs)
        return copy

    def counts_within(
        self, pair: int, treated: Flags, first_day: int | None, last_day: int
    ) -> tuple[int, int, int, int]:
        """Return the 2x2 table of a pair among the cases of the given indications.

        Parameters
        ----------
        pair
            Its key.
        treated
            By code of `indications`, whether cases with it belong.
        first_day, last_day
            See `cases_of`.

        Returns
        -------
        tuple
            `n_observed`, `n_drug`, `n_event`, `n_total` [cases].
        """
        counts = np.zeros(4, dtype=np.int64)
        for run in self._runs:
            counts += run.margins_within(np.array([pair]), treated, first_day, last_day)
        n_observed, n_drug, n_event, n_total = counts.tolist()
        return n_observed, n_drug, n_event, n_total

    def rows(self) -> pl.DataFrame:
        """Return every row that has not cancelled out, sorted by day: the log's snapshot."""
        merged = pl.concat([_NO_ROWS, *(run.rows for run in self._runs)])
        return cancelled(by_day(merged))
