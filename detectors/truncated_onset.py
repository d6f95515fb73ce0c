"""Times to onset corrected for right truncation: an onset after the report is never reported."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.case_frames import refuse, require_columns, require_pairs

__all__ = ["truncated_onset"]

Days = npt.NDArray[np.int64]


class _Corrected(NamedTuple):
    """The results of one pair, in the order of the columns."""

    n_onset: int = 0
    longest_days: int | None = None
    median_reported: int | None = None
    median_corrected: int | None = None
    n_at_longest: int = 0


def truncated_onset(pairs: pl.DataFrame, onsets: pl.DataFrame) -> pl.DataFrame:
    """Median time to onset of each pair, as reported and corrected for right truncation.

    A case enters the data only if the event began before the report. Of a product given for a
    month nobody can report an onset of two months, so that new products look early. Its known
    failure: it says nothing of onsets beyond the longest one that could be seen, and rests on few
    cases at the long end (`n_at_longest`).

    Parameters
    ----------
    pairs
        Columns `drug`, `event`, and any others; one row a pair.
    onsets
        Columns `case`, `drug`, `event`, `onset_days` and `report_days`: whole days from the first
        dose of that drug to the onset, and to the receipt of the report. Rows with a null among
        these are left out. Where a case has several rows for a pair, the shortest onset counts.

    Returns
    -------
    polars.DataFrame
        `pairs`, same order, and `n_onset` [cases]; `longest_days`, the longest onset;
        `median_reported` and `median_corrected` [days], the latter among onsets of at most
        `longest_days`; `n_at_longest` [cases reported at least that long after the dose, which
        decide how much long onsets weigh]. Null without a case.

    Raises
    ------
    CountsError
        If a column is missing, a key is null, a pair stands in two rows, or the days are not
        ``0 <= onset_days <= report_days`` in whole numbers.

    Notes
    -----
    The product-limit estimate in reversed time. With d the cases whose onset is on day t, and n
    those with an onset of at most t that were reported t days or more after the dose::

        F(t - 1) / F(longest) = product over the days s >= t with an onset of (1 - d(s) / n(s))

    Either median is the first day by which half of the onsets have begun. Only the distribution
    up to the longest onset seen is identified, whatever the model. Where d(s) = n(s) on a day above
    the shortest onset, the cases with shorter onsets were all reported too early to compare: the
    corrected median is then null.

    References
    ----------
    .. [1] Lagakos SW, Barraj LM, De Gruttola V (1988). Nonparametric analysis of truncated survival
       data, with application to AIDS. Biometrika 75(3), 515-523. doi:10.1093/biomet/75.3.515.
    .. [2] Leroy F, Dauxois JY, Théophile H, Haramburu F, Tubert-Bitter P (2014). Estimating
       time-to-onset of adverse drug reactions from spontaneous reporting databases. BMC Medical
       Research Methodology 14, 17. doi:10.1186/1471-2288-14-17.

    Examples
    --------
    Three early reports with an onset on day 1, and one of two late ones with an onset on day 9: on
    day 9 one of the two cases that could show it does, so F(8) = 1/2.

    >>> import polars as pl
    >>> rows = {"case": [1, 2, 3, 4, 5], "onset_days": [1, 1, 1, 1, 9]}
    >>> onsets = pl.DataFrame(rows | {"report_days": [3, 3, 3, 20, 20]}).with_columns(
    ...     drug=pl.lit("A"), event=pl.lit("rash")
    ... )
    >>> pair = pl.DataFrame({"drug": ["A"], "event": ["rash"]})
    >>> truncated_onset(pair, onsets).row(0)[2:]
    (5, 9, 1, 1, 2)
    """
    where = "truncated_onset"
    require_pairs(pairs, where=where)
    known = _known(onsets, where=where)
    of_pair = {key: rows for key, rows in known.partition_by("drug", "event", as_dict=True).items()}
    none = known.clear()
    results = [
        _corrected(of_pair.get(key, none)) for key in pairs.select("drug", "event").iter_rows()
    ]
    types = dict.fromkeys(_Corrected._fields, pl.Int64)
    return pairs.with_columns(pl.DataFrame(results, schema=types, orient="row").get_columns())


def _known(onsets: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """Return the rows that state both days, the shortest onset of each case and pair."""
    days = ("onset_days", "report_days")
    require_columns(f"{where}: onsets", onsets, ["case", "drug", "event"])
    known = onsets.drop_nulls(days)
    bad = (pl.col("onset_days") < 0) | (pl.col("onset_days") > pl.col("report_days"))
    refuse(known, bad, f"{where}: 0 <= onset_days <= report_days must hold")
    shortest = known.sort("onset_days", "report_days").unique(
        ["case", "drug", "event"], keep="first", maintain_order=True
    )
    return shortest.with_columns(pl.col(days).cast(pl.Int64))


def _corrected(rows: pl.DataFrame) -> _Corrected:
    if rows.height == 0:
        return _Corrected()
    onset, report = rows["onset_days"].to_numpy(), rows["report_days"].to_numpy()
    longest = int(onset.max())
    return _Corrected(
        n_onset=rows.height,
        longest_days=longest,
        median_reported=int(np.sort(onset)[(len(onset) - 1) // 2]),
        median_corrected=_median(onset, report),
        n_at_longest=int(np.count_nonzero(report >= longest)),
    )


def _median(onset: Days, report: Days) -> int | None:
    """Return the first day on which the corrected distribution reaches one half."""
    days = np.unique(onset)[::-1]
    share = 1.0  # F(day) / F(longest)
    median = int(days[0])
    for day, next_day in zip(days[:-1].tolist(), days[1:].tolist(), strict=True):
        at_risk = np.count_nonzero((onset <= day) & (report >= day))
        share *= 1 - np.count_nonzero(onset == day) / at_risk
        if share == 0:
            return None
        if share < 0.5:
            break
        median = int(next_day)
    return median
