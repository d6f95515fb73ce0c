"""The odds ratio of one pair adjusted for covariates, by logistic regression."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import brentq, linprog, minimize
from scipy.special import chdtri, expit, log_expit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from detectors.case_frames import UNKNOWN, CaseFrames
from detectors.intervals import tail_mass
from schemas.errors import FitError, InputError

__all__ = ["AdjustedOddsRatio", "adjusted_odds_ratio"]

Floats = npt.NDArray[np.float64]

_WHERE = "adjusted_odds_ratio"
_MAX_STEPS = 500  # iterations of either fit: many, as profiles of separated data are flat
_SLOPE = 1e-7  # slope of the penalised likelihood at which a Firth fit stops
_LARGEST_SLOPE = 1e-9  # a case, of the log likelihood at its maximum
_GAIN = 1e-9  # expected gain in twice the likelihood of one more Newton step after that
_REPEATS = 1e-9  # share of its length left of a column that the others explain


@dataclass(frozen=True)
class AdjustedOddsRatio:
    """The adjusted odds ratio of a pair, with its interval and method."""

    odds_ratio: float | None
    """Null if the fit did not converge."""
    lower: float | None
    upper: float | None
    level: float
    """Mass of the interval, which comes from the profile likelihood, penalised where the fit is."""
    method: Literal["maximum likelihood", "firth"]
    separated: bool
    """Whether the maximum likelihood lies at infinity; then the fit is Firth's."""
    converged: bool
    n_total: int
    """Cases fitted: all of the population."""
    n_drug: int
    n_event: int
    n_observed: int
    terms: tuple[str, ...]
    """The columns adjusted for, after leaving out those that repeat others."""


class _NotConverged(ArithmeticError):
    """The fit found no maximum."""


class _Fit(NamedTuple):
    place: Floats  # the coefficients, the drug's log odds first
    likelihood: float  # log, penalised in a Firth fit


@dataclass(frozen=True, eq=False)
class _Design:
    """The distinct covariate patterns, the drug's column first; their cases and events."""

    matrix: Floats
    n_event: Floats
    n_total: Floats
    terms: tuple[str, ...]


def adjusted_odds_ratio(
    frames: CaseFrames,
    drug: str,
    event: str,
    *,
    covariates: Sequence[str] = (),
    comedication: Sequence[str] = (),
    level: float = 0.95,
) -> AdjustedOddsRatio:
    """Odds ratio of the event with the drug, adjusted for covariates by logistic regression.

    For one pair on request, when a table by stratum would be too thin: age, sex, year, region and
    other drugs at once. Its known failure is that it adjusts only for what is reported and entered;
    each covariate level wants some ten cases with the event.

    Parameters
    ----------
    frames
        The population; each case is one observation.
    drug, event
        The pair.
    covariates
        Columns of `frames.cases`: text, categories or booleans as levels, of which a null is one,
        'unknown'; numbers as a straight line in the log odds (cast a year to text for levels).
    comedication
        Other drugs, each as present or absent.
    level
        Mass of the interval, in (0, 1).

    Returns
    -------
    AdjustedOddsRatio
        The odds ratio [ratio], its interval, the method, and the counts behind it [cases].

    Raises
    ------
    InputError
        If the drug or event has no case, a covariate is missing from `frames.cases` or has null
        or infinite numbers, or `level` is not in (0, 1).
    FitError
        If every case has the event, or the covariates alone tell who took the drug, as when all
        or none did: no odds ratio is defined.

    Notes
    -----
    Maximum likelihood by statsmodels on the distinct covariate patterns. First a linear program
    asks whether the data are separated, completely or not (Konis): whether some combination of
    columns tells cases with the event from cases without, save for ties. The estimate of some
    coefficient is then infinite, and the fit is Firth's instead: it maximises l + ln|I| / 2, I
    being the Fisher information, which always has a finite maximum. In a 2x2 table without
    covariates that is the odds ratio with 1/2 added to each cell.

    The interval has the bounds at which twice the drop of the (penalised) profile likelihood is
    the chi-squared quantile, as R's `logistf` and `confint.glm` do. Wald's interval is symmetric
    where the likelihood is not, and fails where the data are nearly separated.

    The reference level of a covariate is the one with most cases, the first by name of several.
    Columns that repeat others are left out, such as a level that only one region knows.

    References
    ----------
    .. [1] Firth D (1993). Bias reduction of maximum likelihood estimates. Biometrika 80(1), 27-38.
    .. [2] Heinze G, Schemper M (2002). A solution to the problem of separation in logistic
       regression. Statistics in Medicine 21(16), 2409-2419. doi:10.1002/sim.1047.
    .. [3] Konis K (2007). Linear programming algorithms for detecting separated data in binary
       logistic regression models. DPhil thesis, University of Oxford.

    Examples
    --------
    3 of 3 cases with the drug have the event, 2 of 5 without: separated. (3.5 x 3.5) / (0.5 x 2.5).

    >>> import polars as pl
    >>> frames = CaseFrames(
    ...     pl.DataFrame({"case": range(8)}),
    ...     pl.DataFrame({"case": [0, 1, 2], "drug": "A"}),
    ...     pl.DataFrame({"case": [0, 1, 2, 3, 4], "event": "rash"}),
    ... )
    >>> result = adjusted_odds_ratio(frames, "A", "rash")
    >>> result.method, result.odds_ratio
    ('firth', 9.8)
    """
    quantile = float(chdtri(1, 2 * tail_mass(level, where=_WHERE)))
    design = _design(frames, drug, event, covariates, comedication)
    separated = _separated(design)
    fit = _fit_firth if separated else _fit_maximum_likelihood
    try:
        best = fit(design, _start(design), 0)
        estimate = float(best.place[0])

        def excess(log_odds: float) -> float:
            restricted = fit(design, np.append(log_odds, best.place[1:]), 1)
            return 2 * (best.likelihood - restricted.likelihood) - quantile

        bounds = [_crossing(excess, estimate, direction) for direction in (-1.0, 1.0)]
        ratios = [float(np.exp(log_odds)) for log_odds in (estimate, *bounds)]
    except _NotConverged:
        ratios = []
    drugged = design.matrix[:, 0] > 0
    odds_ratio, lower, upper = ratios or (None, None, None)
    return AdjustedOddsRatio(
        odds_ratio=odds_ratio,
        lower=lower,
        upper=upper,
        level=level,
        method="firth" if separated else "maximum likelihood",
        separated=separated,
        converged=bool(ratios),
        n_total=int(design.n_total.sum()),
        n_drug=int(design.n_total[drugged].sum()),
        n_event=int(design.n_event.sum()),
        n_observed=int(design.n_event[drugged].sum()),
        terms=design.terms,
    )


def _design(
    frames: CaseFrames,
    drug: str,
    event: str,
    covariates: Sequence[str],
    comedication: Sequence[str],
) -> _Design:
    _require_known(frames, drug, event, covariates, comedication)
    others = [other for other in dict.fromkeys(comedication) if other != drug]
    given = [f"drug {place}" for place in range(len(others) + 1)]
    known = [f"covariate {place}" for place in range(len(covariates))]
    patterns = (
        frames.cases.select(
            *(
                _named(frames.drugs, "drug", name).alias(column)
                for column, name in zip(given, [drug, *others], strict=True)
            ),
            _named(frames.events, "event", event).alias("happened"),
            *(pl.col(name).alias(column) for column, name in zip(known, covariates, strict=True)),
        )
        .group_by(*given, *known)
        .agg(pl.len().alias("n_total"), pl.col("happened").sum().alias("n_event"))
        .sort(*given, *known)
    )
    n_total = patterns["n_total"].to_numpy().astype(np.float64)
    n_event = patterns["n_event"].to_numpy().astype(np.float64)
    if n_event.sum() == n_total.sum():
        msg = f"{_WHERE}: some case must be without the event; got {event!r} in all"
        raise FitError(msg)
    candidates = [
        *((name, patterns[column]) for column, name in zip(given[1:], others, strict=True)),
        *(
            pair
            for column, name in zip(known, covariates, strict=True)
            for pair in _coded(name, patterns[column], patterns["n_total"])
        ),
    ]
    columns, terms = [np.ones(patterns.height)], []
    for term, column in candidates:
        values = column.cast(pl.Float64).to_numpy()
        if _adds(columns, values):
            columns.append(values)
            terms.append(term)
    exposed = patterns[given[0]].cast(pl.Float64).to_numpy()
    if not _adds(columns, exposed):
        msg = (
            f"{_WHERE}: the covariates must not tell who took the drug; got {drug!r} in "
            f"{int(n_total[exposed > 0].sum())} of {int(n_total.sum())} cases, told by {terms}"
        )
        raise FitError(msg)
    return _Design(np.column_stack([exposed, *columns]), n_event, n_total, tuple(terms))


def _require_known(
    frames: CaseFrames,
    drug: str,
    event: str,
    covariates: Sequence[str],
    comedication: Sequence[str],
) -> None:
    cases = frames.cases
    for name in covariates:
        if name == "case" or name not in cases.columns:
            msg = f"{_WHERE}: covariates must be columns of the cases; got {name!r}"
            raise InputError(msg)
        if cases.schema[name].is_numeric():
            unknown = (~cases[name].cast(pl.Float64).is_finite()).fill_null(True).sum()
            if unknown:
                msg = (
                    f"{_WHERE}: a numeric covariate must be known of every case, else be given in "
                    f"groups; got {name!r} with {unknown} unknown"
                )
                raise InputError(msg)
    for kind, names in (("drug", [drug, *comedication]), ("event", [event])):
        frame = frames.drugs if kind == "drug" else frames.events
        for name in names:
            if name not in frame[kind]:
                msg = f"{_WHERE}: the {kind} must have a case; got {name!r}"
                raise InputError(msg)


def _named(frame: pl.DataFrame, key: str, name: str) -> pl.Expr:
    return pl.col("case").is_in(frame.filter(pl.col(key) == name)["case"].implode())


def _coded(name: str, column: pl.Series, n_total: pl.Series) -> Iterator[tuple[str, pl.Series]]:
    """Yield a number standardised, or an indicator of every level but the commonest."""
    if column.dtype.is_numeric():
        values = column.cast(pl.Float64).to_numpy()
        yield name, pl.Series((values - values.mean()) / (values.std() or 1.0))
        return
    levels = column.cast(pl.String).fill_null(UNKNOWN)
    order = (
        pl.DataFrame({"level": levels, "n": n_total})
        .group_by("level")
        .agg(pl.col("n").sum())
        .sort("n", "level", descending=[True, False])
    )
    for level in order["level"][1:]:
        yield f"{name}: {level}", levels == level


def _adds(columns: Sequence[Floats], values: Floats) -> bool:
    """Return whether the values are no linear combination of the columns."""
    basis = np.linalg.qr(np.column_stack(columns))[0]
    left = values - basis @ (basis.T @ values)
    return float(np.linalg.norm(left)) > _REPEATS * max(float(np.linalg.norm(values)), 1.0)


def _separated(design: _Design) -> bool:
    """Return whether some direction separates events from the rest, save for ties (Konis 2007)."""
    none, every = design.n_event == 0, design.n_event == design.n_total
    mixed = design.matrix[~none & ~every]
    towards = np.vstack([design.matrix[every], -design.matrix[none]])
    if len(towards) == 0:
        return False
    found = linprog(
        -towards.sum(axis=0),
        A_ub=-towards,
        b_ub=np.zeros(len(towards)),
        A_eq=mixed if len(mixed) else None,
        b_eq=np.zeros(len(mixed)) if len(mixed) else None,
        bounds=(-1, 1),
    )
    # Without separation the only feasible direction is none at all: 0, up to the solver's 1e-7.
    return bool(-found.fun > 1e-6 * len(towards))


def _start(design: _Design) -> Floats:
    """Return the coefficients without any effect: the log odds of the event as intercept."""
    n_event, n_total = design.n_event.sum(), design.n_total.sum()
    place = np.zeros(design.matrix.shape[1])
    place[1] = np.log((n_event + 0.5) / (n_total - n_event + 0.5))
    return place


def _fit_maximum_likelihood(design: _Design, start: Floats, n_fixed: int) -> _Fit:
    """Fit by statsmodels; the first `n_fixed` coefficients keep their values."""
    # A row for the cases with the event and one for those without, as weights, of each pattern.
    weights = np.concatenate([design.n_event, design.n_total - design.n_event])
    present = weights > 0
    matrix = np.vstack([design.matrix, design.matrix])[present]
    model = GLM(
        np.repeat([1.0, 0.0], len(design.matrix))[present],
        matrix[:, n_fixed:],
        family=Binomial(),
        freq_weights=weights[present],
        offset=matrix[:, :n_fixed] @ start[:n_fixed],
    )
    # Steps of weighted least squares can go too far, where the fitted odds are beyond any number
    # and no further step changes them. BFGS has a line search, and the likelihood one maximum.
    for how in ({"tol": 1e-12, "wls_method": "qr"}, {"method": "bfgs", "gtol": 1e-10}):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = model.fit(start[n_fixed:], maxiter=_MAX_STEPS, **how, disp=False)
            slope = model.score(result.params)
        if np.all(np.abs(slope) <= _LARGEST_SLOPE * np.maximum(1.0, weights.sum())):
            return _Fit(np.concatenate([start[:n_fixed], result.params]), float(result.llf))
    raise _NotConverged


def _fit_firth(design: _Design, start: Floats, n_fixed: int) -> _Fit:
    """Maximise l + ln|I| / 2; the first `n_fixed` coefficients keep their values."""

    def loss(free: Floats) -> tuple[float, Floats]:
        likelihood, score, _ = _penalised(design, np.concatenate([start[:n_fixed], free]))
        return -likelihood, -score[n_fixed:]

    inverse = np.linalg.inv(_penalised(design, start)[2][n_fixed:, n_fixed:])
    options = {
        "hess_inv0": (inverse + inverse.T) / 2,
        "gtol": _SLOPE,
        "maxiter": _MAX_STEPS,
    }
    found = minimize(loss, start[n_fixed:], jac=True, method="BFGS", options=options)
    place = np.concatenate([start[:n_fixed], found.x])
    likelihood, score, information = _penalised(design, place)
    left = score[n_fixed:] @ np.linalg.solve(information[n_fixed:, n_fixed:], score[n_fixed:])
    if not left < _GAIN:
        raise _NotConverged
    return _Fit(place, likelihood)


def _penalised(design: _Design, place: Floats) -> tuple[float, Floats, Floats]:
    """Return the penalised log-likelihood, its slope (Firth 1993), and the information."""
    matrix, n_event, n_total = design.matrix, design.n_event, design.n_total
    linear = matrix @ place
    risk = expit(linear)
    root = matrix * np.sqrt(n_total * risk * expit(-linear))[:, None]
    orthogonal, triangle = np.linalg.qr(root)
    diagonal = np.abs(np.diag(triangle))
    if not diagonal.min() > 0:
        raise _NotConverged
    leverage = np.sum(orthogonal**2, axis=1)  # of the hat matrix
    score = matrix.T @ (n_event - n_total * risk + leverage * (0.5 - risk))
    likelihood = n_event @ log_expit(linear) + (n_total - n_event) @ log_expit(-linear)
    # ln|I| / 2, as I = R'R
    return float(likelihood + np.log(diagonal).sum()), score, triangle.T @ triangle


def _crossing(excess: Callable[[float], float], start: float, direction: float) -> float:
    """Return where the drop of the likelihood exceeds the quantile, on one side of its peak."""
    step = direction
    while excess(start + step) < 0:
        step *= 2
    return float(brentq(excess, start, start + step, xtol=1e-9))
