"""The pictures that `tocsin plot` draws, each from a finished replay."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import numpy as np

from schemas.alert import Alert
from schemas.normal_form import normal_drug, normal_term
from streams.core.explanation.case_lanes import case_lanes
from streams.core.explanation.explanation import ExplainedRun, require_named
from streams.core.explanation.neighbours import neighbours_with_and_without
from streams.core.explanation.over_time import daily_evidence
from streams.core.explanation.population import Population, population_of
from streams.core.explanation.strata_forest import strata_forest
from streams.core.explanation.trend import daily_trend
from streams.core.signals.counts_view import CountsView
from streams.core.signals.signal_key import signal_key
from streams.core.wording.catalogue import Language
from streams.core.wording.names import event_name, product_name
from streams.figures.calendar_days import calendar_days
from streams.figures.evidence import evidence
from streams.figures.facts.alerts import restricted_facts
from streams.figures.facts.pairs import (
    evidence_facts,
    forest_facts,
    neighbours_facts,
    onset_facts,
    swimlane_facts,
    trend_facts,
)
from streams.figures.facts.signals import (
    calendar_facts,
    heat_map_facts,
    months_facts,
    volcano_facts,
)
from streams.figures.forest import forest
from streams.figures.heat_map import heat_map
from streams.figures.months import months
from streams.figures.neighbours import neighbours
from streams.figures.onset_curve import onset_curve
from streams.figures.restricted import RestrictedFacts, restricted
from streams.figures.swimlane import swimlane
from streams.figures.trend import trend
from streams.figures.volcano import volcano

__all__ = ["OF_ALL", "OF_PAIR", "PictureKind", "PlottedPair", "Sizes", "plotted_pair"]

_EPOCH = date(1970, 1, 1)


class PictureKind(StrEnum):
    """Kind of a picture, as the command line names it."""

    SIGNAL = "signal"
    FOREST = "forest"
    SWIMLANE = "swimlane"
    NEIGHBOURS = "neighbours"
    EVIDENCE = "evidence"
    ONSET = "onset"
    RESTRICTED = "restricted"
    VOLCANO = "volcano"
    HEATMAP = "heatmap"
    CALENDAR = "calendar"
    MONTHS = "months"


@dataclass(frozen=True, slots=True)
class PlottedPair:
    """One pair of a run, with what its pictures need.

    Attributes
    ----------
    run
        The run.
    population
        Its cases around the pair.
    drug, event
        Its names, as they are shown.
    alerts
        Revisions of the pair's signal, in order.
    language
        Language of the texts.
    """

    run: ExplainedRun
    population: Population
    drug: str
    event: str
    alerts: Sequence[Alert]
    language: Language

    @property
    def view(self) -> CountsView:
        """Return the counts of the run."""
        return self.run.view

    @property
    def last_day(self) -> date:
        """Return the last day counted."""
        return _EPOCH + timedelta(days=self.run.last_day)

    def lanes(self) -> list[dict[str, Any]]:
        """Return the cases of the pair."""
        drug, event = self.population.drug, self.population.event
        return case_lanes(self.view, drug, event, self.run.last_day).to_dicts()


Sizes = Mapping[str, Any]
"""`language`, and `width` if one is asked for."""


def _trend(pair: PlottedPair, sizes: Sizes) -> str:
    facts = trend_facts(
        daily_trend(pair.population).to_dicts(),
        pair.lanes(),
        pair.alerts,
        last_day=pair.last_day,
        drug=pair.drug,
        event=pair.event,
    )
    return trend(facts, **sizes)


def _forest(pair: PlottedPair, sizes: Sizes) -> str:
    rows = strata_forest(pair.population).to_dicts()
    return forest(
        forest_facts(rows, language=pair.language, drug=pair.drug, event=pair.event), **sizes
    )


def _swimlane(pair: PlottedPair, sizes: Sizes) -> str:
    facts = swimlane_facts(pair.lanes(), language=pair.language, drug=pair.drug, event=pair.event)
    return swimlane(facts, **sizes)


def _neighbours(pair: PlottedPair, sizes: Sizes) -> str:
    rows = neighbours_with_and_without(pair.population).to_dicts()
    own = strata_forest(pair.population).row(0, named=True)
    labels = _drug_labels(pair.view, [row["product"] for row in rows], pair.language)
    return neighbours(
        neighbours_facts(rows, own, names=labels, drug=pair.drug, event=pair.event), **sizes
    )


def _evidence(pair: PlottedPair, sizes: Sizes) -> str:
    daily = daily_evidence(
        pair.population, pair.view, pair.run.last_day, by_sex=pair.view.tests.by_sex
    ).to_dicts()
    facts = evidence_facts(
        daily, pair.alerts, last_day=pair.last_day, drug=pair.drug, event=pair.event
    )
    return evidence(facts, **sizes)


def _onset(pair: PlottedPair, sizes: Sizes) -> str:
    subject = f"{pair.drug} × {pair.event}"
    return onset_curve(onset_facts(pair.lanes(), subject=subject), **sizes)


def _restricted(pair: PlottedPair, sizes: Sizes) -> str:
    facts = restricted_facts(pair.alerts, language=pair.language)
    return restricted(facts or RestrictedFacts(rows=(), drug=pair.drug, event=pair.event), **sizes)


OF_PAIR: Mapping[PictureKind, Callable[[PlottedPair, Sizes], str]] = {
    PictureKind.SIGNAL: _trend,
    PictureKind.FOREST: _forest,
    PictureKind.SWIMLANE: _swimlane,
    PictureKind.NEIGHBOURS: _neighbours,
    PictureKind.EVIDENCE: _evidence,
    PictureKind.ONSET: _onset,
    PictureKind.RESTRICTED: _restricted,
}
"""Pictures of one pair, by kind."""


def _volcano(alerts: Sequence[Alert], day: date, sizes: Sizes) -> str:
    return volcano(volcano_facts(_latest(alerts)), **sizes)


def _heat_map(alerts: Sequence[Alert], day: date, sizes: Sizes) -> str:
    return heat_map(heat_map_facts(_latest(alerts)), **sizes)


def _calendar(alerts: Sequence[Alert], day: date, sizes: Sizes) -> str:
    return calendar_days(calendar_facts(alerts, last_day=day), **sizes)


def _months(alerts: Sequence[Alert], day: date, sizes: Sizes) -> str:
    return months(months_facts(alerts), **sizes)


OF_ALL: Mapping[PictureKind, Callable[[Sequence[Alert], date, Sizes], str]] = {
    PictureKind.VOLCANO: _volcano,
    PictureKind.HEATMAP: _heat_map,
    PictureKind.CALENDAR: _calendar,
    PictureKind.MONTHS: _months,
}
"""Pictures of all signals up to a day, by kind."""


def _latest(alerts: Sequence[Alert]) -> list[Alert]:
    return list({alert.signal_key: alert for alert in alerts}.values())


def plotted_pair(
    run: ExplainedRun, drug: str, event: str, language: Language, *, where: str
) -> PlottedPair:
    """Return a pair of a run with what its pictures need.

    Parameters
    ----------
    run
        The run.
    drug, event
        Names in any spelling.
    language
        Language of the texts.
    where
        Name of the command, for errors.

    Raises
    ------
    InputError
        If no case names the drug, or none the event.
    """
    require_named(run.view, drug, event, where=where)
    normal = normal_drug(drug), normal_term(event)
    key = signal_key(*normal, "cumulative")
    (shown_drug,) = _drug_labels(run.view, [normal[0]], language).values()
    event_code = np.array([run.view.events.code(normal[1])])
    shown_event = run.view.spellings.event_labels(event_code, run.view.events).item()
    return PlottedPair(
        run=run,
        population=population_of(run.view, *normal, run.last_day),
        drug=shown_drug,
        event=event_name(shown_event, language),
        alerts=[alert for alert in run.alerts if alert.signal_key == key],
        language=language,
    )


def _drug_labels(view: CountsView, drugs: Sequence[str], language: Language) -> dict[str, str]:
    """Return the names to show of products, by the names they are counted under."""
    codes = np.array([view.drugs.code(drug) for drug in drugs], dtype=np.int64)
    labels = view.spellings.drug_labels(codes, view.drugs).to_list()
    return {drug: product_name(label, language) for drug, label in zip(drugs, labels, strict=True)}
