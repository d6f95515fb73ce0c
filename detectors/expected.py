"""Expected cases of a pair if drug and event are reported independently."""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.cells import N_DRUG, N_EVENT, N_TOTAL, with_statistics
from schemas.counts import require_counts
from schemas.errors import CountsError

__all__ = [
    "EXPECTED_CRUDE",
    "add_over_strata",
    "expected_crude",
    "expected_stratified",
    "sum_over_strata",
]

EXPECTED_CRUDE = pl.when(N_TOTAL > 0).then(N_DRUG * N_EVENT / N_TOTAL)
"""The crude expectation as an expression; null where the population is empty."""


def expected_crude(counts: pl.DataFrame) -> pl.DataFrame:
    """Cases expected of a pair under independence of drug and event in the whole population.

    The denominator of the RRR, the IC and the EBGM. It is confounded by factors of both margins,
    above all age and sex: `expected_stratified` is the remedy.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `expected` [cases].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table.

    Notes
    -----
    ``E = n_drug n_event / n_total``; null where n_total = 0. The margins are cases, not sums
    over pairs as in PhViD and vigipy, whose expectations differ for that reason.

    References
    ----------
    .. [1] DuMouchel W (1999). Bayesian data mining in large frequency tables, with an application
       to the FDA spontaneous reporting system. The American Statistician 53(3), 177-190.
       doi:10.1080/00031305.1999.10474456.

    Examples
    --------
    20 x 100 / 10000:

    >>> import polars as pl
    >>> row = pl.DataFrame({"n_observed": 3, "n_drug": 20, "n_event": 100, "n_total": 10000})
    >>> expected_crude(row)["expected"].item()
    0.2
    """
    require_counts(counts, where="expected_crude")
    return with_statistics(counts, [EXPECTED_CRUDE.alias("expected")])


def expected_stratified(
    pairs: pl.DataFrame,
    drug_margins: pl.DataFrame,
    event_margins: pl.DataFrame,
    totals: pl.DataFrame,
) -> pl.DataFrame:
    """Cases expected of a pair under independence of drug and event within every stratum.

    Removes confounding by the stratifying factors. Its known failure is thin strata, which hide
    a signal confined to one of them: check subgroups as well.

    Parameters
    ----------
    pairs
        Columns `drug`, `event`, and any others; one row a pair.
    drug_margins
        Columns `stratum`, `drug`, `n`: cases of the stratum with the drug. One row a stratum and
        drug; a missing one means no case.
    event_margins
        Columns `stratum`, `event`, `n`: cases of the stratum with the event, likewise.
    totals
        Columns `stratum`, `n`: all cases of the stratum. Cases of unknown age or sex are a
        stratum of their own, named as the caller likes, 'unknown' say; a null is refused.

    Returns
    -------
    polars.DataFrame
        `pairs`, same order, and `expected` [cases].

    Raises
    ------
    CountsError
        If a column is missing, a key is null or repeated, an `n` is not a count or exceeds its
        stratum's total, or a drug, event or stratum is named that has no margin.

    Notes
    -----
    ``E = sum over strata s of n_drug(s) n_event(s) / n_total(s)``, added in the order of the
    strata's names, so the result is the same to the last bit whatever the order of the rows.
    With one stratum it equals `expected_crude` to the last bit.

    References
    ----------
    .. [1] DuMouchel W (1999). Bayesian data mining in large frequency tables, with an application
       to the FDA spontaneous reporting system. The American Statistician 53(3), 177-190.
       doi:10.1080/00031305.1999.10474456.

    Examples
    --------
    10 x 20 / 100 among women and 5 x 1 / 50 among men:

    >>> import polars as pl
    >>> sexes = ["female", "male"]
    >>> expected_stratified(
    ...     pl.DataFrame({"drug": ["A"], "event": ["rash"]}),
    ...     pl.DataFrame({"stratum": sexes, "drug": ["A", "A"], "n": [10, 5]}),
    ...     pl.DataFrame({"stratum": sexes, "event": ["rash", "rash"], "n": [20, 1]}),
    ...     pl.DataFrame({"stratum": sexes, "n": [100, 50]}),
    ... )["expected"].item()
    2.1
    """
    _require_keys("pairs", pairs, ["drug", "event"])
    _require_margin("totals", totals, ["stratum"])
    strata = totals.select("stratum", n_total="n").sort("stratum")
    by_drug = _placed("drug_margins", drug_margins, "drug", strata)
    by_event = _placed("event_margins", event_margins, "event", strata)
    drug_of, event_of = _places(pairs, by_drug, "drug"), _places(pairs, by_event, "event")
    expected = sum_over_strata(
        strata["n_total"],
        (drugs[drug_of] for drugs in _by_stratum(by_drug, strata.height)),
        (events[event_of] for events in _by_stratum(by_event, strata.height)),
        pairs.height,
    )
    return pairs.with_columns(pl.Series("expected", expected, dtype=pl.Float64))


def sum_over_strata(
    totals: Iterable[int],
    n_drug: Iterable[NDArray[np.float64]],
    n_event: Iterable[NDArray[np.float64]],
    n_pairs: int,
) -> NDArray[np.float64]:
    """Return the sum of `expected_stratified` over arrays, with nothing checked.

    Parameters
    ----------
    totals
        Cases of each stratum, in the order of the strata's names.
    n_drug, n_event
        Stratum by stratum, the cases with the drug, and with the event, of every pair.
    n_pairs
        How many pairs there are.
    """
    expected = np.zeros(n_pairs)
    add_over_strata(expected, totals, n_drug, n_event)
    return expected


def add_over_strata(
    expected: NDArray[np.float64],
    totals: Iterable[int],
    n_drug: Iterable[NDArray[np.float64]],
    n_event: Iterable[NDArray[np.float64]],
) -> None:
    """Add the cases expected in further strata, in place; parameters as of `sum_over_strata`."""
    for total, drugs, events in zip(totals, n_drug, n_event, strict=True):
        if total:
            expected += drugs * events / float(total)


def _require_keys(name: str, frame: pl.DataFrame, keys: list[str]) -> None:
    missing = [key for key in keys if key not in frame.columns]
    if missing:
        msg = f"expected_stratified: {name} needs the columns {keys}; got {frame.columns}"
        raise CountsError(msg)
    nameless = frame.filter(pl.any_horizontal(pl.col(keys).is_null()))
    if nameless.height:
        msg = (
            f"expected_stratified: {name} must name its {' and '.join(keys)}, an unknown one as "
            f"'unknown'; got {nameless.height} nulls, first {nameless.row(0, named=True)}"
        )
        raise CountsError(msg)


def _require_margin(name: str, frame: pl.DataFrame, keys: list[str]) -> None:
    _require_keys(name, frame, keys)
    if "n" not in frame.columns or not frame.schema["n"].is_integer():
        msg = f"expected_stratified: {name} needs an integer column n; got {dict(frame.schema)}"
        raise CountsError(msg)
    negative = frame.filter((pl.col("n") < 0).fill_null(True))
    if negative.height:
        msg = (
            f"expected_stratified: {name} must hold counts of cases; got "
            f"{negative.height} that are not, first {negative.row(0, named=True)}"
        )
        raise CountsError(msg)
    repeated = frame.filter(pl.struct(keys).is_duplicated())
    if repeated.height:
        msg = (
            f"expected_stratified: {name} must have one row for each {' and '.join(keys)}; got "
            f"{repeated.height} that share theirs, first {repeated.row(0, named=True)}"
        )
        raise CountsError(msg)


def _placed(name: str, frame: pl.DataFrame, key: str, strata: pl.DataFrame) -> pl.DataFrame:
    """Return the margins with the places of their stratum and key, checked against the totals."""
    _require_margin(name, frame, ["stratum", key])
    placed = frame.join(strata.with_row_index("position"), on="stratum", how="left")
    impossible = placed.filter((pl.col("n") > pl.col("n_total")).fill_null(True))
    if impossible.height:
        msg = (
            f"expected_stratified: {name} must not exceed the total of its stratum; got "
            f"{impossible.height} that do or have none, first {impossible.row(0, named=True)}"
        )
        raise CountsError(msg)
    return placed.with_columns(place=pl.col(key).rank("dense") - 1)


def _places(pairs: pl.DataFrame, margins: pl.DataFrame, key: str) -> NDArray[np.int64]:
    """Return where each pair's drug or event stands in the margins of a stratum."""
    places = margins.select(key, "place").unique()
    found = pairs.select(key).join(places, on=key, how="left", maintain_order="left")["place"]
    if found.null_count():
        msg = (
            f"expected_stratified: every {key} of pairs needs a margin; got {found.null_count()} "
            f"pairs without, first {pairs.filter(found.is_null()).row(0, named=True)}"
        )
        raise CountsError(msg)
    return found.cast(pl.Int64).to_numpy()


def _by_stratum(margins: pl.DataFrame, strata: int) -> Iterator[NDArray[np.float64]]:
    """Yield the margins of one stratum after the other, a missing one as 0."""
    size = margins["place"].n_unique()
    rows = margins.partition_by("position", as_dict=True)
    for position in range(strata):
        dense = np.zeros(size)
        if (of_stratum := rows.get((position,))) is not None:
            dense[of_stratum["place"].to_numpy()] = of_stratum["n"].cast(pl.Float64).to_numpy()
        yield dense
