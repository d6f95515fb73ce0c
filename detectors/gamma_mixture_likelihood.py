"""The three likelihoods of a gamma mixture prior, with their gradients.

Given its expectation E and its rate ratio, a pair's count is Poisson; over a gamma prior of shape
a and rate b, that makes it negative binomial, with ``P(0) = (b / (b + E))^a`` and f its pmf.
Reports exist only of what was observed, so a table seldom lists its zero counts. Then the
likelihood must be conditional on ``n >= 1``, and there are two ways to write that::

    untruncated            w f1(n) + (1 - w) f2(n)
    truncated_mixture      (w f1(n) + (1 - w) f2(n)) / (1 - w P1(0) - (1 - w) P2(0))
    mixture_of_truncated   w f1(n) / (1 - P1(0)) + (1 - w) f2(n) / (1 - P2(0))

The second follows from the model: which component a pair comes from is settled before its count.
The third supposes that it is settled after the pair is known to be listed, whatever its E; it is
what R's openEBGM and PhViD maximise. They give different priors from the same counts.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, expit, gammaln, log_expit

from detectors.gamma_mixture import Likelihood
from detectors.squashing import Points

__all__ = ["MeanLogLikelihood"]

Floats = NDArray[np.float64]


class MeanLogLikelihood:
    """Log-likelihood per pair of ``(ln a1, ln b1, ln a2, ln b2, logit w)``, and its gradient."""

    def __init__(self, points: Points, likelihood: Likelihood) -> None:
        self.likelihood = likelihood
        self.n_pairs = float(points.weight.sum())
        self._share = points.weight / self.n_pairs
        self._n = points.count.astype(np.float64)
        self._expected = points.expected
        # Whatever depends on the count alone is computed once for each that occurs.
        self._distinct, self._which = np.unique(self._n, return_inverse=True)
        # n ln E - ln n!, which no parameter moves
        self._constant = float(
            _sum(self._share, self._n * np.log(points.expected) - gammaln(self._n + 1))
        )

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        """Return the value and the gradient."""
        log_w, log_rest = log_expit(parameters[4]), log_expit(-parameters[4])
        w, rest = expit(parameters[4]), expit(-parameters[4])
        log_f1, slope1, log_listed1, listed1_slope = self._component(*parameters[:2])
        log_f2, slope2, log_listed2, listed2_slope = self._component(*parameters[2:4])
        if self.likelihood == "mixture_of_truncated":
            log_f1, log_f2 = log_f1 - log_listed1, log_f2 - log_listed2
            slope1, slope2 = slope1 - listed1_slope, slope2 - listed2_slope
        odds = log_f1 - log_f2
        odds += log_w - log_rest
        share1 = expit(odds)  # posterior share of the first component
        log_mixture = log_f2 + log_rest - log_expit(-odds)
        by_weight = share1 - w
        slopes = [_sum(slope1, self._share * share1), _sum(slope2, self._share * (1 - share1))]
        if self.likelihood == "truncated_mixture":
            listed1, listed2 = w * np.exp(log_listed1), rest * np.exp(log_listed2)
            listed = listed1 + listed2
            log_mixture -= np.log(listed)
            slopes[0] -= _sum(listed1_slope, self._share * listed1 / listed)
            slopes[1] -= _sum(listed2_slope, self._share * listed2 / listed)
            by_weight -= (rest * listed1 - w * listed2) / listed
        gradient = np.array([*slopes[0], *slopes[1], _sum(self._share, by_weight)])
        return float(_sum(self._share, log_mixture)) + self._constant, gradient

    def _component(
        self, log_shape: float, log_rate: float
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return ln f without its constants, its slopes, ln(1 - P(0)), and the slopes of that."""
        shape, rate = np.exp(log_shape), np.exp(log_rate)
        log_total = np.log(rate + self._expected)
        missing = log_rate - log_total  # ln(b / (b + E))
        log_f = (gammaln(self._distinct + shape) - gammaln(shape))[self._which]
        log_f += shape * missing
        log_f -= self._n * log_total
        by_shape = (digamma(self._distinct + shape) - digamma(shape))[self._which] + missing
        share = self._expected / (rate + self._expected)
        by_rate = shape * share - self._n * (1 - share)
        slope = np.stack([shape * by_shape, by_rate])
        if self.likelihood == "untruncated":
            return log_f, slope, np.zeros(1), np.zeros((2, 1))
        listed = -np.expm1(shape * missing)
        odds = (1 - listed) / listed * shape
        return log_f, slope, np.log(listed), np.stack([-odds * missing, -odds * share])


def _sum(values: Floats, weights: Floats) -> Floats:
    """Return the weighted sum, to the same bit on any number of processors, as BLAS would not."""
    total: Floats = np.einsum("...i,i", values, weights)
    return total
