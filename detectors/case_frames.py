"""Case-level frames and counts by stratum, for estimators that need more than a counts frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.counts import MARGINS
from schemas.errors import CountsError

__all__ = [
    "UNKNOWN",
    "CaseFrames",
    "StratifiedCounts",
    "Table",
    "cell_counts",
    "refuse",
    "require_columns",
    "require_pairs",
]

UNKNOWN = "unknown"
"""Stratum of the cases whose value is unknown."""

Cells = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Table:
    """The counts of all pairs in one stratum: arrays in the order of the pairs asked for."""

    stratum: str
    n_observed: Cells
    n_drug: Cells
    n_event: Cells
    n_total: int


@dataclass(frozen=True, eq=False)
class StratifiedCounts:
    """Counts by stratum: the pairs that occur, and their margins.

    A pair, drug or event without a row in a stratum has no case there; the stratum's total counts
    all the same. Strata cannot be null: unknown values form their own stratum, such as 'unknown'.

    Parameters
    ----------
    observed
        Columns `stratum`, `drug`, `event`, `n`: cases of the stratum with the drug and the event.
    drug_margins
        Columns `stratum`, `drug`, `n`: cases of the stratum with the drug.
    event_margins
        Columns `stratum`, `event`, `n`: cases of the stratum with the event.
    totals
        Columns `stratum`, `n`: all cases of the stratum.

    Raises
    ------
    CountsError
        If a column is missing, a key is null or repeated, an `n` is not a count, or the counts
        of a row exceed those they are a part of. The message names the first bad row.
    """

    observed: pl.DataFrame
    drug_margins: pl.DataFrame
    event_margins: pl.DataFrame
    totals: pl.DataFrame

    def __post_init__(self) -> None:
        """Raise if the counts cannot be those of a partition of the cases."""
        _require_counted("totals", self.totals, ["stratum"])
        _require_counted("drug_margins", self.drug_margins, ["stratum", "drug"])
        _require_counted("event_margins", self.event_margins, ["stratum", "event"])
        _require_counted("observed", self.observed, ["stratum", "drug", "event"])
        n = pl.col("n")
        for name, margins in (
            ("drug_margins", self.drug_margins),
            ("event_margins", self.event_margins),
        ):
            refuse(
                margins.join(self.totals.select("stratum", n_total="n"), on="stratum", how="left"),
                (n > pl.col("n_total")).fill_null(True),
                f"StratifiedCounts: {name} must have a stratum with a total they do not exceed",
            )
        refuse(
            self.observed.join(
                self.drug_margins.select("stratum", "drug", n_drug="n"),
                on=["stratum", "drug"],
                how="left",
            ).join(
                self.event_margins.select("stratum", "event", n_event="n"),
                on=["stratum", "event"],
                how="left",
            ),
            (n > pl.min_horizontal("n_drug", "n_event")).fill_null(True)
            | pl.col("n_drug").is_null()
            | pl.col("n_event").is_null(),
            "StratifiedCounts: observed must have both margins and not exceed them",
        )

    def tables(self, pairs: pl.DataFrame, *, where: str) -> Iterator[Table]:
        """Yield the counts of these pairs in each stratum, by name of stratum.

        Raises
        ------
        CountsError
            If the pairs are not named or stand in two rows, or the margins of a pair leave no room
            for the cases without drug and event.
        """
        require_pairs(pairs, where=where)
        placed = pairs.select("drug", "event").with_row_index("row")
        cells = self._by_stratum(
            self.observed.join(placed, on=["drug", "event"], how="inner"), "row"
        )
        drug_of, drugs = _coded(placed, "drug")
        event_of, events = _coded(placed, "event")
        by_drug = self._by_stratum(self.drug_margins.join(drugs, on="drug", how="inner"), "code")
        by_event = self._by_stratum(
            self.event_margins.join(events, on="event", how="inner"), "code"
        )
        for stratum, total in self.totals.select("stratum", "n").sort("stratum").iter_rows():
            table = Table(
                stratum=stratum,
                n_observed=_dense(cells.get(stratum), pairs.height),
                n_drug=_dense(by_drug.get(stratum), drugs.height)[drug_of],
                n_event=_dense(by_event.get(stratum), events.height)[event_of],
                n_total=total,
            )
            outside = total - table.n_drug - table.n_event + table.n_observed
            if (outside < 0).any():
                first = int(np.argmax(outside < 0))
                msg = (
                    f"{where}: n_drug + n_event - n_observed <= n_total must hold in every "
                    f"stratum; {np.count_nonzero(outside < 0)} pairs break it in {stratum!r}, "
                    f"first {pairs.row(first, named=True)} with {-outside[first]} cases too many"
                )
                raise CountsError(msg)
            yield table

    def pooled(self, pairs: pl.DataFrame, *, where: str) -> pl.DataFrame:
        """Return the counts frame of these pairs, in their order, over all strata together.

        Raises
        ------
        CountsError
            As `tables` does.
        """
        summed = np.zeros((4, pairs.height), dtype=np.int64)
        for table in self.tables(pairs, where=where):
            total = np.full(pairs.height, table.n_total)
            summed += np.array([table.n_observed, table.n_drug, table.n_event, total])
        return pairs.select("drug", "event").with_columns(
            pl.Series(name, column) for name, column in zip(MARGINS, summed, strict=True)
        )

    @staticmethod
    def _by_stratum(frame: pl.DataFrame, place: str) -> dict[str, pl.DataFrame]:
        parts = frame.select("stratum", place=place, n=pl.col("n").cast(pl.Int64))
        return {key[0]: part for key, part in parts.partition_by("stratum", as_dict=True).items()}


@dataclass(frozen=True, eq=False)
class CaseFrames:
    """The cases of a population, their drugs and their events; a case counts once a pair.

    Parameters
    ----------
    cases
        Column `case` and whatever is known of each: age group, sex, year, region, serious or
        not. One row a case; a case without drugs or events still belongs to the population.
    drugs
        Columns `case`, `drug`. Repeated rows count once.
    events
        Columns `case`, `event`. Likewise.

    Raises
    ------
    CountsError
        If a column is missing, a key is null, a case stands in two rows of `cases`, or a drug or
        event belongs to no case. The message names the first bad row.

    Examples
    --------
    >>> import polars as pl
    >>> frames = CaseFrames(
    ...     pl.DataFrame({"case": [1, 2, 3]}),
    ...     pl.DataFrame({"case": [1, 1, 2], "drug": ["A", "A", "B"]}),
    ...     pl.DataFrame({"case": [1, 3], "event": ["rash", "rash"]}),
    ... )
    >>> frames.counts().row(0)
    ('A', 'rash', 1, 1, 2, 3)
    """

    cases: pl.DataFrame
    drugs: pl.DataFrame
    events: pl.DataFrame

    def __post_init__(self) -> None:
        """Raise if a row has no case, and drop repeated rows."""
        require_columns("CaseFrames: cases", self.cases, ["case"])
        repeated = pl.col("case").is_duplicated()
        refuse(self.cases.select("case"), repeated, "CaseFrames: a case must stand in one row")
        for name, key in (("drugs", "drug"), ("events", "event")):
            frame = getattr(self, name)
            require_columns(f"CaseFrames: {name}", frame, ["case", key])
            self._require_same_case(name, frame)
            distinct = frame.select("case", key).unique(maintain_order=True)
            refuse(
                distinct.join(self.cases, on="case", how="anti"),
                pl.lit(True),
                f"CaseFrames: {name} must belong to a case of the population",
            )
            # The only write to a frozen value, before it is published to the caller.
            object.__setattr__(self, name, distinct)

    def among(self, cases: pl.DataFrame) -> Self:
        """Return the population of the cases that this frame's column `case` names.

        Raises
        ------
        CountsError
            If the column is not of the population's type.
        """
        self._require_same_case("the cases to keep", cases)
        frames = (self.cases, self.drugs, self.events)
        return type(self)(*(frame.join(cases, on="case", how="semi") for frame in frames))

    def counts(self, pairs: pl.DataFrame | None = None) -> pl.DataFrame:
        """Return the counts frame: of these pairs in their order, else of all that occur.

        Raises
        ------
        CountsError
            If the pairs are not named or stand in two rows.
        """
        everyone = pl.lit("all").alias("stratum")
        strata = self._stratified(self.cases.select("case", everyone))
        if pairs is None:
            pairs = strata.observed.select("drug", "event").sort("drug", "event")
        return strata.pooled(pairs, where="CaseFrames.counts")

    def counts_by(self, column: str) -> StratifiedCounts:
        """Return the counts by a column of `cases`; a null goes to the stratum 'unknown'.

        Raises
        ------
        CountsError
            If `cases` has no such column.
        """
        if column not in self.cases.columns:
            msg = f"CaseFrames: cases need the column {column!r}; got {self.cases.columns}"
            raise CountsError(msg)
        named = pl.col(column).cast(pl.String).fill_null(UNKNOWN).alias("stratum")
        return self._stratified(self.cases.select("case", named))

    def _stratified(self, strata: pl.DataFrame) -> StratifiedCounts:
        drugs = self.drugs.join(strata, on="case")
        events = self.events.join(strata, on="case")
        return StratifiedCounts(
            observed=_number_of(drugs.join(self.events, on="case"), "stratum", "drug", "event"),
            drug_margins=_number_of(drugs, "stratum", "drug"),
            event_margins=_number_of(events, "stratum", "event"),
            totals=_number_of(strata, "stratum"),
        )

    def _require_same_case(self, name: str, frame: pl.DataFrame) -> None:
        dtype = self.cases.schema["case"]
        given = frame.schema.get("case")
        if given != dtype:
            msg = f"CaseFrames: case must be {dtype} in {name} too; got {given}"
            raise CountsError(msg)


def require_columns(where: str, frame: pl.DataFrame, keys: Sequence[str]) -> None:
    """Raise unless the frame has these columns, without nulls, with names as text.

    A case may be identified by text or by number.

    Raises
    ------
    CountsError
        Naming the column, or the first row with a null.
    """
    if not set(keys) <= set(frame.columns):
        msg = f"{where} need the columns {list(keys)}; got {frame.columns}"
        raise CountsError(msg)
    for key in keys:
        if key not in ("case", "n") and frame.schema[key] != pl.String:
            msg = f"{where} need text in the column {key}; got {frame.schema[key]}"
            raise CountsError(msg)
    nameless = pl.any_horizontal(pl.col(keys).is_null())
    refuse(frame.select(keys), nameless, f"{where} must have no null in {list(keys)}")


def require_pairs(pairs: pl.DataFrame, *, where: str) -> None:
    """Raise unless every row names its drug and event, and no pair stands in two rows.

    Raises
    ------
    CountsError
        Naming the first bad row.
    """
    require_columns(f"{where}: pairs", pairs, ["drug", "event"])
    repeated = pl.struct("drug", "event").is_duplicated()
    refuse(pairs, repeated, f"{where}: a pair must stand in one row")


def refuse(frame: pl.DataFrame, bad: pl.Expr, rule: str) -> None:
    """Raise if any row is bad.

    Raises
    ------
    CountsError
        With the rule, how many rows break it, and the first of them.
    """
    broken = frame.filter(bad)
    if broken.height:
        msg = f"{rule}; got {broken.height} rows that break it, first {broken.row(0, named=True)}"
        raise CountsError(msg)


def cell_counts(n_observed: str, n_drug: str, n_event: str, n_total: str) -> list[pl.Expr]:
    """Return the four cells a, b, c, d of a 2x2 table [Int64], given its columns."""
    n, drug, event, total = (
        pl.col(name).cast(pl.Int64) for name in (n_observed, n_drug, n_event, n_total)
    )
    return [n, drug - n, event - n, total - drug - event + n]


def _require_counted(name: str, frame: pl.DataFrame, keys: list[str]) -> None:
    where = f"StratifiedCounts: {name}"
    require_columns(where, frame, [*keys, "n"])
    if not frame.schema["n"].is_integer():
        msg = f"{where} need an integer column n; got {frame.schema['n']}"
        raise CountsError(msg)
    refuse(frame, pl.col("n") < 0, f"{where} must hold counts of cases")
    refuse(frame, pl.struct(keys).is_duplicated(), f"{where} must have one row for each {keys}")


def _number_of(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return frame.group_by(keys).agg(pl.len().cast(pl.Int64).alias("n"))


def _coded(pairs: pl.DataFrame, key: str) -> tuple[Cells, pl.DataFrame]:
    """Return the position of every pair's drug or event among the distinct ones, and those."""
    distinct = pairs.select(pl.col(key).unique(maintain_order=True)).with_row_index("code")
    codes = pairs.select(key).join(distinct, on=key, how="left", maintain_order="left")["code"]
    return codes.to_numpy().astype(np.int64), distinct


def _dense(placed: pl.DataFrame | None, size: int) -> Cells:
    dense = np.zeros(size, dtype=np.int64)
    if placed is not None:
        dense[placed["place"].to_numpy()] = placed["n"].to_numpy()
    return dense
