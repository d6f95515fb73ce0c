"""Histories of sets of rules: alarms on the same reports, and on a null made of the same cases."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from detectors.rules import RuleSet
from schemas.alert import Alert, AlertKind, SignalGrade
from schemas.delta import CASE_CHANGES
from schemas.normal_form import normal_drug, normal_term
from streams.core.counting.count_changes import CountChanges
from streams.core.counting.windows import Tally, WindowSpec
from streams.core.detection.detector import Detector
from streams.core.signals.signal_key import names_of_key
from streams.intake.files import SourceItem
from streams.runtime.embedded.replay import Replay

__all__ = ["BacktestResult", "History", "compare", "replay_cases", "replay_history"]

_COUNTED_AT_ONCE = 500_000  # [cases]


@dataclass
class History:
    """Alerts of one set of rules: first days and last labels of signals, revisions by kind.

    A signal is drug, event and window, in normal forms: its labels may change from day to day.

    Attributes
    ----------
    first_on
        By rule, and by drug and event: the day of the first alert that has the rule on, in any
        window.
    n_pairs
        Reported pairs: distinct ones of drug and event with a case on the last day that are scored.
    cases
        The counted cases in their latest form; columns of `schemas.delta.CASE_CHANGES`. Empty
        unless asked for.
    """

    first_alarm: dict[tuple[str, str, str], date] = field(default_factory=dict)
    first_alert: dict[tuple[str, str, str], date] = field(default_factory=dict)  # of either grade
    labels: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)
    revisions: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    first_on: dict[str, dict[tuple[str, str], date]] = field(default_factory=dict)
    n_pairs: int = 0
    cases: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=dict(CASE_CHANGES)))

    def record(self, alert: Alert) -> None:
        """Record the next alert."""
        self.revisions[alert.kind.value] += 1
        pair = names_of_key(alert.signal_key)
        signal = (*pair, alert.window.label)
        self.labels[signal] = alert.drug, alert.event
        if alert.kind is AlertKind.NEW:
            self.first_alert[signal] = alert.evaluated_on
        if alert.grade is SignalGrade.ALARM:
            self.first_alarm.setdefault(signal, alert.evaluated_on)
        for rule in alert.rules_fired:
            self.first_on.setdefault(rule, {}).setdefault(pair, alert.evaluated_on)

    def ever_alerted(self, pairs: Iterable[tuple[str, str]]) -> int:
        """Count the pairs that were alarms at any time, in any window."""
        alerted = {(drug, event) for drug, event, _ in self.first_alarm}
        return sum((normal_drug(drug), normal_term(event)) in alerted for drug, event in pairs)


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Signals (drug, event, window) by the change of the day on which each is first an alarm."""

    gained: list[tuple[str, str, str]]
    lost: list[tuple[str, str, str]]
    earlier: list[tuple[str, str, str]]
    later: list[tuple[str, str, str]]
    unchanged: int


def replay_history(
    sources: Iterable[tuple[str, Iterable[tuple[int, SourceItem]]]],
    windows: Iterable[WindowSpec],
    rules: RuleSet,
    *,
    every: int,
    horizon: date,
    refit_every: int | None,
    keep_cases: bool = False,
) -> Iterator[int | History]:
    """Replay sources under one set of rules; yield the number of items done, then the history.

    Invalid arguments raise at once, before the first source is read.

    Parameters
    ----------
    keep_cases
        Whether the history has the counted cases, for a null: as much memory as to count them.
    """
    history = History()
    run = Replay(
        windows,
        rules,
        every=every,
        until=None,
        horizon=horizon,
        on_alert=history.record,
        on_rejected=lambda rejected: None,
        refit_every=refit_every,
    )
    return _run(run, sources, history, keep_cases=keep_cases)


def _run(
    run: Replay,
    sources: Iterable[tuple[str, Iterable[tuple[int, SourceItem]]]],
    history: History,
    *,
    keep_cases: bool,
) -> Iterator[int | History]:
    for name, items in sources:
        yield from run.feed(name, items)
    run.finish()
    history.messages = run.summary.messages
    history.n_pairs = _n_reported(run.detector)
    if keep_cases:
        history.cases = run.counted_cases()
    yield history


def replay_cases(
    cases: pl.DataFrame,
    windows: Iterable[WindowSpec],
    rules: RuleSet,
    *,
    every: int,
    refit_every: int | None = None,
) -> Iterator[int | History]:
    """Replay counted cases, such as those of a null; yield numbers of cases, then the history.

    Parameters
    ----------
    cases
        Columns of `schemas.delta.CASE_CHANGES`, as `History.cases` has them, sorted by day:
        follow-ups are collapsed into the first day of receipt.
    windows, rules, every, refit_every
        As in a replay.
    """
    history = History()
    run = Replay(
        windows,
        rules,
        every=every,
        until=None,
        horizon=date.max,
        on_alert=history.record,
        on_rejected=lambda rejected: None,
        refit_every=refit_every,
    )
    yield from run.feed_cases(cases)
    run.finish()
    history.messages = run.summary.messages
    history.n_pairs = _n_reported(run.detector)
    yield history


def _n_reported(detector: Detector) -> int:
    tally = Tally()
    for rows in detector.log.rows().iter_slices(_COUNTED_AT_ONCE):
        tally.fold(CountChanges.of(rows))
    return len(detector.levels.scored(tally.pairs.keys[tally.pairs.counts > 0]))


def compare(rules: History, against: History) -> BacktestResult:
    """Return the changes of alarms if `against` replaces `rules`."""
    ours, theirs = rules.first_alarm, against.first_alarm
    both = sorted(ours.keys() & theirs.keys())
    return BacktestResult(
        gained=sorted(theirs.keys() - ours.keys()),
        lost=sorted(ours.keys() - theirs.keys()),
        earlier=[signal for signal in both if theirs[signal] < ours[signal]],
        later=[signal for signal in both if theirs[signal] > ours[signal]],
        unchanged=sum(theirs[signal] == ours[signal] for signal in both),
    )
