"""The proportional reporting ratio, PRR."""

import polars as pl

from detectors.cells import (
    DRUG_OTHER_EVENTS,
    EVENT_OTHER_DRUGS,
    N_DRUG,
    N_OBSERVED,
    OTHER_DRUGS,
    OTHER_DRUGS_OTHER_EVENTS,
    with_statistics,
)
from detectors.intervals import log_ratio_columns, tail_mass
from detectors.unbounded_ratios import prr_lower_bound
from schemas.counts import require_counts

__all__ = ["proportional_reporting_ratio", "prr_expressions"]


def proportional_reporting_ratio(counts: pl.DataFrame, *, level: float = 0.95) -> pl.DataFrame:
    """Proportional reporting ratio: the event's share among the drug's cases over all others.

    The statistic of the MHRA's screening rule and of the EMA's 2006 guideline: simple, and
    readable as a ratio of proportions. Its known failure is small counts: one case of a rare
    event gives a PRR in the hundreds, so it is never used without a floor on the count.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `prr`, `prr_lower`, `prr_upper` [ratio].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table.
    InputError
        If `level` is not in (0, 1).

    Notes
    -----
    With a = n_observed, c = n_event - a and N = n_total::

        PRR = (a / n_drug) / (c / (N - n_drug))
        var(ln PRR) = 1/a - 1/n_drug + 1/c - 1/(N - n_drug)

    The variance is the PRR's own; many papers put the ROR's, which is larger, beside a PRR.

    Zero counts. c = 0 (no other drug has the event): PRR inf, unbounded above, and the lower bound
    is the exact conditional mid-p bound of `detectors.unbounded_ratios.lower_rate_ratio`; with one
    case it can exceed 1 where the drug is rare. a = 0: PRR 0, from 0 to null. Both, or no case with
    the drug, or no case without it: null. n_drug = a is an ordinary case, and nothing is ever added
    to a cell.

    References
    ----------
    .. [1] Evans SJW, Waller PC, Davis S (2001). Use of proportional reporting ratios (PRRs) for
       signal generation from spontaneous adverse drug reaction reports. Pharmacoepidemiology and
       Drug Safety 10(6), 483-486. doi:10.1002/pds.677.
    .. [2] EMEA (2006). Guideline on the use of statistical signal detection methods in the
       EudraVigilance data analysis system. EMEA/106464/2006.

    Examples
    --------
    3 of the drug's 20 cases have the event, and 97 of the 9980 others: 0.15 / 0.009719.

    >>> import polars as pl
    >>> row = pl.DataFrame({"n_observed": 3, "n_drug": 20, "n_event": 100, "n_total": 10000})
    >>> proportional_reporting_ratio(row).row(0)[4:]
    (15.4330, 5.3367, 44.6300)
    """
    where = "proportional_reporting_ratio"
    require_counts(counts, where=where)
    return with_statistics(counts, prr_expressions(counts, tail=tail_mass(level, where=where)))


def prr_expressions(counts: pl.DataFrame, *, tail: float) -> list[pl.Expr]:
    """Return what `proportional_reporting_ratio` adds to this counts frame, as expressions."""
    # b/(a n_drug) = 1/a - 1/n_drug, without the cancellation; likewise d and c.
    log_variance = DRUG_OTHER_EVENTS / (N_OBSERVED * N_DRUG) + OTHER_DRUGS_OTHER_EVENTS / (
        EVENT_OTHER_DRUGS * OTHER_DRUGS
    )
    return log_ratio_columns(
        "prr",
        numerator=N_OBSERVED * OTHER_DRUGS,
        denominator=EVENT_OTHER_DRUGS * N_DRUG,
        log_variance=log_variance,
        tail=tail,
        lower_if_unbounded=prr_lower_bound(counts, tail),
    )
