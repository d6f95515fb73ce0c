"""Time to onset from the first dose: its Weibull shape, and a comparison with other drugs."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import minimize
from scipy.special import chdtrc, ndtri

from detectors.arguments import require_whole
from detectors.case_frames import refuse, require_columns, require_pairs
from detectors.intervals import tail_mass
from detectors.kolmogorov_smirnov import kolmogorov_smirnov
from schemas.errors import CountsError, FitError

__all__ = ["time_to_onset"]

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]

_STEP = 1e-5  # of the parameters, to take the curvature from exact slopes


class _Onsets(NamedTuple):
    """The results of one pair, in the order of the columns."""

    n_onset: int = 0
    median_days: float | None = None
    shape: float | None = None
    shape_lower: float | None = None
    shape_upper: float | None = None
    scale_days: float | None = None
    n_onset_others: int = 0
    median_days_others: float | None = None
    shape_others: float | None = None
    shape_equal_p: float | None = None
    ks: float | None = None
    ks_p: float | None = None


class _Weibull(NamedTuple):
    log_shape: float
    log_scale: float
    log_shape_error: float
    likelihood: float


def time_to_onset(
    pairs: pl.DataFrame, onsets: pl.DataFrame, *, at_least: int = 5, level: float = 0.95
) -> pl.DataFrame:
    """Time-to-onset statistics of each pair, compared with the same event after other drugs.

    A distinct time pattern is evidence for a reaction to the drug beyond counts, and no other
    product can mask it. A shape below 1 means the most reactions soon after the first dose, above
    1 a rising rate, 1 none. Its known failures: onsets of reports are cut off at the day of the
    report, so that recent drugs look early; and as a screen of a whole database it added little
    to disproportionality [2]_. The WSP test of health records [3]_ also counts the patients without
    the event, so that its shape is of a hazard; reports have none, and this is not that test.

    Parameters
    ----------
    pairs
        Columns `drug`, `event`, and any others; one row a pair.
    onsets
        Columns `case`, `drug`, `event`, `onset_days`: whole days from the first dose of that drug
        to the onset, 0 on the same day. Rows of unknown onset (null) are left out. Where a case has
        several rows for a pair, the shortest onset counts.
    at_least
        Cases that a group must have to be fitted or compared; 3 or more.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    polars.DataFrame
        `pairs`, same order, and `n_onset` [cases], `median_days`, `shape`, `shape_lower`,
        `shape_upper`, `scale_days`; of the same event with other drugs `n_onset_others` [cases],
        `median_days_others`, `shape_others`; `shape_equal_p`; `ks`, `ks_p`.

    Raises
    ------
    CountsError
        If a column is missing, a key is null, a pair stands in two rows, or an onset is not in
        whole days from 0.
    InputError
        If `level` is not in (0, 1), or `at_least` is not a whole number, or below 3.
    FitError
        If a maximum of the likelihood was not found.

    Notes
    -----
    Day d holds the onsets from d to d + 1 after the dose, so a day-0 reaction needs no invented
    half day. With S(t) = exp(-(t / scale)^shape), n_d cases on day d::

        l = sum n_d ln(S(d) - S(d + 1))

    is maximised, and the interval is normal for ln(shape) with the observed information.

    `shape_equal_p` is the likelihood-ratio test, chi-squared with 1 degree of freedom, of one shape
    for the drug and all others, each with a scale of its own. `ks`, `ks_p` are the two-sample
    Kolmogorov-Smirnov test of [1]_, which also sees a shift: exact, ties included, if the product
    of the numbers of cases is at most a million, else asymptotic, which with ties is too large
    (`detectors.kolmogorov_smirnov`). Others are the cases with the event that do not name the drug,
    each by its shortest onset.

    Fewer than `at_least` cases on a side: nulls there, and in the comparisons. Onsets all on one
    day or on two that follow each other: a Weibull of any shape, or one without bound, fits; the
    shape is null and the Kolmogorov-Smirnov test stands.

    References
    ----------
    .. [1] Van Holle L, Zeinoun Z, Bauchau V, Verstraeten T (2012). Using time-to-onset for
       detecting safety signals in spontaneous reports of adverse events following immunization: a
       proof of concept study. Pharmacoepidemiology and Drug Safety 21(6), 603-610. Abstract read.
    .. [2] Scholl JHG, van Puijenbroek EP (2016). The value of time-to-onset in statistical signal
       detection of adverse drug reactions: a comparison with disproportionality analysis in
       spontaneous reports from the Netherlands. Pharmacoepidemiology and Drug Safety 25(12),
       1361-1367. Abstract read; it used the Anderson-Darling test.
    .. [3] Sauzet O, Carvajal A, Escudero A, Molokhia M, Cornelius VR (2013). Illustration of the
       Weibull shape parameter signal detection tool using electronic healthcare record data. Drug
       Safety 36(10), 995-1006. doi:10.1007/s40264-013-0061-7. Abstract read.
    .. [4] Leroy F, Dauxois JY, Théophile H, Haramburu F, Tubert-Bitter P (2014). Estimating
       time-to-onset of adverse drug reactions from spontaneous reporting databases. BMC Medical
       Research Methodology 14, 17. doi:10.1186/1471-2288-14-17. On the cut-off at the report.

    Examples
    --------
    Five early onsets with A, five late ones with B: no onset of one lies among the other's.

    >>> import polars as pl
    >>> days = pl.DataFrame(
    ...     {
    ...         "case": range(10),
    ...         "drug": ["A"] * 5 + ["B"] * 5,
    ...         "event": "rash",
    ...         "onset_days": [0, 0, 1, 2, 5, 30, 40, 45, 50, 90],
    ...     }
    ... )
    >>> result = time_to_onset(pl.DataFrame({"drug": ["A"], "event": ["rash"]}), days)
    >>> result.select("median_days", "median_days_others", "ks", "ks_p").row(0)
    (1.0, 45.0, 1.0, 0.0079)
    """
    where = "time_to_onset"
    tail = tail_mass(level, where=where)
    require_whole(at_least, "at_least", where=where, least=3)
    require_pairs(pairs, where=where)
    known = _known_onsets(onsets, where=where)
    of_event = {key[0]: rows for key, rows in known.partition_by("event", as_dict=True).items()}
    none = known.clear()
    results = [
        _compare(of_event.get(event, none), drug, at_least=at_least, tail=tail)
        for drug, event in pairs.select("drug", "event").iter_rows()
    ]
    types = {name: pl.Int64 if name.startswith("n_") else pl.Float64 for name in _Onsets._fields}
    return pairs.with_columns(pl.DataFrame(results, schema=types, orient="row").get_columns())


def _known_onsets(onsets: pl.DataFrame, *, where: str) -> pl.DataFrame:
    name = f"{where}: onsets"
    require_columns(name, onsets, ["case", "drug", "event"])
    if "onset_days" not in onsets.columns or not onsets.schema["onset_days"].is_integer():
        msg = f"{name} need an integer column onset_days; got {dict(onsets.schema)}"
        raise CountsError(msg)
    onsets = onsets.select("case", "drug", "event", "onset_days")
    refuse(onsets, pl.col("onset_days") < 0, f"{name} must not lie before the first dose")
    return (
        onsets.filter(pl.col("onset_days").is_not_null())
        .group_by("event", "drug", "case")
        .agg(pl.col("onset_days").cast(pl.Int64).min())
    )


def _compare(rows: pl.DataFrame, drug: str, *, at_least: int, tail: float) -> _Onsets:
    own = rows.filter(pl.col("drug") == drug)
    others = rows.join(own, on="case", how="anti").group_by("case").agg(pl.col("onset_days").min())
    days, other_days = (frame["onset_days"].sort().to_numpy() for frame in (own, others))
    result = _Onsets(n_onset=len(days), n_onset_others=len(other_days))
    fit = other_fit = None
    if len(days) >= at_least:
        fit = _fit([days])
        result = result._replace(median_days=float(np.median(days)))
    if len(other_days) >= at_least:
        other_fit = _fit([other_days])
        result = result._replace(median_days_others=float(np.median(other_days)))
    if fit:
        spread = float(np.exp(-ndtri(tail) * fit.log_shape_error))
        shape = float(np.exp(fit.log_shape))
        result = result._replace(
            shape=shape,
            shape_lower=shape / spread,
            shape_upper=shape * spread,
            scale_days=float(np.exp(fit.log_scale)),
        )
    if other_fit:
        result = result._replace(shape_others=float(np.exp(other_fit.log_shape)))
    if fit and other_fit:
        equal = _fit([days, other_days])
        if equal:
            drop = 2 * (fit.likelihood + other_fit.likelihood - equal.likelihood)
            result = result._replace(shape_equal_p=float(chdtrc(1, max(drop, 0.0))))
    if min(len(days), len(other_days)) >= at_least:
        ks, ks_p = kolmogorov_smirnov(days, other_days)
        result = result._replace(ks=ks, ks_p=ks_p)
    return result


def _fit(groups: list[Days]) -> _Weibull | None:
    """Fit one shape, and a scale to each group; None if any group leaves the shape open."""
    if any(days[-1] - days[0] < 2 for days in groups):
        return None
    tallies = [np.unique(days, return_counts=True) for days in groups]
    size = sum(len(days) for days in groups)

    def loss(place: Floats) -> tuple[float, Floats]:
        total, gradient = 0.0, np.zeros_like(place)
        for group, (days, n) in enumerate(tallies, start=1):
            likelihood, slope = _log_likelihood(days, n, place[0], place[group])
            total -= likelihood
            gradient[[0, group]] -= slope
        return total / size, gradient / size

    logs = [np.log(days + 0.5) for days in groups]
    log_shape = np.log(
        1.28 / np.mean([log_days.std() for log_days in logs])
    )  # of a Gumbel's deviation
    start = np.array(
        [log_shape, *(log_days.mean() + 0.58 * np.exp(-log_shape) for log_days in logs)]
    )

    def curvature(place: Floats) -> Floats:
        moves = _STEP * np.eye(len(place))
        rows = [loss(place + move)[1] - loss(place - move)[1] for move in moves]
        return np.array(rows) / (2 * _STEP)

    found = minimize(loss, start, jac=True, hess=curvature, method="trust-exact", tol=1e-9)
    if np.abs(found.jac).max() > 1e-6:
        msg = f"time_to_onset: a Weibull must fit the onsets; got none for {size} cases"
        raise FitError(msg)
    error = np.sqrt(np.linalg.inv(curvature(found.x) * size)[0, 0])
    return _Weibull(float(found.x[0]), float(found.x[1]), float(error), -found.fun * size)


def _log_likelihood(
    days: Days, n: Days, log_shape: float, log_scale: float
) -> tuple[float, Floats]:
    """Return l of the cases by day, and its derivatives by ln(shape) and ln(scale)."""
    shape = np.exp(log_shape)
    late = np.maximum(days, 1)  # stands in for day 0, where H(d) = 0
    log_first = shape * (np.log(late) - log_scale)  # ln H(d), H = -ln S
    log_last = shape * (np.log(days + 1) - log_scale)  # ln H(d + 1)
    first = np.where(days > 0, np.exp(np.minimum(log_first, 500.0)), 0.0)
    growth = shape * np.log1p(1 / late)
    # Of large, near days the difference would cancel.
    rise = np.where(days > 0, first * np.expm1(growth), np.exp(np.minimum(log_last, 500.0)))
    rise = np.clip(rise, 1e-300, 1e300)  # a trial step may leave the numbers there are
    likelihood = n @ (np.log(-np.expm1(-rise)) - first)  # ln(S(d) - S(d + 1))
    odds = 1 / np.expm1(np.minimum(rise, 700.0))
    by_shape = -first * log_first + (rise * log_last + first * growth) * odds
    by_scale = shape * (first - rise * odds)
    return float(likelihood), np.array([n @ by_shape, n @ by_scale])
