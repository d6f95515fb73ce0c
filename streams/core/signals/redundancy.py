"""Suppresses signals of a lot, a facility or a family that repeat another signal's cases.

A lot with the same three cases as its class is no new signal. It is published once its cases differ
from those of every signal of a product or class that is on, or once the signal that covers it goes
off. An alarm is covered by alarms only: else who receives no screening would not know of the cases.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from schemas.alert import AlertKind, SignalGrade
from schemas.suppressed import SuppressionReason
from streams.core.cases.levels import family_of_term
from streams.core.counting.sorted_counts import Keys, split_key
from streams.core.signals.counts_view import CountsView
from streams.core.signals.decisions import GRADES, KINDS, SUPPRESSIONS, Decisions
from streams.core.signals.new_evidence import Flags
from streams.core.signals.published_signals import Signals
from streams.core.signals.window_scores import ScoredPairs, WindowScores

__all__ = ["RedundantSignals"]

_ALARM = GRADES.index(SignalGrade.ALARM)
_NEW = KINDS.index(AlertKind.NEW)
_SAME_CASES = SUPPRESSIONS.index(SuppressionReason.SAME_CASES)
# By key: the rules that fire, and the key of the published signal with the same cases.
_Covered = dict[int, tuple[int, int]]


class RedundantSignals:
    """Covered signals, remembered so that each is counted once as suppressed."""

    def __init__(self) -> None:
        self._covered: dict[str, _Covered] = {}  # by window label

    def published_as(self, label: str, keys: Keys) -> Keys:
        """Return the keys under which the cases of signals were published, mostly their own."""
        covered = self._covered.get(label, {})
        published = [covered[key][1] if key in covered else key for key in keys.tolist()]
        return np.array(published, dtype=np.int64)

    def suppress(
        self, decided: Decisions, scores: WindowScores, signals: Signals, view: CountsView
    ) -> Decisions:
        """Move the new signals that are covered from those to publish to those suppressed.

        Parameters
        ----------
        decided, scores
            Of one window instance. After a full evaluation, a pair that was not scored is no
            signal any more.
        signals
            The published state, as it was before.
        view
            The cases, and the names of the pairs.
        """
        scored = scores.pairs
        covered = self._covered.setdefault(scores.instance.window.label, {})
        keys = scored.keys[decided.rows]
        is_new = decided.kinds == _NEW
        doubtful = keys[is_new & ~view.levels.is_plain(keys)]
        crossings = _forget_gone(covered, scored, full=scores.instance.full)
        if len(doubtful) == 0:
            return replace(decided, crossings=decided.crossings + crossings)
        covering = _covering_by_grade(doubtful, decided, scores, signals, view)
        out = np.isin(keys, np.array(list(covering), dtype=np.int64))
        noted = []
        for row in decided.rows[out].tolist():
            key, entered = int(scored.keys[row]), int(scored.entered[row])
            before = covered.get(key)
            if before is not None:  # its rules were counted when they began to fire
                crossings += (entered ^ before[0]).bit_count() - entered.bit_count()
            if before is None or scored.touched[row]:
                noted.append(row)
            covered[key] = entered, covering[key]
        for key in set(keys[~out].tolist()) & covered.keys():
            crossings -= covered.pop(key)[0].bit_count()
        return _without(decided, out, noted, crossings)


def _without(decided: Decisions, out: Flags, noted: list[int], crossings: int) -> Decisions:
    """Remove decisions; those noted are suppressed because of the same cases."""
    kept = ~out
    return replace(
        decided,
        rows=decided.rows[kept],
        kinds=decided.kinds[kept],
        reasons=decided.reasons[kept],
        on=decided.on[kept],
        grades=decided.grades[kept],
        was=decided.was[kept],
        suppressed=np.append(decided.suppressed, np.array(noted, dtype=np.intp)),
        why=np.append(decided.why, np.full(len(noted), _SAME_CASES, dtype=np.int8)),
        crossings=decided.crossings + crossings,
    )


def _forget_gone(covered: _Covered, scored: ScoredPairs, *, full: bool) -> int:
    """Remove pairs that no rule flags any more; return the number of rules that ceased to fire."""
    crossings = 0
    for key in list(covered):
        row = int(np.searchsorted(scored.keys, key))
        is_scored = row < len(scored.keys) and scored.keys[row] == key
        if (is_scored and scored.entered[row] == 0) or (full and not is_scored):
            crossings += covered.pop(key)[0].bit_count()
    return crossings


def _covering_by_grade(
    doubtful: Keys, decided: Decisions, scores: WindowScores, signals: Signals, view: CountsView
) -> dict[int, int]:
    """Return `_covering` of new signals; an alarm is covered by alarms only."""
    keys, is_on = scores.pairs.keys[decided.rows], decided.on != 0
    is_alarm = is_on & (decided.grades == _ALARM)
    found: dict[int, int] = {}
    for asked, before, now in (
        (np.setdiff1d(doubtful, keys[is_alarm]), signals.on, keys[is_on]),
        (np.intersect1d(doubtful, keys[is_alarm]), signals.alarms, keys[is_alarm]),
    ):
        if len(asked):
            on = np.union1d(np.setdiff1d(before, keys), now)
            found |= _covering(asked, on[view.levels.is_plain(on)], scores, view)
    return found


def _covering(
    doubtful: Keys, plain: Keys, scores: WindowScores, view: CountsView
) -> dict[int, int]:
    """Return by key the plain signal with the same cases and term that is first by name."""
    pairs = scores.instance.tally.pairs
    plain = plain[np.isin(pairs.get(plain), pairs.get(doubtful))]
    cases = view.log.cases_of(np.union1d(doubtful, plain), *scores.days)
    of_pair = {
        key: frozenset(names) for key, names in cases.group_by("key").agg("case_id").iter_rows()
    }
    names = view.named(pl.DataFrame({"key": plain})).with_columns(key=plain).sort("drug", "event")
    events = dict(zip(doubtful.tolist(), view.events.decode(split_key(doubtful)[1]), strict=True))
    found: dict[int, int] = {}
    for event, key in names.select("event", "key").iter_rows():
        for covered, of_covered in events.items():
            same_term = of_covered in (event, family_of_term(event))
            if same_term and covered not in found and of_pair.get(covered) == of_pair.get(key):
                found[covered] = key
    return found
