"""Detector stage: consumes deltas, gives revisions of alerts. Keeps the counts; reads no clock."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from detectors.gamma_mixture import GammaMixture
from detectors.rules import RuleSet
from schemas.alert import Alert, InputOffset, WindowKind
from schemas.counts import COUNTS
from schemas.delta import Delta
from schemas.prior import PriorRefit
from schemas.safety_alert import SafetyAlert
from schemas.suppressed import Suppressed
from streams.core.alerts.case_sources import Origins
from streams.core.alerts.context import AlertContext
from streams.core.alerts.negative_controls import NegativeControls
from streams.core.cases.domain_case import encode_domain_case
from streams.core.cases.levels import plain_pairs
from streams.core.cases.strata import AgeBands, default_age_bands
from streams.core.counting.case_codes import CaseCodes
from streams.core.counting.case_log import CaseLog
from streams.core.counting.count_changes import CountChanges
from streams.core.counting.level_codes import LevelCodes
from streams.core.counting.removed_cases import KeptCases, RemovedCases
from streams.core.counting.sorted_counts import Keys, distinct
from streams.core.counting.spelling_counts import Spellings
from streams.core.counting.windows import WindowedCounts, WindowSpec
from streams.core.detection.evaluation import Evaluation
from streams.core.detection.input_offsets import is_next
from streams.core.safety.monitor import SafetyMonitor
from streams.core.signals.anytime_test import SequentialTests, require_window
from streams.core.signals.counts_view import CountsView
from streams.core.signals.new_evidence import ChangesSinceEvaluation
from streams.core.signals.prior_refits import PriorRefits
from streams.core.signals.published_signals import Signals
from streams.core.signals.realert_policy import AlertPolicy, load_policy
from streams.core.signals.scorer import Scorer
from streams.core.signals.window_scores import WindowInstance

__all__ = ["Detector"]

_EPOCH = date(1970, 1, 1)
_NO_KEYS = np.empty(0, dtype=np.int64)
_RESTORED_AT_ONCE = 2_000_000  # [cases]; a gigabyte of changes at a time


class Detector:
    """Counts and signals of one run.

    Parameters
    ----------
    windows
        The windows to keep; each gives signals of its own.
    rules
        Rules that make a pair a signal of disproportionate reporting.
    policy
        The re-alert policy; by default that of `policy.toml`.
    topic
        Name of the topic that the deltas' offsets belong to; a field of every alert.
    prior, adjusted_prior
        Priors of the EBGM and of the EBGM within strata, for rules that ask for them.
    refit_every
        Days of event time between fits of these priors to the counts; `None` keeps them as they
        are.
    age_bands
        Age bands of the strata; by default those of `age_bands.toml`.
    test_by_sex
        Whether the blocks of the anytime-valid test are of one sex as well.
    controls
        Negative controls that alerts are calibrated by; none by default.

    Raises
    ------
    InputError
        If a rule needs a prior, and none is given nor to be fitted; or if every rule of the alarm
        needs the anytime-valid test, and no window is cumulative.
    """

    def __init__(
        self,
        windows: Iterable[WindowSpec],
        rules: RuleSet,
        *,
        policy: AlertPolicy | None = None,
        topic: str = "pv.reports",
        prior: GammaMixture | None = None,
        adjusted_prior: GammaMixture | None = None,
        refit_every: int | None = None,
        age_bands: AgeBands | None = None,
        test_by_sex: bool = False,
        controls: NegativeControls | None = None,
    ) -> None:
        self.policy = policy or load_policy()
        self.safety = SafetyMonitor()
        self._context = AlertContext(self.safety, self.policy)
        self._evaluation = Evaluation(
            rules, prior, self.policy, self._context, controls, adjusted_prior=adjusted_prior
        )
        specs = list(windows)
        require_window(rules, specs)
        self.refits = PriorRefits(self.scorer, refit_every)
        self._levels = LevelCodes()
        self.tests = SequentialTests(
            self.scorer, lambda: self.levels, self._sources, by_sex=test_by_sex
        )
        self.topic = topic
        self.windows = [WindowedCounts(spec) for spec in specs]
        self.log = CaseLog()
        self.codes = CaseCodes(age_bands or default_age_bands())
        self._removals = RemovedCases()
        self._parts_of_origins = lru_cache(maxsize=1)(Origins)
        self._spellings = Spellings()
        self.offsets: dict[int, int] = {}
        self.watermark = -1
        # Pairs changed since the last evaluation, in order of arrival, with repeats.
        self._touched: dict[str, list[Keys]] = {}
        self._stale: set[str] = set()  # windows whose margins moved since the last full one
        self._pending = ChangesSinceEvaluation()
        self._today = -1

    def apply(self, delta: Delta) -> bool:
        """Count a delta; return whether it was new: see `apply_all`."""
        return self.apply_all([delta])[0]

    def apply_all(self, deltas: Sequence[Delta]) -> list[bool]:
        """Count deltas, each exactly once by its offset range; several cost little more than one.

        Returns
        -------
        list of bool
            Whether each was counted; a delta that was counted before is dropped.

        Raises
        ------
        StateError
            If one leaves a gap after the counted offsets, or overlaps them in part: then the deltas
            do not belong to this state, and none of them is counted. Rebuild the detector's state
            from the start of the topic.
        """
        offsets = dict(self.offsets)
        fresh = [is_next(delta, offsets, self.topic) for delta in deltas]
        changes = [delta.changes for delta, news in zip(deltas, fresh, strict=True) if news]
        if changes:
            # In one frame: folding many small ones takes a fifth longer.
            rows = pl.concat(changes, rechunk=True)
            self._fold(encoded := self.codes.encode(rows))
            self._spellings.add_spellings(encoded, rows)
            watched = rows.filter(pl.col("watched") != "")
            self.safety.count(watched.select("watched", "n").iter_rows())
        for delta, news in zip(deltas, fresh, strict=True):
            if news and delta.removed.height:
                coded = self.codes.encode(delta.removed).with_columns(delta.removed["reason"])
                self._removals.append(coded)
        self.offsets = offsets
        self.watermark = max(self.watermark, *(delta.watermark for delta in deltas))
        return fresh

    def evaluate(
        self, today: int, *, touched_only: bool = False, day_over: bool = True
    ) -> list[Alert]:
        """Score the pairs, compare them with the published signals, and return the revisions due.

        Parameters
        ----------
        today
            Day of the evaluation, in event time [days since 1970-01-01]; ends moving windows.
        touched_only
            Score only pairs that changed since the last evaluation. Margins move the others as
            well: a full evaluation, at each day's close, finds those.
        day_over
            Whether the day is complete: the anytime-valid test needs whole days.
        """
        self.tests.close(today if day_over else today - 1, self.log)
        self._evaluation.begin()
        self._today = today
        view, on_day = self.view(), self.safety.known_on(_EPOCH + timedelta(days=today))
        if not touched_only:
            self._stale.update(self._context.stale(on_day))
        alerts: list[Alert] = []
        for instance in self._instances(today, full=not touched_only):
            alerts += self._evaluation.evaluate(view, instance, on_day)
        if not touched_only:
            self._stale.clear()
        self.settle()
        return alerts

    def _instances(self, today: int, *, full: bool) -> Iterator[WindowInstance]:
        """Yield the window instances to evaluate; sliding windows are moved to the day first."""
        for window in self.windows:
            window.advance(today, self.log)
            for label, tally in window.tallies.items():
                touched = self._touched.get(label, [])
                is_stale = label in self._stale or window.spec.days is not None
                if (full and is_stale) or (touched and not full):
                    yield WindowInstance(
                        window=window.spec.window(label, _EPOCH + timedelta(days=today)),
                        tally=tally,
                        today=today,
                        touched=distinct(np.concatenate([_NO_KEYS, *touched])),
                        full=full,
                    )

    def safety_alerts(self, today: int) -> list[SafetyAlert]:
        """Return the revisions of safety alerts that are due on a day: see `SafetyMonitor`."""
        return self.safety.evaluate(_EPOCH + timedelta(days=today), self._as_of())

    @property
    def scorer(self) -> Scorer:
        """Return the scorer, with the prior in force."""
        return self._evaluation.scorer

    @property
    def signals(self) -> dict[str, Signals]:
        """Return the published state of signals, by window label."""
        return self._evaluation.signals

    @property
    def suppressed(self) -> Counter[str]:
        """Return the number of suppressed changes of signals, by reason, over all evaluations."""
        return self._evaluation.suppressed

    @property
    def crossings(self) -> int:
        """Return how often a rule began or ceased to fire for a pair, published or not."""
        return self._evaluation.crossings

    def suppressions(self) -> Iterator[Suppressed]:
        """Yield the suppressed changes of the last evaluation, with their reasons."""
        return self._evaluation.suppressions(self.view(), self._today)

    def refit_if_due(self, today: int) -> list[PriorRefit]:
        """Refit the priors if a period of `refit_every` days has begun since the last fit.

        The counts are those of the cumulative window, else of the first one. Every signal is scored
        with a new prior from the next evaluation on; its event states it, and alerts name their
        priors. A failed fit is retried in the next period.
        """
        if not self.refits.is_due(today):
            return []
        window = min(
            self.windows, key=lambda windowed: windowed.spec.kind is not WindowKind.CUMULATIVE
        )
        window.advance(today, self.log)
        label = max(window.tallies, default=None)
        if label is None:
            return []
        within = self.scorer.needs_adjusted_prior
        counts = plain_pairs(self.counts(window, label, adjusted=within))
        events = self.refits.refit(counts, today, window=label, as_of=self._as_of())
        if events:
            self._stale.update(label for windowed in self.windows for label in windowed.tallies)
        return events

    def restore_prior(self, event: PriorRefit) -> None:
        """Restore the prior of an earlier refit, unless refits are switched off."""
        self.refits.restore(event)

    def counts(self, window: WindowedCounts, label: str, *, adjusted: bool = False) -> pl.DataFrame:
        """Return the counts frame of one window instance by normal forms, sorted by them."""
        table = self._table(window, label, adjusted=adjusted)
        return self.view().named(table).drop("key").sort("drug", "event")

    def _table(self, window: WindowedCounts, label: str, *, adjusted: bool) -> pl.DataFrame:
        """Return the counts of all scored pairs; with `expected_adjusted` if `adjusted`."""
        tally = window.tallies[label]
        keys = self.levels.scored(tally.pairs.keys[tally.pairs.counts > 0])
        table = tally.table(keys)
        return table.hstack([tally.expected_adjusted(keys)]) if adjusted else table

    @property
    def n_pairs(self) -> int:
        """Return the number of pairs with a case, over all window instances."""
        tallies = (tally for window in self.windows for tally in window.tallies.values())
        with_case = (tally.pairs.keys[tally.pairs.counts > 0] for tally in tallies)
        return sum(len(self.levels.scored(keys)) for keys in with_case)

    @property
    def levels(self) -> LevelCodes:
        """Return the aggregation level of each code of drugs and events."""
        self._levels.learn(self.codes.drugs, self.codes.events)
        return self._levels

    def all_counts(self, *, adjusted: bool = False) -> pl.DataFrame:
        """Return the counts of every window instance, `window`, by the spellings to show.

        Parameters
        ----------
        adjusted
            Whether to add the column `expected_adjusted` [cases].
        """
        view = self.view()
        columns = {**COUNTS, **({"expected_adjusted": pl.Float64()} if adjusted else {})}
        frames = [
            view.labelled(self._table(window, label, adjusted=adjusted))
            .rename({"drug_label": "drug", "event_label": "event"})
            .select(pl.lit(label).alias("window"), *columns)
            .sort("drug", "event")
            for window in self.windows
            for label in sorted(window.tallies)
        ]
        return pl.concat([pl.DataFrame(schema={"window": pl.String, **columns}), *frames])

    def snapshot(self) -> tuple[pl.DataFrame, dict[str, Any]]:
        """Return the counted cases, and the names and offsets that go with them."""
        kept, facts = self.frozen()
        return kept.rows(), facts

    def frozen(self) -> tuple[KeptCases, dict[str, Any]]:
        """Return the content of a snapshot as of now, while another thread continues to count.

        Its `rows` cost as much as `snapshot`; this call costs in proportion to the names.
        """
        facts = {
            **self.codes.facts(),
            "offsets": {str(partition): offset for partition, offset in self.offsets.items()},
            "spellings": self._spellings.facts(),
            "watermark": self.watermark,
            "watched": [encode_domain_case(case) for case in self.safety.cases],
            "tests": self.tests.facts(),
        }
        return KeptCases(self.log.frozen(), self._removals.frozen()), facts

    def restore(self, rows: pl.DataFrame, facts: Mapping[str, Any]) -> None:
        """Restore a new detector from a snapshot; its windows and rules may have changed.

        Raises
        ------
        StateError
            If its age bands have changed: the cases of the snapshot are coded by them.
        """
        self.codes.restore(facts)
        self._spellings.restore(facts["spellings"])
        self._levels = LevelCodes()
        self.offsets = {int(partition): offset for partition, offset in facts["offsets"].items()}
        self.watermark = facts["watermark"]
        self.safety.count((encoded, 1) for encoded in facts["watched"])
        # In parts, each settled: millions of cases give hundreds of millions of changes.
        counted, removed = KeptCases.split(rows)
        self._removals.append(removed)
        for part in counted.iter_slices(_RESTORED_AT_ONCE):
            self._fold(part)
            self.settle()
        self.tests.restore(facts["tests"], self.log)

    def settle(self) -> None:
        """Mark all changes so far as evaluated: a restored detector published them before."""
        self._touched.clear()
        self._pending.clear()

    def restore_signals(self, alerts: Iterable[Alert]) -> None:
        """Restore the published state of signals from the latest alert of each."""
        published = list(alerts)
        self._evaluation.restore(published, self.codes.drugs, self.codes.events)
        self._context.record(published)

    def _fold(self, rows: pl.DataFrame) -> None:
        self.log.append(rows)
        changes = CountChanges.of(rows)
        self._spellings.add_cases(changes)
        for window in self.windows:
            for label in window.fold(changes):
                self._touched.setdefault(label, []).append(changes.pairs.keys)
                self._stale.add(label)
        if any(len(signals.rows) for signals in self.signals.values()):
            self._pending.note(rows, changes.pairs)
        self.tests.note(rows)

    def _sources(self) -> pl.Series:
        return self._parts_of_origins(self.codes.origins).parts["source"]

    def view(self) -> CountsView:
        """Return the counts so far, for reading."""
        return CountsView(
            drugs=self.codes.drugs,
            events=self.codes.events,
            strata=self.codes.strata,
            levels=self.levels,
            origins=self.codes.origins,
            indications=self.codes.indications,
            spellings=self._spellings,
            log=self.log,
            removals=self._removals,
            pending=self._pending,
            tests=self.tests,
            age_bands=self.codes.age_bands,
            as_of=self._as_of(),
        )

    def _as_of(self) -> Sequence[InputOffset]:
        return [
            InputOffset(topic=self.topic, partition=partition, next_offset=offset)
            for partition, offset in sorted(self.offsets.items())
        ]
