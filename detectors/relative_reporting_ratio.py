"""The relative reporting ratio, RRR: observed over expected."""

import polars as pl

from detectors.cells import N_OBSERVED, with_statistics
from detectors.expected import EXPECTED_CRUDE
from schemas.counts import require_counts

__all__ = ["RELATIVE_REPORTING_RATIO", "relative_reporting_ratio"]

RELATIVE_REPORTING_RATIO = (
    pl.when(EXPECTED_CRUDE > 0).then(N_OBSERVED / EXPECTED_CRUDE).alias("rrr")
)
"""The column added by `relative_reporting_ratio`, as an expression over a counts frame."""


def relative_reporting_ratio(counts: pl.DataFrame) -> pl.DataFrame:
    """Relative reporting ratio: observed cases over those expected under independence.

    The raw form of what the IC and the EBGM shrink. On its own it ranks pairs of one case and
    a tiny expectation on top; it has no interval for that reason.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `rrr` [ratio].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table.

    Notes
    -----
    ``RRR = n_observed / E`` with ``E = n_drug n_event / n_total``. The drug's own cases are in
    the expectation, so the RRR is the smaller of the two wherever the PRR is above 1.

    Zero counts. E = 0 or n_total = 0: null. n_observed = 0 with E > 0: 0.

    References
    ----------
    .. [1] DuMouchel W (1999). Bayesian data mining in large frequency tables, with an application
       to the FDA spontaneous reporting system. The American Statistician 53(3), 177-190.
       doi:10.1080/00031305.1999.10474456.

    Examples
    --------
    3 cases where 20 x 100 / 10000 = 0.2 are expected:

    >>> import polars as pl
    >>> row = pl.DataFrame({"n_observed": 3, "n_drug": 20, "n_event": 100, "n_total": 10000})
    >>> relative_reporting_ratio(row)["rrr"].item()
    15.0
    """
    require_counts(counts, where="relative_reporting_ratio")
    return with_statistics(counts, [RELATIVE_REPORTING_RATIO])
