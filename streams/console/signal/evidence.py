"""What is computed about a signal beside its alert, from the cases known when it was counted."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import polars as pl

from schemas.alert import Alert, WindowKind
from streams.core.counting.case_history import CaseHistory
from streams.core.explanation.case_lanes import case_lanes
from streams.core.explanation.known_trend import known_trend
from streams.core.explanation.neighbours import neighbours_with_and_without
from streams.core.explanation.over_time import daily_evidence
from streams.core.explanation.population import Population, population_of
from streams.core.explanation.strata_forest import strata_forest
from streams.core.signals.signal_key import names_of_key

__all__ = ["Evidence", "evidence_of"]

_EPOCH = date(1970, 1, 1)
_MOST_NEIGHBOURS = 8
_KEPT = 16  # signals whose evidence is kept: a reader goes to and fro between a few pages


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the figures of a signal are drawn from.

    Attributes
    ----------
    trend
        Result of `known_trend` up to the day of the page.
    forest, neighbours, lanes
        Of the cases that the revision counts: results of the functions of that name.
    path
        The anytime-valid test by day, likewise: result of `daily_evidence`.
    """

    trend: pl.DataFrame
    forest: pl.DataFrame
    neighbours: pl.DataFrame
    lanes: pl.DataFrame
    path: pl.DataFrame


def evidence_of(
    history: CaseHistory | None, alert: Alert, day: date, *, by_sex: bool
) -> Evidence | None:
    """Return what is computed about a revision; None without the cases, or in a moving window.

    Parameters
    ----------
    history
        The counted cases at every position.
    day
        Last day of the trend; all else is of the position that the revision was counted at.
    by_sex
        Whether the blocks of the anytime-valid test are of one sex as well.
    """
    if history is None or alert.window.kind is not WindowKind.CUMULATIVE:
        return None
    offsets = tuple((one.partition, one.next_offset) for one in alert.as_of)
    return _evidence(
        history,
        history.n_deltas,
        offsets,
        names_of_key(alert.signal_key),
        (alert.evaluated_on - _EPOCH).days,
        (day - _EPOCH).days,
        by_sex,
    )


@lru_cache(maxsize=_KEPT)
def _evidence(
    history: CaseHistory,
    n_deltas: int,  # so that new cases are not answered from the cache
    offsets: tuple[tuple[int, int], ...],
    pair: tuple[str, str],
    evaluated_on: int,
    last_day: int,
    by_sex: bool,
) -> Evidence:
    known = history.known(dict(offsets))
    population: Population = population_of(known, *pair, evaluated_on)
    return Evidence(
        trend=known_trend(history, *pair, last_day),
        forest=strata_forest(population),
        neighbours=neighbours_with_and_without(population, most=_MOST_NEIGHBOURS),
        lanes=case_lanes(known, *pair, evaluated_on),
        path=daily_evidence(population, known, evaluated_on, by_sex=by_sex),
    )
