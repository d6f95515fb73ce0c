"""One look at a window: score its pairs, compare with what was published, and write the revisions.

Holds the published side of the detector. What is counted comes with every call, and stays as it is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.expected import sum_over_strata
from detectors.gamma_mixture import GammaMixture
from detectors.rules import RuleSet
from schemas.alert import Alert, Window, WindowKind
from schemas.counts import MARGINS
from schemas.suppressed import Suppressed
from streams.core.alerts.builder import AlertBuilder
from streams.core.alerts.case_sources import Origins, burst_rule, sources_of
from streams.core.alerts.case_summaries import after_notice, facts_of, further_of
from streams.core.alerts.context import AlertContext
from streams.core.alerts.identity import signal_key
from streams.core.alerts.sensitivity import SensitivityAnalyses
from streams.core.counting.arrays import rows_at
from streams.core.counting.case_log import CaseLog
from streams.core.counting.sorted_counts import Counts, Keys, SortedCounts, is_in, split_key
from streams.core.counting.vocabulary import Vocabulary
from streams.core.counting.windows import Tally
from streams.core.signals.anytime_test import DailySequentialTest
from streams.core.signals.counts_view import UNIT, CountsView
from streams.core.signals.lifecycle import (
    DROPPED,
    KINDS,
    SUPPRESSIONS,
    Decisions,
    ScoredPairs,
    decide,
)
from streams.core.signals.new_evidence import (
    FATAL,
    GONE,
    PAEDIATRIC_BIT,
    Masks,
    facets_of_cases,
    facets_of_strata,
    region_mask,
)
from streams.core.signals.published_signals import Signals
from streams.core.signals.realert_policy import AlertPolicy
from streams.core.signals.redundancy import RedundantSignals
from streams.core.signals.scorer import Scorer

__all__ = ["Evaluation"]

_EPOCH = date(1970, 1, 1)


class Evaluation:
    """The published state of all signals of one run, and what makes revisions of them.

    Parameters
    ----------
    rules
        What makes a pair a signal of disproportionate reporting.
    prior
        As of `streams.core.signals.scorer.Scorer`.
    policy
        What is told again of a signal that is on.
    """

    def __init__(
        self, rules: RuleSet, prior: GammaMixture | None, policy: AlertPolicy, dossier: AlertContext
    ) -> None:
        self._dossier = dossier
        self.scorer = Scorer(rules, prior)
        self.signals: dict[str, Signals] = {}
        self.suppressed: Counter[str] = Counter()
        self.crossings = 0
        self._policy = policy
        self._alerts = AlertBuilder(rules, policy)
        self._columns = rules.columns
        self._coverage = RedundantSignals()
        self._origins = lru_cache(maxsize=1)(Origins)
        self._scrutiny = SensitivityAnalyses(self.scorer, burst_rule())
        self._silent: list[tuple[str, Keys, Decisions, ScoredPairs]] = []

    def begin(self) -> None:
        """Forget what the last evaluation suppressed."""
        self._silent.clear()

    def look(
        self,
        counted: CountsView,
        window: Window,
        tally: Tally,
        today: int,
        *,
        touched: Keys | None,
        touched_only: bool,
    ) -> list[Alert]:
        """Return the revisions due in one window instance, and hold them for published.

        Parameters
        ----------
        counted
            What was counted so far.
        window, tally
            The instance, as of today, and its counts.
        today
            Day of the evaluation [days since 1970-01-01].
        touched
            Keys of the pairs that cases came to or left since the last look, sorted, each once.
        touched_only
            Whether to leave the others alone.
        """
        signals = self.signals.setdefault(window.label, Signals())
        keys, n_observed = self._scope(tally, signals, touched if touched_only else None)
        asked = counted.levels.is_scored(keys)
        keys = keys[asked]
        if len(keys) == 0:
            return []
        table = tally.table(keys, n_observed[asked])
        if self._columns:
            table = counted.named(table, self._columns)
        if counted.vigil is not None:
            table = table.hstack(_of_test(counted.vigil, window, keys))
        scored = self.scorer.score(table)
        look = ScoredPairs(
            keys=keys,
            entered=scored["entered"].to_numpy(),
            held=scored["held"].to_numpy(),
            n_observed=scored["n_observed"].to_numpy(),
            ror_lower=scored["ror_lower"].to_numpy(),
            ic_lower=scored["ic_lower"].to_numpy(),
            touched=is_in(keys, touched),
        )
        facets = facets_of_strata(counted.strata, UNIT)
        days = _days(window)
        known = look.keys[signals.within(keys)[1]]
        evidence = counted.pending.evidence(known, *days, facets)
        withdrawn = _withdrawn(counted.log, signals, known, evidence.fewer, days, facets)
        day = _EPOCH + timedelta(days=today)
        domain = self._dossier.news(known, counted, window.label, days, day)
        evidence = replace(evidence, domain=domain)
        if window.first_day is None:  # else what is gone may have been left behind
            withdrawn |= domain & GONE
        decided = decide(look, signals, evidence, withdrawn, self._policy)
        decided = self._coverage.untold(
            decided, look, signals, counted, tally, window.label, days, full=not touched_only
        )
        self.crossings += decided.crossings
        if len(decided.suppressed):
            self._note_suppressed(window.label, look, decided)
        if len(decided.rows) == 0:
            return []
        keys = keys[decided.rows]
        rows = self.scorer.complete(rows_at(scored, decided.rows))
        rows = counted.named(rows, {"drug", "event"}.difference(self._columns))
        cases = counted.log.cases_of(keys, *days)
        facts = facts_of(cases, keys, facets)
        origins = self._origins(counted.origins)
        found = self._scrutiny.of_pairs(
            rows[["key", "drug", "event", *MARGINS]],
            decided.on.tolist(),
            cases,
            origins,
            counted.indications,
            counted.log,
            days,
        )
        alerts = self._alerts.build(
            rows.hstack(
                [
                    pl.Series("expected_stratified", _stratified(counted, tally, keys)),
                    *facts.get_columns()[1:],  # without the keys
                    *sources_of(cases, keys, origins.parts).get_columns()[1:],
                    after_notice(cases, rows["key"], rows["drug"], counted.acted),
                ]
            ),
            decided,
            found,
            window=window,
            evaluated_on=day,
            as_of=counted.as_of,
            further=further_of(
                cases, keys, counted, days, decided.was, signals.named, separator=UNIT
            ),
            tested_through=None if counted.vigil is None else counted.vigil.last_day,
            prior_id=self.scorer.prior_id,
            test_recomputed=None if counted.vigil is None else counted.vigil.recomputed,
            dropped=signals.dropped,
        )
        self._publish(signals, look, decided, facts, today)
        self._dossier.complete(alerts, day)
        return alerts

    def suppressions(self, counted: CountsView, today: int) -> Iterator[Suppressed]:
        """Yield what the last evaluation did not tell, by window, then drug and event."""
        for label, keys, decided, look in self._silent:
            names = counted.named(pl.DataFrame({"key": keys}))
            signals = self.signals[label]
            told_as = self._coverage.told_as(label, keys)
            told = signals.rows[np.searchsorted(signals.rows["key"], told_as)]
            others = counted.named(pl.DataFrame({"key": told_as}))
            order = names.with_row_index("at").sort("drug", "event")["at"]
            for place in order.to_list():
                key, other = (
                    signal_key(of["drug"][place], of["event"][place], label)
                    for of in (names, others)
                )
                yield Suppressed(
                    signal_key=key,
                    told_as=None if other == key else other,
                    evaluated_on=_EPOCH + timedelta(days=today),
                    reason=SUPPRESSIONS[decided.why[place]],
                    revision=int(told["revision"][place]),
                    n_observed=int(look.n_observed[decided.suppressed[place]]),
                    n_published=int(told["n_observed"][place]),
                )

    def restore(self, alerts: Iterable[Alert], drugs: Vocabulary, events: Vocabulary) -> None:
        """Take over the published state of signals, from the latest alert of each."""
        by_label: dict[str, list[Alert]] = {}
        for alert in alerts:
            by_label.setdefault(alert.window.label, []).append(alert)
        bits = {rule.name: 1 << bit for bit, rule in enumerate(self.scorer.rules.rules)}
        for label, published in by_label.items():
            self.signals[label] = signals = Signals()
            rows, named, dropped = [], {}, {}
            for alert in published:
                key = drugs.code(alert.drug) << 32 | events.code(alert.event)
                gone = tuple(name for name in alert.rules_fired if name not in bits)
                if gone:
                    dropped[key] = gone
                on = sum(bits.get(name, 0) for name in alert.rules_fired)
                named[key] = pl.Series(alert.case_ids, dtype=pl.String).hash().to_numpy()
                rows.append(
                    Signals.row(
                        key=key,
                        revision=alert.revision,
                        kind=KINDS.index(alert.kind),
                        evaluated_on=(alert.evaluated_on - _EPOCH).days,
                        on=on | (DROPPED if gone else 0),
                        n_observed=alert.counts.n_observed,
                        ror_lower=_or_nan(alert.statistics.ror_lower),
                        ic_lower=_or_nan(alert.statistics.ic_lower),
                        facets=(FATAL if alert.n_fatal else 0)
                        | (PAEDIATRIC_BIT if alert.n_paediatric else 0)
                        | region_mask(alert.regions),
                        looked_n=-1,
                    )
                )
            signals.publish(np.concatenate(rows), named)
            signals.dropped = dropped

    def _scope(self, tally: Tally, signals: Signals, only: Keys | None) -> tuple[Keys, Counts]:
        """Return the pairs to score, and their counts."""
        floor = max(self.scorer.rules.floor, 1)
        if only is None:
            enough = tally.pairs.counts >= floor
            keys, n = tally.pairs.keys[enough], tally.pairs.counts[enough]
            below = signals.on[~is_in(signals.on, keys)]
            at = np.searchsorted(keys, below)
            return np.insert(keys, at, below), np.insert(n, at, tally.pairs.get(below))
        n = tally.pairs.get(only)
        wanted = (n >= floor) | is_in(only, signals.on)
        return only[wanted], n[wanted]

    def _note_suppressed(self, label: str, look: ScoredPairs, decided: Decisions) -> None:
        counts = np.bincount(decided.why, minlength=len(SUPPRESSIONS)).tolist()
        self.suppressed.update(
            {reason.value: n for reason, n in zip(SUPPRESSIONS, counts, strict=True) if n}
        )
        self._silent.append((label, look.keys[decided.suppressed], decided, look))

    def _publish(
        self,
        signals: Signals,
        look: ScoredPairs,
        decided: Decisions,
        facts: pl.DataFrame,
        today: int,
    ) -> None:
        at = decided.rows
        rows = Signals.row(
            key=look.keys[at],
            revision=decided.was["revision"] + 1,
            kind=decided.kinds,
            evaluated_on=today,
            on=decided.on,
            n_observed=look.n_observed[at],
            ror_lower=look.ror_lower[at],
            ic_lower=look.ic_lower[at],
            facets=facts["facets"].to_numpy(),
            looked_n=look.n_observed[at],
            looked_entered=look.entered[at],
        )
        ends = np.cumsum(facts["named"].list.len().to_numpy().astype(np.int64))
        parts = np.split(facts["named"].explode().drop_nulls().to_numpy(), ends[:-1])
        signals.publish(rows, dict(zip(rows["key"].tolist(), parts, strict=True)))


def _days(window: Window) -> tuple[int | None, int]:
    first = None if window.first_day is None else (window.first_day - _EPOCH).days
    return first, (window.last_day - _EPOCH).days


def _of_test(vigil: DailySequentialTest, window: Window, keys: Keys) -> pl.DataFrame:
    # The test is of all days; in another window its statistics are undefined.
    known = keys if window.kind is WindowKind.CUMULATIVE else keys[:0]
    statistics = vigil.statistics(known)
    return statistics if len(known) else statistics.clear(len(keys))


def _withdrawn(
    log: CaseLog,
    signals: Signals,
    known: Keys,
    fewer: Masks,
    days: tuple[int | None, int],
    facets: Masks,
) -> Masks:
    """Return the published facets of which a pair has no case left, of those that have fewer."""
    here = np.searchsorted(signals.rows["key"], known)
    withdrawn: Masks = fewer & signals.rows["facets"][here] if len(known) else fewer
    doubtful = np.flatnonzero(withdrawn)
    if len(doubtful):
        keys = known[doubtful]
        cases = log.cases_of(keys, *days)
        places = np.searchsorted(keys, cases["key"].to_numpy())
        withdrawn[doubtful] &= ~facets_of_cases(cases, places, facets, len(keys))[1]
    return withdrawn


def _stratified(counted: CountsView, tally: Tally, keys: Keys) -> npt.NDArray[np.float64]:
    # Every stratum known, not only those of the window: an emptied window has none left.
    names = counted.strata.names
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


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
