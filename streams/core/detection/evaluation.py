"""One evaluation of a window: score its pairs, decide which revisions are due, and write them.

Keeps the published state of the detector. The counts are an argument, and are only read.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.gamma_mixture import GammaMixture
from detectors.rules import RuleSet
from schemas.alert import Alert
from schemas.suppressed import Suppressed
from streams.core.alerts.context import AlertContext
from streams.core.alerts.negative_controls import NegativeControls
from streams.core.alerts.writer import AlertWriter
from streams.core.counting.sorted_counts import Counts, Keys
from streams.core.counting.vocabulary import Vocabulary
from streams.core.safety.subjects import KnownOnDay
from streams.core.signals.counts_view import CountsView
from streams.core.signals.decisions import SUPPRESSIONS, Decisions
from streams.core.signals.lifecycle import decide_window, publish
from streams.core.signals.published_signals import Signals, restored_signals
from streams.core.signals.realert_policy import AlertPolicy
from streams.core.signals.redundancy import RedundantSignals
from streams.core.signals.scorer import Scorer
from streams.core.signals.signal_key import signal_key
from streams.core.signals.window_scores import WindowInstance, WindowScores, score_window

__all__ = ["Evaluation"]

_EPOCH = date(1970, 1, 1)


class _Suppression(NamedTuple):
    """Signals of one window that the last evaluation suppressed, with one element a signal."""

    label: str
    keys: Keys
    why: npt.NDArray[np.int8]  # places in `SUPPRESSIONS`
    n_observed: Counts


class Evaluation:
    """Published state of all signals of one run, and the steps that revise it.

    Parameters
    ----------
    rules
        Rules that make a pair a signal of disproportionate reporting.
    prior, adjusted_prior
        See `streams.core.signals.scorer.Scorer`.
    policy
        The re-alert policy.
    context
        Builds the contexts of alerts, and finds new facts of published ones.
    controls
        Negative controls that alerts are calibrated by.
    """

    def __init__(
        self,
        rules: RuleSet,
        prior: GammaMixture | None,
        policy: AlertPolicy,
        context: AlertContext,
        controls: NegativeControls | None = None,
        *,
        adjusted_prior: GammaMixture | None = None,
    ) -> None:
        self.scorer = Scorer(rules, prior, adjusted_prior)
        self.signals: dict[str, Signals] = {}
        self.suppressed: Counter[str] = Counter()
        self.crossings = 0
        self._policy = policy
        self._context = context
        self._redundant = RedundantSignals()
        self._writer = AlertWriter(self.scorer, policy, context, controls)
        self._last_suppressed: list[_Suppression] = []

    def begin(self) -> None:
        """Discard the suppressed changes of the last evaluation."""
        self._last_suppressed.clear()

    def evaluate(
        self, view: CountsView, instance: WindowInstance, on_day: KnownOnDay
    ) -> list[Alert]:
        """Return the revisions due in one window instance, and record them as published.

        Parameters
        ----------
        view
            The counts so far.
        instance
            The window, on the day of the evaluation.
        on_day
            The notices and laws of that day.
        """
        label = instance.window.label
        if label not in self.signals:
            self.signals[label] = Signals()
        signals = self.signals[label]
        scores = score_window(self.scorer, view, instance, signals)
        if scores is None:
            return []
        news = self._context.news(scores, view, on_day)
        decided = decide_window(scores, signals, view, news, self._policy, self._redundant)
        self._count(scores, decided)
        if len(decided.rows) == 0:
            return []
        written = self._writer.write(scores, decided, signals, view, on_day)
        publish(signals, scores, decided, written.stated, written.named)
        return written.alerts

    def suppressions(self, view: CountsView, today: int) -> Iterator[Suppressed]:
        """Yield the suppressed changes of the last evaluation, by window, then drug and event."""
        for label, keys, why, n_observed in self._last_suppressed:
            names = view.named(pl.DataFrame({"key": keys}))
            signals = self.signals[label]
            published_as = self._redundant.published_as(label, keys)
            published = signals.rows[np.searchsorted(signals.rows["key"], published_as)]
            others = view.named(pl.DataFrame({"key": published_as}))
            order = names.with_row_index("place").sort("drug", "event")["place"]
            for place in order.to_list():
                key, other = (
                    signal_key(table["drug"][place], table["event"][place], label)
                    for table in (names, others)
                )
                yield Suppressed(
                    signal_key=key,
                    told_as=None if other == key else other,
                    evaluated_on=_EPOCH + timedelta(days=today),
                    reason=SUPPRESSIONS[why[place]],
                    revision=int(published["revision"][place]),
                    n_observed=int(n_observed[place]),
                    n_published=int(published["n_observed"][place]),
                )

    def restore(self, alerts: Iterable[Alert], drugs: Vocabulary, events: Vocabulary) -> None:
        """Restore the published state of signals from the latest alert of each."""
        self.signals.update(restored_signals(alerts, self.scorer.rules, drugs, events))

    def _count(self, scores: WindowScores, decided: Decisions) -> None:
        """Count the crossings, and the suppressed changes by reason."""
        self.crossings += decided.crossings
        if len(decided.suppressed) == 0:
            return
        counts = np.bincount(decided.why, minlength=len(SUPPRESSIONS)).tolist()
        self.suppressed.update(
            {reason.value: n for reason, n in zip(SUPPRESSIONS, counts, strict=True) if n}
        )
        pairs, places = scores.pairs, decided.suppressed
        self._last_suppressed.append(
            _Suppression(
                scores.instance.window.label,
                pairs.keys[places],
                decided.why,
                pairs.n_observed[places],
            )
        )
