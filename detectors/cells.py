"""The cells of a pair's 2x2 table as polars expressions, in Float64 before anything is multiplied.

Margins of 3e9 cases multiply to more than an Int64 holds, and unsigned columns underflow in
``n_drug - n_observed``; as Float64 the counts are exact up to 2^53 cases.
"""

from collections.abc import Sequence

import polars as pl

__all__ = [
    "DETERMINANT",
    "DRUG_OTHER_EVENTS",
    "EVENT_OTHER_DRUGS",
    "N_DRUG",
    "N_EVENT",
    "N_OBSERVED",
    "N_TOTAL",
    "OTHER_DRUGS",
    "OTHER_DRUGS_OTHER_EVENTS",
    "OTHER_EVENTS",
    "with_statistics",
]

N_OBSERVED = pl.col("n_observed").cast(pl.Float64)  # a
N_DRUG = pl.col("n_drug").cast(pl.Float64)
N_EVENT = pl.col("n_event").cast(pl.Float64)
N_TOTAL = pl.col("n_total").cast(pl.Float64)

OTHER_DRUGS = N_TOTAL - N_DRUG  # cases without the drug: the comparator
OTHER_EVENTS = N_TOTAL - N_EVENT  # cases without the event
DRUG_OTHER_EVENTS = N_DRUG - N_OBSERVED  # b
EVENT_OTHER_DRUGS = N_EVENT - N_OBSERVED  # c
OTHER_DRUGS_OTHER_EVENTS = OTHER_DRUGS - EVENT_OTHER_DRUGS  # d

_A, _ND, _NE, _N = (
    pl.col(name).cast(pl.Int128) for name in ("n_observed", "n_drug", "n_event", "n_total")
)
DETERMINANT = _A * _N - _ND * _NE
"""ad - bc as a whole number (Int128): as a difference of rounded products it loses its digits."""


# The only optimisation of use here; the others take as long as a small frame does.
_OPTIMISATIONS = pl.QueryOptFlags.none(comm_subexpr_elim=True)


def with_statistics(
    frame: pl.DataFrame, statistics: Sequence[pl.Expr], *extra: pl.Expr
) -> pl.DataFrame:
    """Return the frame and the statistics, each row to the last bit what it would be alone.

    `extra` columns are computed from the statistics, in the same pass.

    polars keeps a literal column (one `n_total` for all rows) as a scalar and divides by it as a
    product with its reciprocal: 49 / 49 becomes 0.9999999999999999, and a PRR of exactly 2 falls
    below the line. `get_columns` writes such columns out; the others are not copied.
    """
    # In sequence: polars' threads gain nothing, not even at five million rows, and make a small
    # evaluation wait for the thread pool.
    columns = pl.DataFrame(frame.get_columns()).lazy().with_columns_seq(statistics)
    columns = columns.with_columns_seq(extra) if extra else columns
    return columns.collect(optimizations=_OPTIMISATIONS)
