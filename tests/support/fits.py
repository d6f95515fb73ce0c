"""Fits of the EBGM's prior that are made once: each takes a second, and depends on nothing else."""

import hashlib
import warnings

import polars as pl

from detectors.gamma_mixture import Likelihood
from detectors.gamma_mixture_fit import FitReport, fit_gamma_mixture


class RememberedFits:
    """`fit_gamma_mixture` with its defaults, once for each table; it warns every time."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[FitReport, list[warnings.WarningMessage]]] = {}

    def __call__(self, counts: pl.DataFrame, *, likelihood: Likelihood) -> FitReport:
        """Return what the fit of these counts, in this order, is."""
        content = hashlib.sha256(counts.write_csv().encode()).hexdigest()
        key = content, likelihood
        if key not in self._known:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self._known[key] = fit_gamma_mixture(counts, likelihood=likelihood), caught
        report, warned = self._known[key]
        for entry in warned:
            warnings.warn(str(entry.message), entry.category, stacklevel=2)
        return report
