"""Pearson's chi-squared of the 2x2 table, with and without Yates's correction."""

import polars as pl

from detectors.cells import (
    DETERMINANT,
    N_DRUG,
    N_EVENT,
    N_TOTAL,
    OTHER_DRUGS,
    OTHER_EVENTS,
    with_statistics,
)
from schemas.counts import require_counts

__all__ = ["CHI_SQUARED", "CHI_SQUARED_YATES", "chi_squared", "chi_squared_yates"]

_DIFFERENCE = DETERMINANT.abs().cast(pl.Float64)  # |ad - bc|
_MARGINS = N_DRUG * N_EVENT * (OTHER_DRUGS * OTHER_EVENTS)
_BRACKET = pl.max_horizontal(_DIFFERENCE - N_TOTAL / 2, pl.lit(0.0))

CHI_SQUARED = pl.when(_MARGINS > 0).then(N_TOTAL * _DIFFERENCE.pow(2) / _MARGINS).alias("chi2")
"""The column added by `chi_squared`, as an expression over a counts frame."""

CHI_SQUARED_YATES = (
    pl.when(_MARGINS > 0).then(N_TOTAL * _BRACKET.pow(2) / _MARGINS).alias("chi2_yates")
)
"""The column added by `chi_squared_yates`, likewise."""


def chi_squared(counts: pl.DataFrame) -> pl.DataFrame:
    """Pearson's chi-squared of the 2x2 table, without a continuity correction.

    It measures significance, not effect size, and is unsigned: a pair reported less often than
    expected scores as high as one reported more often. Below five expected cases its 5% point is
    not 3.84.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `chi2` [chi-squared, 1 degree of freedom].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table.

    Notes
    -----
    With the cells a, b, c, d and N = n_total::

        chi2 = N (ad - bc)^2 / (n_drug n_event (N - n_drug) (N - n_event))

    ad - bc is computed in whole numbers: as a difference of rounded products it would lose its
    digits where one cell holds almost all cases. A margin of zero (no case with or without the
    drug, or the event): null. Else it is defined, whatever cells are zero.

    References
    ----------
    .. [1] Pearson K (1900). On the criterion that a given system of deviations from the probable
       in the case of a correlated system of variables is such that it can be reasonably supposed
       to have arisen from random sampling. Philosophical Magazine 50(302), 157-175.

    Examples
    --------
    10000 x (3 x 9883 - 17 x 97)^2 / (20 x 100 x 9980 x 9900):

    >>> import polars as pl
    >>> row = pl.DataFrame({"n_observed": 3, "n_drug": 20, "n_event": 100, "n_total": 10000})
    >>> chi_squared(row)["chi2"].item()
    39.6753
    """
    require_counts(counts, where="chi_squared")
    return with_statistics(counts, [CHI_SQUARED])


def chi_squared_yates(counts: pl.DataFrame) -> pl.DataFrame:
    """Pearson's chi-squared of the 2x2 table, with Yates's continuity correction.

    The form in the MHRA's rule. Conservative for small counts, and without a sign, as
    `chi_squared` is.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `chi2_yates` [chi-squared, 1 degree of freedom].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table.

    Notes
    -----
    With the cells a, b, c, d and N = n_total::

        chi2_yates = N max(|ad - bc| - N/2, 0)^2 / (n_drug n_event (N - n_drug) (N - n_event))

    The bracket is clamped at 0: left to go negative, its square would rise again as the table
    nears independence. A margin of zero: null. Else it is defined, whatever cells are zero.

    References
    ----------
    .. [1] Yates F (1934). Contingency tables involving small numbers and the chi-squared test.
       Supplement to the Journal of the Royal Statistical Society 1(2), 217-235.
    .. [2] Evans SJW, Waller PC, Davis S (2001). Use of proportional reporting ratios (PRRs) for
       signal generation from spontaneous adverse drug reaction reports. Pharmacoepidemiology and
       Drug Safety 10(6), 483-486. doi:10.1002/pds.677.

    Examples
    --------
    10000 x (3 x 9883 - 17 x 97 - 5000)^2 / (20 x 100 x 9980 x 9900):

    >>> import polars as pl
    >>> row = pl.DataFrame({"n_observed": 3, "n_drug": 20, "n_event": 100, "n_total": 10000})
    >>> chi_squared_yates(row)["chi2_yates"].item()
    26.7707
    """
    require_counts(counts, where="chi_squared_yates")
    return with_statistics(counts, [CHI_SQUARED_YATES])
