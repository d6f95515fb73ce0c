"""The reporting odds ratio adjusted by stratification, after Mantel and Haenszel."""

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import chdtrc

from detectors.case_frames import StratifiedCounts, Table
from detectors.cells import DETERMINANT
from detectors.intervals import log_ratio_columns, tail_mass

__all__ = ["mantel_haenszel"]

Floats = npt.NDArray[np.float64]


def mantel_haenszel(
    pairs: pl.DataFrame, strata: StratifiedCounts, *, level: float = 0.95
) -> pl.DataFrame:
    """Mantel-Haenszel odds ratio, expected cases and tests of each pair, stratified.

    Removes confounding by the stratifying factors, above all age and sex. Its known
    failure is a ratio that differs between strata, which one number hides: `tarone_p` tests for
    it, and `detectors.subgroups` shows it. In EudraVigilance, subgroups did better than
    stratification (GVP IX Addendum I), so check both.

    Parameters
    ----------
    pairs
        Columns `drug`, `event`, and any others; one row a pair.
    strata
        Counts of a partition of the cases; unit: cases. A pair without a row in a stratum has no
        case there, and the stratum's margins count in full. 'unknown' is a stratum like any other.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    polars.DataFrame
        `pairs`, same order, and `expected` [cases]; `ror_mh`, `ror_mh_lower`, `ror_mh_upper`
        [ratio]; `chi2_cmh`, `chi2_cmh_corrected` [chi-squared, 1 degree of freedom]; `tarone`
        [chi-squared], `tarone_df` [degrees of freedom], `tarone_p`.

    Raises
    ------
    CountsError
        If the pairs are not named or stand in two rows, or a pair's counts cannot belong to one
        2x2 table in each stratum.
    InputError
        If `level` is not in (0, 1).

    Notes
    -----
    With the cells a, b, c, d and margins n_drug, n_event of a stratum of N cases, sums over
    strata, R = ad/N, S = bc/N, P = (a + d)/N, Q = (b + c)/N::

        ROR_MH      = sum R / sum S
        var(ln)     = sum PR / 2(sum R)^2 + sum(PS + QR) / 2 sum R sum S + sum QS / 2(sum S)^2
        expected    = sum n_drug n_event / N
        V           = n_drug n_event (N - n_drug)(N - n_event) / (N^2 (N - 1))
        chi2_cmh    = (sum a - expected)^2 / sum V
        ..corrected = max(|sum a - expected| - 1/2, 0)^2 / sum V

    a - n_drug n_event / N of a stratum is computed as (ad - bc) / N, in whole numbers until the
    division. The variance is that of Robins, Breslow and Greenland. `tarone` is the Breslow-Day
    test of one odds ratio in all strata, with Tarone's correction for that ratio being ROR_MH; its
    degrees of freedom are the strata that can speak (no margin empty or full), less one.

    Sums are added in the order of the strata's names: the same to the last bit whatever the order
    of the rows.

    Zero counts. A stratum of fewer than two cases, or in which all or none have the drug or the
    event, adds nothing but its share of `expected`. sum S = 0 < sum R: ROR inf, from null to inf.
    sum R = 0 < sum S: ROR 0, from 0 to null. Both 0: null. sum V = 0: both chi-squared null. A ROR
    of 0, inf or null, or fewer than two strata that can speak: `tarone` and `tarone_p` null.
    Nothing is ever added to a cell. Where R's `mantelhaen.test` drops the continuity correction
    for differences below 1/2, and statsmodels squares the negative bracket, this gives 0.

    References
    ----------
    .. [1] Mantel N, Haenszel W (1959). Statistical aspects of the analysis of data from
       retrospective studies of disease. JNCI 22(4), 719-748.
    .. [2] Robins J, Breslow N, Greenland S (1986). Estimators of the Mantel-Haenszel variance
       consistent in both sparse data and large-strata limiting models. Biometrics 42(2), 311-323.
    .. [3] Tarone RE (1985). On heterogeneity tests based on efficient scores. Biometrika 72(1),
       91-95.

    Examples
    --------
    Two strata, (10, 90, 200, 9700) and (30, 70, 2000, 7900): 27.6 / 13.056 over, say, women and
    men, where the pooled table gives 2.

    >>> import polars as pl
    >>> sexes = ["female", "male"]
    >>> drugs = pl.DataFrame({"stratum": sexes, "drug": ["A", "A"], "n": [100, 100]})
    >>> events = pl.DataFrame({"stratum": sexes, "event": ["rash", "rash"], "n": [210, 2030]})
    >>> observed = drugs.with_columns(event=pl.lit("rash"), n=pl.Series([10, 30]))
    >>> totals = pl.DataFrame({"stratum": sexes, "n": [10000, 10000]})
    >>> result = mantel_haenszel(
    ...     pl.DataFrame({"drug": ["A"], "event": ["rash"]}),
    ...     StratifiedCounts(observed, drugs, events, totals),
    ... )
    >>> result.select("expected", "ror_mh", "ror_mh_lower", "ror_mh_upper").row(0)
    (22.4, 2.113924, 1.460114, 3.060498)
    """
    where = "mantel_haenszel"
    tail = tail_mass(level, where=where)
    sums = _Sums(pairs.height)
    for table in strata.tables(pairs, where=where):
        sums.add(_Cells(table), _determinant(table))
    difference = np.abs(sums.difference)
    corrected = np.maximum(difference - 0.5, 0.0)
    homogeneity = _tarone(pairs, strata, sums.r, sums.s)
    speaks = pl.col("variance") > 0
    columns = [
        pl.col("expected"),
        *log_ratio_columns(
            "ror_mh",
            numerator=pl.col("r"),
            denominator=pl.col("s"),
            log_variance=pl.col("log_variance"),
            tail=tail,
            lower_if_unbounded=pl.lit(None, pl.Float64),
        ),
        pl.when(speaks).then(pl.col("difference") ** 2 / pl.col("variance")).alias("chi2_cmh"),
        pl.when(speaks)
        .then(pl.col("corrected") ** 2 / pl.col("variance"))
        .alias("chi2_cmh_corrected"),
    ]
    summed = pl.DataFrame(
        {
            "expected": sums.expected,
            "r": sums.r,
            "s": sums.s,
            "log_variance": sums.log_variance(),
            "difference": difference,
            "corrected": corrected,
            "variance": sums.variance,
        }
    ).select(columns)
    return pairs.with_columns(*summed.get_columns(), *homogeneity.get_columns())


class _Cells:
    """The cells of one stratum in Float64, before anything is multiplied."""

    def __init__(self, table: Table) -> None:
        self.total = float(table.n_total)
        self.a = table.n_observed.astype(np.float64)
        self.n_drug = table.n_drug.astype(np.float64)
        self.n_event = table.n_event.astype(np.float64)
        self.b = self.n_drug - self.a
        self.c = self.n_event - self.a
        self.d = self.total - self.n_drug - self.c


def _determinant(table: Table) -> Floats:
    """Return ad - bc of every pair, rounded once."""
    counts = pl.DataFrame(
        {
            "n_observed": table.n_observed,
            "n_drug": table.n_drug,
            "n_event": table.n_event,
            "n_total": np.full_like(table.n_drug, table.n_total),
        }
    )
    return counts.select(DETERMINANT.cast(pl.Float64)).to_series().to_numpy()


class _Sums:
    """Sums over the strata, one number per pair."""

    def __init__(self, size: int) -> None:
        zero = np.zeros(size)
        self.difference = self.expected = self.variance = zero
        self.r = self.s = self.pr = self.ps_qr = self.qs = zero

    def add(self, cells: _Cells, determinant: Floats) -> None:
        total = cells.total
        if total == 0:
            return
        r, s = cells.a * cells.d / total, cells.b * cells.c / total
        p, q = (cells.a + cells.d) / total, (cells.b + cells.c) / total
        self.r, self.s = self.r + r, self.s + s
        self.pr, self.ps_qr, self.qs = (
            self.pr + p * r,
            self.ps_qr + (p * s + q * r),
            self.qs + q * s,
        )
        self.difference = self.difference + determinant / total  # a - n_drug n_event / N
        self.expected = self.expected + cells.n_drug * cells.n_event / total
        if total > 1:
            drug_share = cells.n_drug / total * (total - cells.n_drug)
            event_share = cells.n_event / total * (total - cells.n_event)
            self.variance = self.variance + drug_share * event_share / (total - 1)  # V

    def log_variance(self) -> Floats:
        """Return the variance of ln ROR_MH of Robins, Breslow and Greenland, where defined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            variance: Floats = (
                self.pr / (2 * self.r**2)
                + self.ps_qr / (2 * self.r * self.s)
                + self.qs / (2 * self.s**2)
            )
        return variance


def _tarone(pairs: pl.DataFrame, strata: StratifiedCounts, r: Floats, s: Floats) -> pl.DataFrame:
    """Return `tarone`, `tarone_df`, `tarone_p` of every pair, given the sums of R and S."""
    estimable = (r > 0) & (s > 0)
    ratio = np.divide(r, s, out=np.ones_like(r), where=estimable)
    breslow_day = np.zeros(pairs.height)
    deviation = np.zeros(pairs.height)
    variance = np.zeros(pairs.height)
    informative = np.zeros(pairs.height)
    for table in strata.tables(pairs, where="mantel_haenszel"):
        cells = _Cells(table)
        fitted = _fitted_cell(cells, ratio)
        with np.errstate(divide="ignore"):
            precision = (
                1 / fitted
                + 1 / (cells.n_drug - fitted)
                + 1 / (cells.n_event - fitted)
                + 1 / (cells.total - cells.n_drug - cells.n_event + fitted)
            )
        speaks = (np.minimum(cells.n_drug, cells.n_event) > 0) & (
            np.maximum(cells.n_drug, cells.n_event) < cells.total
        )
        spread = np.divide(1.0, precision, out=np.zeros_like(precision), where=speaks)
        residual = np.where(speaks, cells.a - fitted, 0.0)
        breslow_day += residual**2 * np.where(speaks, precision, 0.0)
        deviation += residual
        variance += spread
        informative += speaks
    known = estimable & (informative >= 2)
    statistic = breslow_day - np.divide(
        deviation**2, variance, out=np.zeros_like(variance), where=known
    )
    freedom = np.maximum(informative - 1, 0.0)
    p = chdtrc(np.where(known, freedom, 1.0), np.maximum(statistic, 0.0))
    testable = pl.Series(known)
    return pl.DataFrame({"tarone": statistic, "tarone_df": freedom, "tarone_p": p}).with_columns(
        pl.when(testable).then("tarone").alias("tarone"),
        pl.when(testable).then("tarone_p").alias("tarone_p"),
    )


def _fitted_cell(cells: _Cells, ratio: Floats) -> Floats:
    """Return the `a` that gives a stratum this odds ratio within its margins."""
    product = cells.n_drug * cells.n_event
    linear = cells.total - cells.n_drug - cells.n_event + ratio * (cells.n_drug + cells.n_event)
    root = np.sqrt(np.maximum(linear**2 + 4 * (1 - ratio) * ratio * product, 0.0))
    # Of the two forms of the root, the one without cancellation.
    stable = np.divide(
        2 * ratio * product, linear + root, out=np.zeros_like(root), where=linear + root > 0
    )
    other = np.divide(root - linear, 2 * (1 - ratio), out=stable.copy(), where=linear < 0)
    return np.where(linear < 0, other, stable)
