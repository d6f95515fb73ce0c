"""Scores of one window: the pairs in scope, their 2x2 tables, and the statistics of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.expected import sum_over_strata
from schemas.alert import Window, WindowKind
from streams.core.counting.case_codes import UNIT
from streams.core.counting.sorted_counts import (
    Counts,
    Keys,
    Places,
    SortedCounts,
    is_in,
    split_key,
)
from streams.core.counting.windows import Tally
from streams.core.signals.counts_view import CountsView
from streams.core.signals.new_evidence import Flags, Masks, facets_of_strata
from streams.core.signals.published_signals import Signals
from streams.core.signals.scorer import Scorer

__all__ = ["ScoredPairs", "WindowInstance", "WindowScores", "alert_rows", "score_window"]

_EPOCH = date(1970, 1, 1)
_NAMES = {"drug", "event"}


@dataclass(frozen=True, slots=True)
class WindowInstance:
    """One window instance on the day of an evaluation.

    Attributes
    ----------
    window, tally
        The instance, as of that day, and its counts.
    today
        Day of the evaluation [days since 1970-01-01].
    touched
        Keys of the pairs with a case that entered, left or was amended since the last evaluation,
        sorted, each once.
    full
        Whether every pair is in scope, or only those touched.
    """

    window: Window
    tally: Tally
    today: int
    touched: Keys
    full: bool


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """The pairs that one evaluation scored, as arrays with one element a pair, sorted by key.

    Must contain every pair in scope that a rule flags, and every signal in scope that is on.

    Attributes
    ----------
    entered, held
        Result of `detectors.rules.RuleSet.masks`.
    alarm
        `detectors.rules.RuleSet.alarm_mask` of the same rules.
    touched
        Whether a case of the pair entered, left or was amended since the last evaluation.
    """

    keys: Keys
    entered: Masks
    held: Masks
    alarm: int
    n_observed: npt.NDArray[np.int64]
    ror_lower: npt.NDArray[np.float64]
    ic_lower: npt.NDArray[np.float64]
    touched: Flags


@dataclass(frozen=True, slots=True)
class WindowScores:
    """The scores of one window instance, shared by every later step of its evaluation.

    Attributes
    ----------
    instance
        The window instance that was scored.
    days
        Its first day, None if it is open to the past, and its last [days since 1970-01-01].
    evaluated_on
        Day of the evaluation.
    facets
        Result of `streams.core.signals.new_evidence.facets_of_strata`.
    table
        One row a pair: its key, its counts and the columns that `Scorer.score` adds.
    pairs
        The same pairs, as arrays.
    known
        Keys of the pairs that were published before.
    prior_id, adjusted_prior_id
        Priors that they were scored with.
    """

    instance: WindowInstance
    days: tuple[int | None, int]
    evaluated_on: date
    facets: Masks
    table: pl.DataFrame
    pairs: ScoredPairs
    known: Keys
    prior_id: str | None
    adjusted_prior_id: str | None


def score_window(
    scorer: Scorer, view: CountsView, instance: WindowInstance, signals: Signals
) -> WindowScores | None:
    """Score the pairs in scope of a window; None if there are none.

    Parameters
    ----------
    view
        The counts so far.
    signals
        The published state of the window: a signal that is on is in scope with any number of cases,
        and one that is off if a case of it changed.
    """
    keys, n_observed = _scope(instance, signals, scorer.floor)
    is_scored = view.levels.is_scored(keys)
    keys = keys[is_scored]
    if len(keys) == 0:
        return None
    window = instance.window
    table = instance.tally.table(keys, n_observed[is_scored])
    if scorer.columns:
        table = view.named(table, scorer.columns)
    if scorer.needs_adjusted:
        table = table.hstack([instance.tally.expected_adjusted(keys)])
    covers_all = window.kind is WindowKind.CUMULATIVE
    table = table.hstack(view.tests.statistics(keys, defined=covers_all))
    scored = scorer.score(table)
    first = None if window.first_day is None else (window.first_day - _EPOCH).days
    return WindowScores(
        instance=instance,
        days=(first, (window.last_day - _EPOCH).days),
        evaluated_on=_EPOCH + timedelta(days=instance.today),
        facets=facets_of_strata(view.strata, UNIT),
        table=scored,
        pairs=ScoredPairs(
            keys=keys,
            entered=scored["entered"].to_numpy(),
            held=scored["held"].to_numpy(),
            alarm=scorer.rules.alarm_mask,
            n_observed=scored["n_observed"].to_numpy(),
            ror_lower=scored["ror_lower"].to_numpy(),
            ic_lower=scored["ic_lower"].to_numpy(),
            touched=is_in(keys, instance.touched),
        ),
        known=keys[signals.within(keys)[1]],
        prior_id=scorer.prior_id,
        adjusted_prior_id=scorer.adjusted_prior_id,
    )


def alert_rows(
    scorer: Scorer, scores: WindowScores, rows: Places, view: CountsView
) -> pl.DataFrame:
    """Return scored pairs with their names and every field of `schemas.alert.Statistics`.

    Parameters
    ----------
    rows
        Their places among the scored pairs, in the order of the rows returned.
    """
    scored, keys = scores.table[rows], scores.pairs.keys[rows]
    if not scorer.needs_adjusted:
        scored = scored.hstack([scores.instance.tally.expected_adjusted(keys)])
    named = view.labelled(view.named(scorer.complete(scored), _NAMES.difference(scorer.columns)))
    expected = _expected_stratified(view, scores.instance.tally, keys)
    return named.hstack([pl.Series("expected_stratified", expected)])


def _scope(instance: WindowInstance, signals: Signals, floor: int) -> tuple[Keys, Counts]:
    """Return the pairs to score, sorted, and their counts.

    They are those in scope that have enough cases for a rule to fire, a signal that is on, or a
    signal that is off with a case that changed: its last revision may name that case.
    """
    pairs, touched = instance.tally.pairs, instance.touched
    if not instance.full:
        n = pairs.get(touched)
        wanted = (n >= floor) | is_in(touched, signals.rows["key"].copy())
        return touched[wanted], n[wanted]
    enough = pairs.counts >= floor
    keys, n = pairs.keys[enough], pairs.counts[enough]
    published = signals.rows["key"][(signals.rows["on"] != 0) | is_in(signals.rows["key"], touched)]
    below = published[~is_in(published, keys)]
    places = np.searchsorted(keys, below)
    return np.insert(keys, places, below), np.insert(n, places, pairs.get(below))


def _expected_stratified(view: CountsView, tally: Tally, keys: Keys) -> npt.NDArray[np.float64]:
    # All known strata, not only those of the window: an empty window has none.
    names = view.strata.names
    strata = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    drugs, events = split_key(keys)
    return sum_over_strata(
        tally.totals.get(strata).tolist(),
        _by_stratum(tally.drugs, drugs, strata),
        _by_stratum(tally.events, events, strata),
        len(keys),
    )


def _by_stratum(
    margins: SortedCounts, codes: Keys, strata: Keys
) -> Iterator[npt.NDArray[np.float64]]:
    distinct, places = np.unique(codes, return_inverse=True)
    counts = margins.get((distinct[:, None] << 32 | strata).ravel())
    for of_stratum in counts.reshape(len(distinct), len(strata)).T.astype(np.float64):
        yield of_stratum[places]
