"""Fits of the EBGM's prior that are made once, each takes a second; and pairs to fit it to."""

import hashlib
import warnings

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.gamma_mixture import Likelihood
from detectors.gamma_mixture_fit import FitReport, fit_gamma_mixture

Pairs = list[tuple[str, str]]
_SIZE = 30  # drugs, and events


def drawn_pairs(seed: int, number: int) -> Pairs:
    """Return pairs whose rate ratios are drawn from two gammas, one in ten with the mean 5."""
    random = np.random.default_rng(seed)
    popularity = 1 / np.sqrt(np.arange(1, _SIZE + 1))
    strong = random.random((_SIZE, _SIZE)) < 0.1
    ratio = np.where(
        strong, random.gamma(4, 1.25, strong.shape), random.gamma(8, 1 / 8, strong.shape)
    )
    share: NDArray[np.float64] = (popularity[:, None] * popularity * ratio).ravel()
    drawn = random.choice(share.size, 6000, p=share / share.sum())[:number]
    return [(f"d{pair // _SIZE:02}", f"e{pair % _SIZE:02}") for pair in drawn.tolist()]


class RememberedFits:
    """`fit_gamma_mixture` with its defaults, once for each table; it warns every time."""

    def __init__(self) -> None:
        self._known: dict[
            tuple[str, str, str | None], tuple[FitReport, list[warnings.WarningMessage]]
        ] = {}

    def __call__(
        self, counts: pl.DataFrame, *, likelihood: Likelihood, expected: str | None = None
    ) -> FitReport:
        """Return what the fit of these counts, in this order, is."""
        content = hashlib.sha256(counts.write_csv().encode()).hexdigest()
        key = content, likelihood, expected
        if key not in self._known:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                report = fit_gamma_mixture(counts, likelihood=likelihood, expected=expected)
                self._known[key] = report, caught
        report, warned = self._known[key]
        for entry in warned:
            warnings.warn(str(entry.message), entry.category, stacklevel=2)
        return report
