"""Quantiles of a pair's posterior rate ratio: exact, and interpolated where there are millions.

At a fixed count the posterior quantile is a smooth function of the expectation E. `quantiles`
therefore divides ln E into cells, computes the exact quantile and its exact derivative at a few
nodes of each cell that is in use, and joins them by cubic Hermite polynomials. A cell's nodes are
doubled until the polynomials meet the next exact values within an eighth of `TOLERANCE`, and the
next slopes likewise; those then become nodes too. A cell that does not get there is computed
exactly. What a cell holds depends on the prior, the count and the cell alone, so a row's result
does not depend on the rows beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count as count_up

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammainc, gammaincc, gammainccinv, gammaincinv, gammaln

from detectors.arguments import finite_numbers, whole_numbers
from detectors.gamma_mixture import GammaMixture, of_count
from schemas.errors import InputError

__all__ = ["TOLERANCE", "exact_quantile", "quantiles"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

TOLERANCE = 1e-7
"""Bound of the relative error of `quantiles`; measured errors are well below it."""

_CELL = 0.25  # width of a cell in ln E
_FINEST = 6  # a cell has at most 2^6 intervals; a sharper bend than that is computed exactly
_LARGEST_COUNT = 64  # counts above it are too rare for a grid to pay, and computed exactly
_BLOCK = 2**17  # rows at a time: what they need stays in the processor's cache
_LOG_SMALLEST = -700.0  # ln of the smallest quantile that differs from 0
_CONVERGED = 1e-13  # last step in ln of the quantile
_NEWTON_STEPS = 30  # six are usual; where rounding makes it wander, bisection ends it


def exact_quantile(
    prior: GammaMixture, n: Counts, expected: Floats, probability: float
) -> tuple[Floats, Floats]:
    """Return the logarithm of the posterior quantile, and its derivative with respect to ln E.

    Newton's method on the logarithm of the smaller tail, kept between the quantiles of the two
    components, between which that of their mixture must lie. A quantile below e^-700 is given as
    -inf: it is 0 as a number.

    Raises
    ------
    InputError
        If a count is not whole, an expectation not finite, one is negative, or the probability is
        not in (0, 1).
    """
    n, expected = _require(n, expected, [probability], where="exact_quantile")
    return _exact(prior, n, expected, probability)


def _require(
    n: Counts, expected: Floats, probabilities: Iterable[float], *, where: str
) -> tuple[Counts, Floats]:
    for probability in probabilities:
        if not 0 < probability < 1:
            msg = f"{where}: a probability must lie in (0, 1); got {probability!r}"
            raise InputError(msg)
    return (
        whole_numbers(n, "n", where=where),
        finite_numbers(expected, "expected", where=where),
    )


def _exact(
    prior: GammaMixture, n: Counts, expected: Floats, probability: float
) -> tuple[Floats, Floats]:
    upper = probability > 0.5
    tail = 1 - probability if upper else probability
    cdf, quantile = (gammaincc, gammainccinv) if upper else (gammainc, gammaincinv)
    shape1, shape2 = prior.alpha1 + n, prior.alpha2 + n
    rate1, rate2 = prior.beta1 + expected, prior.beta2 + expected
    odds = prior.log_odds(n, expected)
    weight1, weight2 = expit(odds), expit(-odds)
    with np.errstate(divide="ignore"):  # a component's quantile that underflows is 0
        end1 = np.log(of_count(lambda n: quantile(prior.alpha1 + n, tail), n)) - np.log(rate1)
        end2 = np.log(of_count(lambda n: quantile(prior.alpha2 + n, tail), n)) - np.log(rate2)
    low = np.maximum(np.minimum(end1, end2), _LOG_SMALLEST)
    high = np.maximum(np.maximum(end1, end2), _LOG_SMALLEST)
    log_x = weight1 * np.maximum(end1, _LOG_SMALLEST) + weight2 * np.maximum(end2, _LOG_SMALLEST)
    norm1 = of_count(lambda n: gammaln(prior.alpha1 + n), n)
    norm2 = of_count(lambda n: gammaln(prior.alpha2 + n), n)
    slope = np.empty_like(log_x)
    active = np.arange(n.size)
    for iteration in count_up():
        if not active.size:
            break
        at = active
        x = np.exp(log_x[at])
        z1, z2 = rate1[at] * x, rate2[at] * x
        # Between components far apart there is next to no density: a step from there is inf or
        # NaN, neither of which lies inside the bracket, and bisection takes its place.
        with np.errstate(all="ignore"):
            tail1, tail2 = cdf(shape1[at], z1), cdf(shape2[at], z2)
            mass = weight1[at] * tail1 + weight2[at] * tail2
            # z times each component's density at z, the derivative of its cdf by ln z
            pull1 = weight1[at] * np.exp(shape1[at] * np.log(z1) - z1 - norm1[at])
            pull2 = weight2[at] * np.exp(shape2[at] * np.log(z2) - z2 - norm2[at])
            density = pull1 + pull2
            step = np.log(mass / tail) * (mass / density)
            # Implicit differentiation of the cdf: with E move both rates and the weights.
            by_weight = weight1[at] * weight2[at] * (tail1 - tail2) * (-1 if upper else 1)
            by_weight *= shape2[at] / rate2[at] - shape1[at] / rate1[at]
            by_rate = pull1 / rate1[at] + pull2 / rate2[at]
            slope[at] = -expected[at] * (by_weight + by_rate) / density
        beyond = mass < tail if upper else mass > tail
        high[at] = np.where(beyond, log_x[at], high[at])
        low[at] = np.where(beyond, low[at], log_x[at])
        moved = log_x[at] + step if upper else log_x[at] - step
        inside = (moved >= low[at]) & (moved <= high[at]) & (iteration < _NEWTON_STEPS)
        moved = np.where(inside, moved, (low[at] + high[at]) / 2)
        done = np.abs(moved - log_x[at]) <= _CONVERGED
        log_x[at] = moved
        active = at[~done]
    vanishing = log_x <= _LOG_SMALLEST
    log_x[vanishing] = -np.inf
    slope[vanishing] = np.nan
    return log_x, slope


@dataclass(frozen=True, eq=False)
class _Cells:
    """Hermite polynomials of the cells in use. `intervals` 0: compute exactly."""

    intervals: NDArray[np.int64]
    offset: NDArray[np.int64]
    coefficients: Floats  # one row an interval: powers 0 to 3


def quantiles(
    prior: GammaMixture, n: Counts, expected: Floats, probabilities: Iterable[float]
) -> list[Floats]:
    """Return the posterior quantiles at each probability, relative error at most `TOLERANCE`.

    Raises
    ------
    InputError
        As `exact_quantile`.
    """
    probabilities = list(probabilities)
    n, expected = _require(n, expected, probabilities, where="quantiles")
    gridded = (n <= _LARGEST_COUNT) & (expected > 0)
    position = np.log(np.where(gridded, expected, 1.0)) / _CELL
    place = np.floor(position).astype(np.int64)
    lowest = int(place.min(initial=0))
    width = int(place.max(initial=0)) - lowest + 1
    key = np.where(gridded, n, 0) * width + (place - lowest)
    key[~gridded] = -1
    used = np.zeros((_LARGEST_COUNT + 1) * width, dtype=bool)
    used[key[gridded]] = True
    keys = np.flatnonzero(used)
    index = np.full(used.size + 1, -1)  # the last entry is that of key -1
    index[keys] = np.arange(keys.size)
    count, corner = keys // width, (keys % width + lowest).astype(np.float64)
    found = []
    for probability in probabilities:
        cells = _cells(prior, count, corner, probability)
        result = np.empty(n.size)
        for start in range(0, n.size, _BLOCK):
            rows = slice(start, start + _BLOCK)
            cell = index[key[rows]]
            result[rows] = _interpolated(cells, cell, position[rows] - place[rows])
            exactly = start + np.flatnonzero((cell < 0) | (cells.intervals[cell] == 0))
            log_x, _ = _exact(prior, n[exactly], expected[exactly], probability)
            result[exactly] = np.exp(log_x)
        found.append(result)
    return found


def _interpolated(cells: _Cells, cell: NDArray[np.int64], fraction: Floats) -> Floats:
    scaled = fraction * cells.intervals[cell]
    interval = scaled.astype(np.int64)
    s = scaled - interval
    c = cells.coefficients[cells.offset[cell] + interval]
    result: Floats = np.exp(c[:, 0] + s * (c[:, 1] + s * (c[:, 2] + s * c[:, 3])))
    return result


def _cells(prior: GammaMixture, count: Counts, corner: Floats, probability: float) -> _Cells:
    def exact(cell: NDArray[np.int64], fractions: Floats) -> tuple[Floats, Floats]:
        expected = np.exp(_CELL * (corner[cell, None] + fractions))
        n = np.repeat(count[cell], fractions.size)
        log_x, slope = _exact(prior, n, expected.ravel(), probability)
        return log_x.reshape(expected.shape), slope.reshape(expected.shape)

    # One more cell and one more row, at the end, for the rows that are computed exactly.
    intervals = np.zeros(count.size + 1, dtype=np.int64)
    offset = np.zeros(count.size + 1, dtype=np.int64)
    blocks = [np.zeros((1, 4))]
    filled = 1
    open_cells = np.arange(count.size)
    value, slope = exact(open_cells, np.array([0.0, 1.0]))
    for level in range(_FINEST):
        pieces = 2**level
        midpoints = (np.arange(pieces) + 0.5) / pieces
        c = _hermite(value, slope, _CELL / pieces)
        middle, middle_slope = exact(open_cells, midpoints)
        with np.errstate(invalid="ignore"):
            value_error = np.abs(c @ np.array([1, 1 / 2, 1 / 4, 1 / 8]) - middle)
            rise_error = np.abs(c @ np.array([0, 1, 1, 3 / 4]) - middle_slope * _CELL / pieces)
            met = np.all((value_error <= TOLERANCE / 8) & (rise_error <= TOLERANCE), axis=1)
        value, slope = _woven(value, middle), _woven(slope, middle_slope)
        done = open_cells[met]
        intervals[done] = 2 * pieces
        offset[done] = filled + 2 * pieces * np.arange(done.size)
        blocks.append(_hermite(value[met], slope[met], _CELL / (2 * pieces)).reshape(-1, 4))
        filled += 2 * pieces * done.size
        open_cells, value, slope = open_cells[~met], value[~met], slope[~met]
        if not open_cells.size:
            break
    return _Cells(intervals, offset, np.concatenate(blocks))


def _hermite(value: Floats, slope: Floats, width: float) -> Floats:
    """Return the powers 0 to 3 of each interval's cubic, in the interval's own unit."""
    with np.errstate(invalid="ignore"):
        rise = value[:, 1:] - value[:, :-1]
        left, right = slope[:, :-1] * width, slope[:, 1:] * width
        powers = [value[:, :-1], left, 3 * rise - 2 * left - right, left + right - 2 * rise]
    return np.stack(powers, axis=-1)


def _woven(nodes: Floats, midpoints: Floats) -> Floats:
    woven = np.empty((nodes.shape[0], nodes.shape[1] + midpoints.shape[1]))
    woven[:, ::2], woven[:, 1::2] = nodes, midpoints
    return woven
