"""Refits of the EBGM priors to the counts of the stream, each announced by an event."""

import json
import warnings
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import polars as pl

from detectors.gamma_mixture import GammaMixture
from detectors.gamma_mixture_fit import FitWarning, fit_gamma_mixture
from schemas.alert import InputOffset
from schemas.errors import FitError, InputError
from schemas.prior import PriorRefit
from streams.core.signals.scorer import Scorer

__all__ = ["FEWEST_PAIRS", "Expected", "PriorRefits", "refit"]

Expected = Literal["crude", "adjusted"]
"""Kind of expected counts that a prior is fitted to: `schemas.prior.PriorRefit.expected`."""

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
    expected: Expected = "crude",
) -> tuple[GammaMixture, PriorRefit] | None:
    """Fit a prior to a counts frame; `None` if the fit failed or must not be used.

    It must not be used when the best fit lies at the edge of the search: then a person must decide
    on a fit. The likelihood is the truncated mixture, as a counts frame
    lists only pairs with a case. The adjusted prior needs the column `expected_adjusted`.
    """
    column = None if expected == "crude" else "expected_adjusted"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FitWarning)
        try:
            report = fit_gamma_mixture(counts, likelihood="truncated_mixture", expected=column)
        except FitError:
            return None
    prior = report.prior
    if prior.fit is None or prior.fit.boundary:
        return None
    event = PriorRefit(
        prior_id=prior.prior_id,
        previous_prior_id=None if previous is None else previous.prior_id,
        fitted_on=fitted_on,
        expected=expected,
        window=window,
        prior=prior.model_dump(mode="json"),
        warnings=tuple(str(entry.message) for entry in caught),
        as_of=tuple(as_of),
    )
    return prior, event


class PriorRefits:
    """Refits the priors of a scorer, each at most once in every period of event time.

    The prior within strata is fitted only if a rule needs it.

    Parameters
    ----------
    scorer
        Holds the priors in force.
    every
        Days of a period; `None` keeps the priors as they are.

    Raises
    ------
    InputError
        If a rule needs a prior that is neither given nor to be fitted.
    """

    def __init__(self, scorer: Scorer, every: int | None) -> None:
        self._scorer = scorer
        self.every = every
        self._kinds: list[Expected] = ["crude"]
        self._kinds += ["adjusted"] if scorer.needs_adjusted_prior else []
        self._last: dict[Expected, int] = {}  # number of the period of the last fit
        if every is not None:
            return
        if scorer.needs_prior and scorer.prior is None:
            msg = "rules: EBGM needs a prior, from a file or fitted every so many days; got neither"
            raise InputError(msg)
        if scorer.needs_adjusted_prior and scorer.adjusted_prior is None:
            msg = (
                "rules: EBGM within strata needs a prior fitted to expected_adjusted, from a file "
                "(--prior-adjusted) or fitted every so many days; got neither"
            )
            raise InputError(msg)

    def is_due(self, today: int) -> bool:
        """Return whether a period has begun since the last fit of a prior."""
        return bool(self._due(today))

    def _due(self, today: int) -> list[Expected]:
        if self.every is None:
            return []
        period = today // self.every
        return [kind for kind in self._kinds if self._last.get(kind) != period]

    def refit(
        self, counts: pl.DataFrame, today: int, *, window: str, as_of: Sequence[InputOffset]
    ) -> list[PriorRefit]:
        """Fit the priors that are due, put them in force, and return an event for each.

        None if the counts are few or `refit` gives none. A failed fit is retried in the next
        period, too few counts at the next call.

        Parameters
        ----------
        counts
            With the column `expected_adjusted`, if a rule needs the prior within strata.
        """
        if self.every is None or counts.height < FEWEST_PAIRS:
            return []
        events = []
        for kind in self._due(today):
            self._last[kind] = today // self.every
            fitted = refit(
                counts,
                previous=self._scorer.prior if kind == "crude" else self._scorer.adjusted_prior,
                fitted_on=_EPOCH + timedelta(days=today),
                window=window,
                as_of=as_of,
                expected=kind,
            )
            if fitted is not None:
                self._put_in_force(kind, fitted[0])
                events.append(fitted[1])
        return events

    def restore(self, event: PriorRefit) -> None:
        """Put the prior of an earlier refit in force, unless its refits are switched off."""
        if self.every is not None and event.expected in self._kinds:
            prior = GammaMixture.model_validate_json(json.dumps(event.prior))
            self._put_in_force(event.expected, prior)
            self._last[event.expected] = (event.fitted_on - _EPOCH).days // self.every

    def _put_in_force(self, kind: Expected, prior: GammaMixture) -> None:
        if kind == "crude":
            self._scorer.prior = prior
        else:
            self._scorer.adjusted_prior = prior
