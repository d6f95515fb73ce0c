"""Signals of a lot, a facility or a family that would say what another signal says: not told.

A lot whose three cases are the class's three is no second piece of news. It is told once its cases
are others than those of any signal of a product or class that is on, or that one goes off.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from schemas.alert import AlertKind
from schemas.suppressed import SuppressionReason
from streams.core.cases.levels import FAMILY_OF_TERM
from streams.core.counting.sorted_counts import Keys, split_key
from streams.core.counting.windows import Tally
from streams.core.signals.counts_view import CountsView
from streams.core.signals.lifecycle import KINDS, SUPPRESSIONS, Decisions, ScoredPairs
from streams.core.signals.published_signals import Signals

__all__ = ["RedundantSignals"]

_NEW = KINDS.index(AlertKind.NEW)
_SAME_CASES = SUPPRESSIONS.index(SuppressionReason.SAME_CASES)


class RedundantSignals:
    """Remembers which signals are covered, so that each is counted once as not told."""

    def __init__(self) -> None:
        # By window label and key: the rules that fire, and the key of the signal that was told.
        self._covered: dict[str, dict[int, tuple[int, int]]] = {}

    def told_as(self, label: str, keys: Keys) -> Keys:
        """Return the keys under which the cases of signals were told, mostly their own."""
        covered = self._covered.get(label, {})
        told = [covered[key][1] if key in covered else key for key in keys.tolist()]
        return np.array(told, dtype=np.int64)

    def untold(
        self,
        decided: Decisions,
        look: ScoredPairs,
        signals: Signals,
        counted: CountsView,
        tally: Tally,
        label: str,
        days: tuple[int | None, int],
        *,
        full: bool,
    ) -> Decisions:
        """Take the signals that are covered out of what is published; the rest stays as it is.

        Parameters
        ----------
        decided, look
            Of one window instance, and what was seen of it.
        signals
            The published state, as it was before.
        counted, tally
            The cases, and the counts of the instance.
        label, days
            Name of the instance, its first day if it has one, and its last.
        full
            Whether the look is at every pair: what it does not hold is no signal any more.
        """
        known = self._covered.setdefault(label, {})
        keys = look.keys[decided.rows]
        is_new = decided.kinds == _NEW
        doubtful = keys[is_new & ~counted.levels.is_plain(keys)]
        crossings = _forget_gone(known, look, full=full)
        if len(doubtful) == 0:
            return replace(decided, crossings=decided.crossings + crossings)
        told = np.union1d(np.setdiff1d(signals.on, keys[decided.on == 0]), keys[decided.on != 0])
        told = told[counted.levels.is_plain(told)]
        covering = _covering(doubtful, told, counted, tally, days)
        out = np.isin(keys, np.array(list(covering), dtype=np.int64))
        rows = decided.rows[out]
        noted = []
        for row, key, entered in zip(
            rows.tolist(), keys[out].tolist(), look.entered[rows].tolist(), strict=True
        ):
            before = known.get(key)
            if before is not None:  # its rules were counted when they came to fire
                crossings += (entered ^ before[0]).bit_count() - entered.bit_count()
            if before is None or look.touched[row]:
                noted.append(row)
            known[key] = entered, covering[key]
        for key in set(keys[~out].tolist()) & known.keys():
            crossings -= known.pop(key)[0].bit_count()
        kept = ~out
        return replace(
            decided,
            rows=decided.rows[kept],
            kinds=decided.kinds[kept],
            reasons=decided.reasons[kept],
            on=decided.on[kept],
            was=decided.was[kept],
            suppressed=np.append(decided.suppressed, np.array(noted, dtype=np.intp)),
            why=np.append(decided.why, np.full(len(noted), _SAME_CASES, dtype=np.int8)),
            crossings=decided.crossings + crossings,
        )


def _forget_gone(known: dict[int, tuple[int, int]], look: ScoredPairs, *, full: bool) -> int:
    """Forget those that no rule flags any more; return how many rules ceased to fire."""
    crossings = 0
    for key in list(known):
        at = int(np.searchsorted(look.keys, key))
        seen = at < len(look.keys) and look.keys[at] == key
        if (seen and look.entered[at] == 0) or (full and not seen):
            crossings += known.pop(key)[0].bit_count()
    return crossings


def _covering(
    doubtful: Keys, told: Keys, counted: CountsView, tally: Tally, days: tuple[int | None, int]
) -> dict[int, int]:
    """Return, by key, the first signal by name that has the same cases and term."""
    n = tally.pairs.get(told)
    told = told[np.isin(n, tally.pairs.get(doubtful))]
    cases = counted.log.cases_of(np.union1d(doubtful, told), *days)
    of_pair = {
        key: frozenset(names) for key, names in cases.group_by("key").agg("case_id").iter_rows()
    }
    names = counted.named(pl.DataFrame({"key": told})).with_columns(key=told).sort("drug", "event")
    events = dict(
        zip(doubtful.tolist(), counted.events.decode(split_key(doubtful)[1]), strict=True)
    )
    found: dict[int, int] = {}
    for event, key in names.select("event", "key").iter_rows():
        for each, of_each in events.items():
            same_term = of_each in (event, FAMILY_OF_TERM[event])
            if same_term and each not in found and of_pair.get(each) == of_pair.get(key):
                found[each] = key
    return found
