"""Fitting the prior of the EBGM to the counts of the stream: rarely, on purpose, and announced."""

import warnings
from collections.abc import Sequence
from datetime import date

import polars as pl

from detectors.gamma_mixture import GammaMixture
from detectors.gamma_mixture_fit import FitWarning, fit_gamma_mixture
from schemas.alert import InputOffset
from schemas.errors import FitError
from schemas.prior import PriorRefit

__all__ = ["FEWEST_PAIRS", "refit"]

FEWEST_PAIRS = 500
"""Fewer pairs say nothing of a mixture; a stream waits for them before the first fit."""


def refit(
    counts: pl.DataFrame,
    *,
    previous: GammaMixture | None,
    fitted_on: date,
    window: str,
    as_of: Sequence[InputOffset],
) -> tuple[GammaMixture, PriorRefit] | None:
    """Fit a prior to a counts frame; `None` if what comes out should not be scored with.

    That is when the winner lies at the edge of the search: a fit by hand may be wanted then, but
    not one that takes over unasked. The likelihood is the truncated mixture, as a counts frame
    lists only pairs with a case.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FitWarning)
        try:
            report = fit_gamma_mixture(counts, likelihood="truncated_mixture")
        except FitError:
            return None
    prior = report.prior
    if prior.fit is None or prior.fit.boundary:
        return None
    event = PriorRefit(
        prior_id=prior.prior_id,
        previous_prior_id=None if previous is None else previous.prior_id,
        fitted_on=fitted_on,
        window=window,
        prior=prior.model_dump(mode="json"),
        warnings=tuple(str(entry.message) for entry in caught),
        as_of=tuple(as_of),
    )
    return prior, event
