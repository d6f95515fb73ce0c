"""Fitting the prior of the gamma-Poisson shrinker by maximum likelihood, from many starts."""

import math
import warnings
from collections.abc import Sequence
from typing import get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import expit, logit

from detectors.gamma_mixture import FitFacts, GammaMixture, Likelihood, with_expected
from detectors.gamma_mixture_likelihood import MeanLogLikelihood
from detectors.squashing import Points, Squashing, points_of
from schemas.errors import FitError, InputError

__all__ = [
    "PEAK_GAP",
    "STARTS",
    "FitReport",
    "FitWarning",
    "Peak",
    "Start",
    "StartOutcome",
    "fit_gamma_mixture",
]

Floats = NDArray[np.float64]
Start = tuple[float, float, float, float, float]

STARTS: tuple[Start, ...] = (
    (0.2, 0.1, 2.0, 4.0, 1 / 3),  # DuMouchel 1999
    (0.2, 0.06, 1.4, 1.8, 0.1),  # PhViD's, fitted to French data
    (0.1, 0.1, 10.0, 10.0, 0.2),
    (0.3, 0.5, 6.0, 6.0, 0.5),
    (0.5, 0.3, 12.0, 12.0, 0.8),
    (2.0, 0.4, 2.0, 2.0, 0.05),
    (5.0, 0.5, 1.5, 1.5, 0.02),
    (40.0, 4.0, 1.5, 1.5, 0.01),
    (1.0, 0.2, 1.0, 1.0, 0.3),
    (1.0, 0.05, 5.0, 5.0, 0.01),
    (0.05, 0.01, 0.5, 0.5, 0.1),
    (0.3, 0.1, 200.0, 200.0, 0.7),  # a null component that is almost a point
)
"""Where the search starts: alpha1, beta1, alpha2, beta2, weight; ratios near 1 and far above."""

PEAK_GAP = 5.54
"""Log-likelihood by which a peak may be lower than the highest and be reported.

Half of the 95% point of chi-squared with 5 degrees of freedom, one a parameter: by a likelihood
ratio the data do not tell such a prior from the best one.
"""

_FEWEST_STARTS = 10  # the likelihood has several peaks
_FEWEST_PAIRS = 10  # twice the number of parameters
_SMALLEST, _LARGEST = 1e-6, 1e6  # of a shape or rate; beyond, a component is a point or nothing
_SMALLEST_WEIGHT = 1e-7
_EDGE = 10  # a parameter within this factor of the edge of the search is reported
_PEAK = 1e-6  # largest slope of the mean log-likelihood at what counts as a peak
_SAME = 0.01  # peaks whose log-likelihoods differ by less are one; far below what data can tell
_NAMES = ("alpha1", "beta1", "alpha2", "beta2", "weight")


class FitWarning(UserWarning):
    """A prior was fitted, but read its `FitReport` before using it; the message says why."""


class StartOutcome(BaseModel):
    """The outcome of one start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Start = Field(description="alpha1, beta1, alpha2, beta2, weight.")
    end: Start = Field(description="Where the search ended; likewise.")
    log_likelihood: float = Field(description="There.")
    gradient: float = Field(description="Largest slope of the mean log-likelihood there.")
    iterations: int = Field(description="Steps of the search, without the Newton steps.")
    converged: bool = Field(description="Whether it is a peak, by the slope.")


class Peak(BaseModel):
    """One local maximum of the likelihood."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: Start = Field(description="alpha1, beta1, alpha2, beta2, weight.")
    log_likelihood: float = Field(description="There, all constants included.")
    n_starts: int = Field(description="Starts that ended on it.", ge=1)


class FitReport(BaseModel):
    """The best fit, with its facts in `prior.fit`, its rivals, and the outcome of every start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prior: GammaMixture = Field(description="The prior of the highest peak.")
    peaks: tuple[Peak, ...] = Field(
        description="Distinct peaks within `PEAK_GAP` of the highest, which is the first.",
        min_length=1,
    )
    outcomes: tuple[StartOutcome, ...] = Field(description="In the order of the starts.")


def fit_gamma_mixture(
    counts: pl.DataFrame,
    *,
    likelihood: Likelihood,
    squash: Squashing | None = Squashing(),  # noqa: B008 - it is frozen
    starts: Sequence[Start] = STARTS,
    expected: str | None = None,
) -> FitReport:
    """Fit the two gammas from which the pairs' rate ratios are drawn: empirical Bayes.

    Do it once, keep the prior, and score with it until a refit that is announced. Its known
    failure is that the likelihood has several peaks, some at the edge: read the facts. Peaks of
    nearly equal height can flag different pairs: score with each of `FitReport.peaks` to see.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.
    likelihood
        'truncated_mixture', for a table that lists only pairs with a case, or
        'mixture_of_truncated' for parity with openEBGM and PhViD; either leaves pairs without a
        case aside. 'untruncated' needs every cell of drugs by events, the zeros too.
    squash
        How pairs are squashed first; None takes each by itself.
    starts
        At least ten, each (alpha1, beta1, alpha2, beta2, weight).
    expected
        Column with the expected cases, stratified ones say; the crude expectation if None.

    Returns
    -------
    FitReport
        The prior of the highest peak with the facts of its fit, the peaks that are nearly as high,
        and the outcome of each start.

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table, or `expected` names no usable column.
    InputError
        If the likelihood is not known, there are fewer than ten starts or one is out of range,
        or cells are missing from an untruncated fit.
    FitError
        If fewer than ten pairs can be used, or no start converges.

    Warns
    -----
    FitWarning
        If the winner lies at the edge of the search, most starts do not converge, or one that
        did not got higher than the winner.

    Notes
    -----
    `detectors.gamma_mixture_likelihood` has the likelihoods. The search is L-BFGS-B with exact
    gradients in the logarithms of shapes and rates and the logit of the weight, from 1e-6 to 1e6
    and 1e-7 from 0 and 1; Newton steps refine the winner. The components are then named so that
    the first has the larger mean. Nothing is random, and the order of the rows has no effect.

    References
    ----------
    .. [1] DuMouchel W (1999). Bayesian data mining in large frequency tables, with an application
       to the FDA spontaneous reporting system. The American Statistician 53(3), 177-190.
       doi:10.1080/00031305.1999.10474456. The untruncated likelihood.
    .. [2] DuMouchel W, Pregibon D (2001). Empirical Bayes screening for multi-item associations.
       Proceedings of KDD 2001, 67-76. doi:10.1145/502512.502526. Squashing and truncation.

    Examples
    --------
    Ten thousand pairs; the rate ratios of every tenth come from Gamma(4, 0.8), which has the mean
    5, those of the others from Gamma(8, 8), which has the mean 1:

    >>> import numpy as np
    >>> import polars as pl
    >>> random = np.random.default_rng(1)
    >>> n_drug = np.repeat(np.arange(100, 10100, 100), 100)
    >>> shape = np.where(np.arange(10000) % 10, 8, 4)
    >>> ratio = random.gamma(shape, np.where(shape == 8, 1 / 8, 1.25))
    >>> counts = pl.DataFrame({"n_drug": n_drug, "n_event": 3000, "n_total": 10**6}).with_columns(
    ...     n_observed=random.poisson(n_drug * ratio * 0.003)
    ... )
    >>> prior = fit_gamma_mixture(counts, likelihood="truncated_mixture").prior
    >>> f"{prior.alpha1 / prior.beta1:.1f}, {prior.alpha2 / prior.beta2:.1f}, {prior.weight:.1f}"
    '5.0, 1.0, 0.1'
    """
    where = "fit_gamma_mixture"
    if likelihood not in get_args(Likelihood):
        msg = f"{where}: likelihood must be among {list(get_args(Likelihood))}; got {likelihood!r}"
        raise InputError(msg)
    _require_starts(starts, where=where)
    points = _points(counts, likelihood, squash, expected, where=where)
    function = MeanLogLikelihood(points, likelihood)
    ends = [_climb(function, start) for start in starts]
    outcomes = tuple(outcome for outcome, _ in ends)
    peaks = [(outcome, end) for outcome, end in ends if outcome.converged]
    if not peaks:
        best = max(outcomes, key=lambda outcome: outcome.log_likelihood)
        msg = (
            f"{where}: at least one start must end on a peak; got none of {len(starts)}, "
            f"the best with slope {best.gradient:.1e} after {best.iterations} iterations"
        )
        raise FitError(msg)
    winner = _refined(function, max(peaks, key=lambda peak: peak[0].log_likelihood)[1])
    value, gradient = function(winner)
    heights = np.sort([outcome.log_likelihood for outcome, _ in peaks])
    facts = FitFacts(
        log_likelihood=value * function.n_pairs,
        gradient=_slope(winner, gradient),
        n_pairs=int(function.n_pairs),
        n_points=points.count.size,
        n_starts=len(starts),
        n_converged=len(peaks),
        n_optima=1 + int(np.sum(np.diff(heights) > _SAME)),
        spread=float(heights[-1] - heights[0]),
        boundary=_at_edge(_named(winner)),
        squashing=squash,
        points_hash=points.digest,
        expected=expected,
    )
    _warn(facts, max(outcome.log_likelihood for outcome in outcomes))
    parameters = dict(zip(_NAMES, _named(winner), strict=True))
    prior = GammaMixture.model_validate({**parameters, "likelihood": likelihood, "fit": facts})
    return FitReport(prior=prior, peaks=_distinct(outcomes), outcomes=outcomes)


def _distinct(outcomes: Sequence[StartOutcome]) -> tuple[Peak, ...]:
    """Return the peaks by falling likelihood, those that differ by less than `_SAME` once."""
    ends = sorted(
        (outcome for outcome in outcomes if outcome.converged),
        key=lambda outcome: outcome.log_likelihood,
        reverse=True,
    )
    peaks: list[list[StartOutcome]] = []
    for end in ends:
        if ends[0].log_likelihood - end.log_likelihood > PEAK_GAP:
            break
        if not peaks or peaks[-1][-1].log_likelihood - end.log_likelihood > _SAME:
            peaks.append([])
        peaks[-1].append(end)
    return tuple(
        Peak(parameters=peak[0].end, log_likelihood=peak[0].log_likelihood, n_starts=len(peak))
        for peak in peaks
    )


def _require_starts(starts: Sequence[Start], *, where: str) -> None:
    if len(starts) < _FEWEST_STARTS:
        msg = f"{where}: at least {_FEWEST_STARTS} starts are needed; got {len(starts)}"
        raise InputError(msg)
    for start in starts:
        *gammas, weight = start
        if not all(_SMALLEST < value < _LARGEST for value in gammas) or not 0 < weight < 1:
            msg = (
                f"{where}: a start must have shapes and rates between {_SMALLEST:g} and "
                f"{_LARGEST:g} and a weight between 0 and 1; got {start}"
            )
            raise InputError(msg)


def _points(
    counts: pl.DataFrame,
    likelihood: Likelihood,
    squash: Squashing | None,
    expected: str | None,
    *,
    where: str,
) -> Points:
    pairs = with_expected(counts, expected, where=where)
    if likelihood == "untruncated" and {"drug", "event"} <= set(counts.columns):
        n_cells = counts["drug"].n_unique() * counts["event"].n_unique()
        if counts.height != n_cells:
            msg = (
                f"{where}: the untruncated likelihood needs every cell of drugs by events, zero "
                f"counts too; got {counts.height} of {n_cells}"
            )
            raise InputError(msg)
    fewest = 0 if likelihood == "untruncated" else 1
    # Where nothing is expected, nothing is observed, whatever the prior.
    used = pairs.select("n_observed", "expected").filter(
        (pl.col("n_observed") >= fewest) & (pl.col("expected") > 0)
    )
    if used.height < _FEWEST_PAIRS:
        msg = (
            f"{where}: at least {_FEWEST_PAIRS} pairs must enter the likelihood; got {used.height}"
        )
        raise FitError(msg)
    n_observed = used["n_observed"].cast(pl.Int64).to_numpy()
    return points_of(n_observed, used["expected"].to_numpy(), squash)


_BOUND = np.array([math.log(_LARGEST)] * 4 + [-float(logit(_SMALLEST_WEIGHT))])


def _climb(function: MeanLogLikelihood, start: Start) -> tuple[StartOutcome, Floats]:
    # Here, not above: few runs fit a prior, and every command would wait for it.
    from scipy.optimize import minimize

    def downhill(parameters: Floats) -> tuple[float, Floats]:
        value, gradient = function(parameters)
        return -value, -gradient

    found = minimize(
        downhill,
        np.array([*np.log(start[:4]), logit(start[4])]),
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([-_BOUND, _BOUND], axis=1),
        options={"maxiter": 500, "ftol": 0.0, "gtol": 1e-9},
    )
    end = found.x
    # A line search stalls where shapes are large, before the peak is reached.
    if _slope(end, -found.jac) > _PEAK:
        end = _refined(function, end)
    value, gradient = function(end)
    slope = _slope(end, gradient)
    outcome = StartOutcome(
        start=start,
        end=_named(end),
        log_likelihood=value * function.n_pairs,
        gradient=slope,
        iterations=int(found.nit),
        converged=slope <= _PEAK,
    )
    return outcome, end


def _slope(parameters: Floats, gradient: Floats) -> float:
    """Return the largest slope in a direction that the edge of the search leaves open."""
    outward = (np.abs(parameters) >= _BOUND) & (gradient * parameters > 0)
    return float(np.abs(np.where(outward, 0, gradient)).max())


def _refined(function: MeanLogLikelihood, parameters: Floats) -> Floats:
    """Return the peak after Newton steps, as long as they lower the slope."""
    _, gradient = function(parameters)
    for _ in range(5):
        bend = [
            (function(parameters + h)[1] - function(parameters - h)[1]) / 2e-4
            for h in 1e-4 * np.eye(5)
        ]
        curvature = -(np.array(bend) + np.array(bend).T) / 2
        if np.linalg.eigvalsh(curvature)[0] <= 0:
            break
        moved = np.clip(parameters + np.linalg.solve(curvature, gradient), -_BOUND, _BOUND)
        _, new_gradient = function(moved)
        if not _slope(moved, new_gradient) < _slope(parameters, gradient):
            break
        parameters, gradient = moved, new_gradient
    return parameters


def _named(parameters: Floats) -> Start:
    """Return the parameters as numbers, the component of the larger mean first."""
    a1, b1, a2, b2 = (float(value) for value in np.exp(parameters[:4]))
    if a1 / b1 >= a2 / b2:
        return a1, b1, a2, b2, float(expit(parameters[4]))
    return a2, b2, a1, b1, float(expit(-parameters[4]))


def _at_edge(named: Start) -> tuple[str, ...]:
    inner = [(_SMALLEST * _EDGE, _LARGEST / _EDGE)] * 4
    inner.append((_SMALLEST_WEIGHT * _EDGE, 1 - _SMALLEST_WEIGHT * _EDGE))
    pairs = zip(_NAMES, named, inner, strict=True)
    return tuple(name for name, value, (low, high) in pairs if not low < value < high)


def _warn(facts: FitFacts, highest: float) -> None:
    doubts = []
    if facts.boundary:
        doubts.append(f"{', '.join(facts.boundary)} at the edge of the search")
    if 2 * facts.n_converged < facts.n_starts:
        doubts.append(f"only {facts.n_converged} of {facts.n_starts} starts ended on a peak")
    if highest > facts.log_likelihood + _SAME:
        doubts.append(
            f"a start without a peak got {highest - facts.log_likelihood:.2f} above the winner"
        )
    if doubts:
        warnings.warn(f"fit_gamma_mixture: {'; '.join(doubts)}", FitWarning, stacklevel=3)
