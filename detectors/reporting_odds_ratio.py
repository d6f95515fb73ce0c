"""The reporting odds ratio, ROR."""

import polars as pl

from detectors.cells import (
    DRUG_OTHER_EVENTS,
    EVENT_OTHER_DRUGS,
    N_OBSERVED,
    OTHER_DRUGS_OTHER_EVENTS,
    with_statistics,
)
from detectors.intervals import log_ratio_columns, tail_mass
from detectors.unbounded_ratios import ror_lower_bound
from schemas.counts import require_counts

__all__ = ["reporting_odds_ratio", "ror_expressions"]


def reporting_odds_ratio(counts: pl.DataFrame, *, level: float = 0.95) -> pl.DataFrame:
    """Odds of the event among the drug's cases over those among all others: the ROR.

    The statistic of the EMA's EudraVigilance screening. Its interval is Woolf's, which is wide
    and unreliable below about five cases; evaluated after every report it alerts on about one null
    pair in five sooner or later.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `ror`, `ror_lower`, `ror_upper` [ratio].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table.
    InputError
        If `level` is not in (0, 1).

    Notes
    -----
    With a = n_observed, b = n_drug - a, c = n_event - a, d = n_total - a - b - c::

        ROR = a d / (b c)
        var(ln ROR) = 1/a + 1/b + 1/c + 1/d

    The comparator never includes the drug's own cases.

    Zero counts. b = 0 or c = 0 with a, d > 0: ROR inf, unbounded above, and the lower bound is the
    exact conditional mid-p bound of `detectors.unbounded_ratios.lower_odds_ratio`; with one case it
    can exceed 1 where the drug is rare. a = 0 or d = 0 with b, c > 0: ROR 0, from 0 to null. A zero
    above and below the line: null. Nothing is ever added to a cell.

    References
    ----------
    .. [1] van Puijenbroek EP, Bate A, Leufkens HGM, et al. (2002). A comparison of measures of
       disproportionality for signal detection in spontaneous reporting systems for adverse drug
       reactions. Pharmacoepidemiology and Drug Safety 11(1), 3-10. doi:10.1002/pds.668.
    .. [2] EMA (2016). Screening for adverse reactions in EudraVigilance. EMA/849944/2016.

    Examples
    --------
    3 x 9883 / (17 x 97):

    >>> import polars as pl
    >>> row = pl.DataFrame({"n_observed": 3, "n_drug": 20, "n_event": 100, "n_total": 10000})
    >>> reporting_odds_ratio(row).row(0)[4:]
    (17.9800, 5.1846, 62.3536)
    """
    where = "reporting_odds_ratio"
    require_counts(counts, where=where)
    return with_statistics(counts, ror_expressions(counts, tail=tail_mass(level, where=where)))


def ror_expressions(counts: pl.DataFrame, *, tail: float) -> list[pl.Expr]:
    """Return what `reporting_odds_ratio` adds to this counts frame, as expressions."""
    log_variance = (
        1 / N_OBSERVED
        + 1 / DRUG_OTHER_EVENTS
        + 1 / EVENT_OTHER_DRUGS
        + 1 / OTHER_DRUGS_OTHER_EVENTS
    )
    return log_ratio_columns(
        "ror",
        numerator=N_OBSERVED * OTHER_DRUGS_OTHER_EVENTS,
        denominator=DRUG_OTHER_EVENTS * EVENT_OTHER_DRUGS,
        log_variance=log_variance,
        tail=tail,
        lower_if_unbounded=ror_lower_bound(counts, tail),
    )
