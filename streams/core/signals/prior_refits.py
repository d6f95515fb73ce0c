"""Refits of the EBGM prior to the counts of the stream, each announced by an event."""

import json
import warnings
from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from detectors.gamma_mixture import GammaMixture
from detectors.gamma_mixture_fit import FitWarning, fit_gamma_mixture
from schemas.alert import InputOffset
from schemas.errors import FitError
from schemas.prior import PriorRefit
from streams.core.signals.scorer import Scorer

__all__ = ["FEWEST_PAIRS", "PriorRefits", "refit"]

_EPOCH = date(1970, 1, 1)
FEWEST_PAIRS = 500
"""Fewest pairs that determine a mixture [pairs]; a stream waits for them before the first fit."""


def refit(
    counts: pl.DataFrame,
    *,
    previous: GammaMixture | None,
    fitted_on: date,
    window: str,
    as_of: Sequence[InputOffset],
) -> tuple[GammaMixture, PriorRefit] | None:
    """Fit a prior to a counts frame; `None` if the fit failed or must not be used.

    It must not be used when the best fit lies at the edge of the search: then a person must decide
    on a fit. The likelihood is the truncated mixture, as a counts frame
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


class PriorRefits:
    """Refits the prior of a scorer at most once in every period of event time.

    Parameters
    ----------
    scorer
        Holds the prior in force.
    every
        Days of a period; `None` keeps the prior as it is.
    """

    def __init__(self, scorer: Scorer, every: int | None) -> None:
        self._scorer = scorer
        self._every = every
        self._last: int | None = None  # number of the period of the last fit

    def is_due(self, today: int) -> bool:
        """Return whether a period has begun since the last fit."""
        return self._every is not None and today // self._every != self._last

    def refit(
        self, counts: pl.DataFrame, today: int, *, window: str, as_of: Sequence[InputOffset]
    ) -> PriorRefit | None:
        """Fit the prior and put it in force; `None` if the counts are few or `refit` gives none.

        A failed fit is retried in the next period, too few counts at the next call.
        """
        if self._every is None or counts.height < FEWEST_PAIRS:
            return None
        self._last = today // self._every
        fitted = refit(
            counts,
            previous=self._scorer.prior,
            fitted_on=_EPOCH + timedelta(days=today),
            window=window,
            as_of=as_of,
        )
        if fitted is None:
            return None
        self._scorer.prior, event = fitted
        return event

    def restore(self, event: PriorRefit) -> None:
        """Put the prior of an earlier refit in force, unless refits are switched off."""
        if self._every is not None:
            self._scorer.prior = GammaMixture.model_validate_json(json.dumps(event.prior))
            self._last = (event.fitted_on - _EPOCH).days // self._every
