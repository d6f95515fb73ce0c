"""Compare two sets of rules on the same reports: alarms gained, lost, earlier, later."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from detectors.rules import RuleSet
from schemas.alert import Alert, AlertKind, SignalGrade
from schemas.normal_form import normal_drug, normal_term
from streams.core.counting.windows import WindowSpec
from streams.core.signals.signal_key import names_of_key
from streams.intake.files import SourceItem
from streams.runtime.embedded.replay import Replay

__all__ = ["BacktestResult", "History", "compare", "replay_history"]


@dataclass
class History:
    """Alerts of one set of rules: first days and last labels of signals, revisions by kind.

    A signal is drug, event and window, in normal forms: its labels may change from day to day.
    """

    first_alarm: dict[tuple[str, str, str], date] = field(default_factory=dict)
    first_alert: dict[tuple[str, str, str], date] = field(default_factory=dict)  # of either grade
    labels: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)
    revisions: Counter[str] = field(default_factory=Counter)
    messages: int = 0

    def record(self, alert: Alert) -> None:
        """Record the next alert."""
        self.revisions[alert.kind.value] += 1
        signal = (*names_of_key(alert.signal_key), alert.window.label)
        self.labels[signal] = alert.drug, alert.event
        if alert.kind is AlertKind.NEW:
            self.first_alert[signal] = alert.evaluated_on
        if alert.grade is SignalGrade.ALARM:
            self.first_alarm.setdefault(signal, alert.evaluated_on)

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
) -> Iterator[int | History]:
    """Replay sources under one set of rules; yield the number of items done, then the history.

    Invalid arguments raise at once, before the first source is read.
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
    return _run(run, sources, history)


def _run(
    run: Replay,
    sources: Iterable[tuple[str, Iterable[tuple[int, SourceItem]]]],
    history: History,
) -> Iterator[int | History]:
    for name, items in sources:
        yield from run.feed(name, items)
    run.finish()
    history.messages = run.summary.messages
    yield history


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
