"""Explanation of one pair: every method of `detectors` on the cases of a run."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from detectors.gamma_mixture import GammaMixture
from detectors.gamma_mixture_fit import FitWarning, fit_gamma_mixture
from schemas.alert import Alert
from schemas.errors import FitError, InputError
from schemas.normal_form import normal_drug, normal_term
from streams.core.counting.windows import Tally
from streams.core.explanation.decisions import decision_sections
from streams.core.explanation.measures import measure_sections
from streams.core.explanation.neighbours import co_named_products
from streams.core.explanation.over_time import time_sections
from streams.core.explanation.population import population_of
from streams.core.explanation.products import product_sections
from streams.core.explanation.section import Section
from streams.core.signals.counts_view import CountsView
from streams.core.signals.scorer import Scorer
from streams.core.signals.signal_key import signal_key

__all__ = ["ExplainedRun", "explain", "require_named"]


@dataclass(frozen=True, slots=True)
class ExplainedRun:
    """A run that was evaluated up to a day, and what it published.

    Attributes
    ----------
    view, tally
        Its counts, and those of its cumulative window.
    scorer
        Its rules, and the priors in force.
    last_day
        The day of the last evaluation [days since 1970-01-01].
    alerts
        What it published, in order.
    controls
        Negative controls, by normal forms.
    """

    view: CountsView
    tally: Tally
    scorer: Scorer
    last_day: int
    alerts: Sequence[Alert]
    controls: Iterable[tuple[str, str]] = ()


def explain(run: ExplainedRun, drug: str, event: str) -> Iterator[Section]:
    """Yield what each method says of a pair, in the order to read it in.

    Parameters
    ----------
    run
        The run.
    drug, event
        Names in any spelling.

    Raises
    ------
    InputError
        If no case names the drug, or none the event.
    """
    require_named(run.view, drug, event, where="explain")
    names = normal_drug(drug), normal_term(event)
    population = population_of(run.view, *names, run.last_day)
    counts = population.frames.counts()
    key = signal_key(*names, "cumulative")
    published = [alert for alert in run.alerts if alert.signal_key == key]
    co_named = co_named_products(population)["product"].to_list()
    yield from decision_sections(
        population, _statistics(run, *names), run.scorer.rules, published, run.controls
    )
    yield from measure_sections(population, counts, _prior(run.scorer, counts), co_named)
    yield from product_sections(population, counts)
    yield from time_sections(population, run.view, run.last_day)


def require_named(view: CountsView, drug: str, event: str, *, where: str) -> None:
    """Raise if no counted case names the drug, or none the event.

    Parameters
    ----------
    view
        The counts of the run.
    drug, event
        Names in any spelling.
    where
        What asks, at the beginning of the message.

    Raises
    ------
    InputError
        It names the one that is missing.
    """
    for vocabulary, name, form, what in (
        (view.drugs, drug, normal_drug(drug), "drug"),
        (view.events, event, normal_term(event), "event"),
    ):
        if vocabulary.find(form) is None:
            msg = f"{where}: a counted case must name the {what}; got {name!r}, which none does"
            raise InputError(msg + ". `tocsin replay --counts FILE.parquet` lists the names")


def _statistics(run: ExplainedRun, drug: str, event: str) -> Mapping[str, Any]:
    """Return the counts and statistics that the rules compare, as the detector computes them."""
    key = np.array([run.view.drugs.code(drug) << 32 | run.view.events.code(event)])
    table = run.tally.table(key).with_columns(drug=pl.lit(drug), event=pl.lit(event))
    table = table.hstack([run.tally.expected_adjusted(key)])
    return run.scorer.score(table.hstack(run.view.tests.statistics(key, defined=True))).row(
        0, named=True
    )


def _prior(scorer: Scorer, counts: pl.DataFrame) -> GammaMixture | None:
    """Return the prior of the run, else one fitted to these counts, if they allow it."""
    if scorer.prior is not None:
        return scorer.prior
    try:
        with warnings.catch_warnings():
            # It names an edge of the search; the row is one of many measures, and no decision.
            warnings.simplefilter("ignore", FitWarning)
            return fit_gamma_mixture(counts, likelihood="truncated_mixture").prior
    except FitError:
        return None
