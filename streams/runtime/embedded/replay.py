"""Replay of files: the same stages in one process, without a broker.

A replay evaluates when event time passes a boundary, not when a batch happens to end, so that the
same input gives the same alerts to the byte. It links exact duplicates before it counts.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from detectors.gamma_mixture import GammaMixture
from detectors.rules import RuleSet
from schemas.alert import Alert, SignalGrade
from schemas.delta import Delta
from schemas.notice import Notice
from schemas.prior import PriorRefit
from schemas.rejected import Rejected
from schemas.release import ReleaseMarker
from schemas.report import Report
from schemas.safety_alert import SafetyAlert
from schemas.suppressed import Suppressed
from schemas.watch_item import WatchItem
from streams.core.alerts.negative_controls import NegativeControls
from streams.core.cases.strata import AgeBands
from streams.core.cases.transitions import CaseVersion, advance
from streams.core.cases.versions import RELEASE
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.duplicates.identifiers import CaseIdentifiers
from streams.core.duplicates.inline import InlineLinks
from streams.core.duplicates.known_cases import KnownCase
from streams.core.signals.realert_policy import AlertPolicy
from streams.intake.bounded import next_items
from streams.intake.files import SourceItem
from streams.runtime.embedded.case_stage import CaseStage, read_batch
from streams.runtime.state.case_store import MemoryStore

__all__ = ["Replay", "ReplaySummary"]

_EPOCH = date(1970, 1, 1)
_CHUNK = 30_000  # messages; larger chunks are no faster, smaller ones cost polars calls


@dataclass
class ReplaySummary:
    """Totals of a replay, for the table at its end."""

    messages: int = 0
    after_until: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)  # rows of the sources, by kind
    unmapped: Counter[str] = field(default_factory=Counter)  # values without a place in a report
    tally: Counter[str] = field(default_factory=Counter)
    population: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    alarms: int = 0  # times that a signal became an alarm, new ones included
    safety_alerts: Counter[str] = field(default_factory=Counter)
    evaluations: int = 0
    refused_identifiers: int = 0  # shared by too many cases


class Replay:
    """A run over files, from the first report to the last evaluation.

    Parameters
    ----------
    windows, rules
        Windows and rules of the detector.
    every
        Days between evaluations, on boundaries counted from 1970-01-01.
    until
        Last day of receipt; later reports are ignored, as if not sent yet.
    horizon
        Latest plausible day of receipt; see `read_batch`.
    notices
        Notices; each is received on its day.
    on_alert, on_safety_alert, on_rejected, on_refit, on_suppressed, on_watch_item
        Called for each, in order; for a case to watch, once.
    on_report, on_delta
        Called for each report that is counted, with its offset, and for each change of the counts,
        in order, before the evaluation that knows it.
    policy, prior, adjusted_prior, refit_every, age_bands, test_by_sex, controls
        As in `streams.core.detection.detector.Detector`.
    """

    def __init__(
        self,
        windows: Iterable[WindowSpec],
        rules: RuleSet,
        *,
        every: int,
        until: date | None,
        horizon: date,
        on_alert: Callable[[Alert], None],
        on_rejected: Callable[[Rejected], None],
        policy: AlertPolicy | None = None,
        prior: GammaMixture | None = None,
        adjusted_prior: GammaMixture | None = None,
        refit_every: int | None = None,
        age_bands: AgeBands | None = None,
        test_by_sex: bool = False,
        controls: NegativeControls | None = None,
        on_refit: Callable[[PriorRefit], None] = lambda refit: None,
        on_suppressed: Callable[[Suppressed], None] | None = None,
        notices: Iterable[Notice] = (),
        on_safety_alert: Callable[[SafetyAlert], None] = lambda alert: None,
        on_watch_item: Callable[[WatchItem], None] | None = None,
        on_report: Callable[[int, Report], None] | None = None,
        on_delta: Callable[[Delta], None] = lambda delta: None,
    ) -> None:
        self.detector = Detector(
            windows,
            rules,
            policy=policy,
            prior=prior,
            adjusted_prior=adjusted_prior,
            refit_every=refit_every,
            age_bands=age_bands,
            test_by_sex=test_by_sex,
            controls=controls,
        )
        self.summary = ReplaySummary()
        self._store = MemoryStore()
        self._stage = CaseStage(self._store, partition=0, keep_outbox=False)
        self._links = InlineLinks(self._store.get)
        self._every = every
        self._until = None if until is None else (until - _EPOCH).days
        self._horizon = horizon
        self._on_alert = on_alert
        self._on_rejected = on_rejected
        self._on_refit = on_refit
        self._on_suppressed = on_suppressed
        self._on_safety_alert = on_safety_alert
        self._on_watch_item = on_watch_item
        self._on_report = on_report
        self._on_delta = on_delta
        self._listed: set[str] = set()  # cases whose watch item was published
        self._last_notice: date | None = None
        for notice in notices:
            if until is None or notice.received <= until:
                self.detector.safety.apply_notice(notice)
                self._last_notice = max(notice.received, self._last_notice or date.min)
        self._offset = 0  # of the next message in the log
        self._counted = 0  # next offset to count
        self._clock: int | None = None  # latest day of receipt so far
        self._longest = max((window.spec.days or 0 for window in self.detector.windows), default=0)

    def feed(self, source: str, items: Iterable[tuple[int, SourceItem]]) -> Iterator[int]:
        """Run the items of a source through both stages; yield their number at each evaluation."""
        remaining = iter(items)
        while (yield from self._feed_chunk(source, next_items(remaining, _CHUNK))):
            pass

    def feed_cases(self, cases: pl.DataFrame) -> Iterator[int]:
        """Run counted cases through the detector stage alone; yield the number of each day.

        Parameters
        ----------
        cases
            Columns of `schemas.delta.CASE_CHANGES`; each case once, sorted by day.
        """
        for (first,), rows in cases.group_by("day", maintain_order=True):
            day = (first - _EPOCH).days
            if self._clock is not None and day // self._every > self._clock // self._every:
                self._close_until(day)
            self._clock = day
            self._offset += rows.height
            self.summary.messages += rows.height
            self.detector.apply(Delta(0, self._counted, self._offset, day, rows))
            self._counted = self._offset
            yield rows.height

    def counted_cases(self) -> pl.DataFrame:
        """Return the counted cases in their latest form, sorted by day and case.

        Columns of `schemas.delta.CASE_CHANGES`, as of the reports fed so far.
        """
        return advance(self._store.versions(), {}).changes.sort("day", "case_id")

    def finish(self) -> None:
        """Evaluate on the last day reached, and on later days of notices."""
        if self._clock is not None:
            self._evaluate(self._clock)
        if self._last_notice is not None:
            self._evaluate_notices((self._last_notice - _EPOCH).days, every=1)

    def _feed_chunk(
        self, source: str, chunk: Iterable[tuple[int, SourceItem]]
    ) -> Generator[int, None, bool]:
        """Run the items of a chunk; yield as `feed` does, and return whether there were any."""
        first = counted = self._offset
        places: list[int] = []  # in the source, of each message
        unread: list[Rejected] = []
        identified: dict[int, CaseIdentifiers] = {}
        decoded: dict[int, Report] | None = None if self._on_report is None else {}
        # Item by item from file to version, so that a line is decoded while it is in the CPU cache.
        versions, rejected = read_batch(
            self._messages(chunk, places, unread),
            source=source,
            horizon=self._horizon,
            identified=identified,
            decoded=decoded,
        )
        for reject in unread:
            self._reject(reject)
        for reject in rejected:
            self._reject(reject.model_copy(update={"position": places[reject.position - first]}))
        self._offset += len(places)
        self.summary.messages += len(places)
        pending: list[CaseVersion] = []
        known: list[KnownCase] = []
        for offset, version in versions:
            if version.version == RELEASE:  # it moves no clock
                pending.append(version)
                continue
            day = version.latest_received
            if self._until is not None and day > self._until:
                self.summary.after_until += 1
                continue
            if self._clock is None:
                self._clock = day
            elif day > self._clock:
                if day // self._every > self._clock // self._every:
                    self._count(pending, known, offset)
                    pending, known = [], []
                    self._close_until(day)
                    if offset > counted:
                        yield offset - counted
                    counted = offset
                self._clock = day
            pending.append(version)
            if decoded is not None and self._on_report is not None and offset in decoded:
                self._on_report(offset, decoded.pop(offset))
            if offset in identified:
                known.append(KnownCase(version, identified[offset]))
        self._count(pending, known, self._offset)
        if number := self._offset - counted + len(unread):
            yield number
        return bool(places or unread)

    def _messages(
        self,
        chunk: Iterable[tuple[int, SourceItem]],
        places: list[int],
        unread: list[Rejected],
    ) -> Iterator[tuple[int, bytes | Report | ReleaseMarker, None, tuple[()]]]:
        """Yield the messages of a chunk for `read_batch`; append their places in the source."""
        offset = self._offset
        for place, item in chunk:
            # `bytes` first: `isinstance` of a pydantic model takes ten times as long.
            if isinstance(item, (bytes, Report, ReleaseMarker)):
                places.append(place)
                yield offset, item, None, ()
                offset += 1
            else:
                unread.append(item)

    def _count(self, versions: list[CaseVersion], known: list[KnownCase], next_offset: int) -> None:
        if next_offset == self._counted:
            return
        versions += self._links.links(versions, known)
        self.summary.refused_identifiers = self._links.refused
        counted = self._stage.count(versions, first_offset=self._counted, next_offset=next_offset)
        self._counted = next_offset
        self.summary.tally.update(counted.tally)
        self.summary.population.update(counted.population)
        self.detector.apply(counted.delta)
        self._on_delta(counted.delta)

    def _close_until(self, day: int) -> None:
        """Evaluate at the end of every interval that is over when a report of `day` arrives."""
        assert self._clock is not None
        first_end = (self._clock // self._every + 1) * self._every - 1
        last_end = day // self._every * self._every - 1
        # No reports arrived in between: later evaluations could only see moving windows empty.
        last_change = first_end
        if self._longest:
            last_change = min(last_end, self._clock + self._longest + self._every)
        for end in range(first_end, last_change + 1, self._every):
            self._evaluate(end)
        self._evaluate_notices(last_end, every=self._every)

    def _evaluate_notices(self, last: int, *, every: int) -> None:
        """Evaluate on days without reports on which a notice is received or a response overdue."""
        while (due := self.detector.safety.next_day) is not None:
            end = ((due - _EPOCH).days // every + 1) * every - 1
            if end > last:
                return
            self._evaluate(end)

    def _evaluate(self, day: int) -> None:
        self.summary.evaluations += 1
        for refit in self.detector.refit_if_due(day):
            self._on_refit(refit)
        for alert in self.detector.evaluate(day):
            self.summary.alerts[alert.kind.value] += 1
            was_alarm = alert.previous and alert.previous.grade is SignalGrade.ALARM
            if alert.grade is SignalGrade.ALARM and not was_alarm:
                self.summary.alarms += 1
            self._on_alert(alert)
        if self._on_suppressed is not None:
            for suppressed in self.detector.suppressions():
                self._on_suppressed(suppressed)
        for safety_alert in self.detector.safety_alerts(day):
            self.summary.safety_alerts[safety_alert.category.value] += 1
            self._on_safety_alert(safety_alert)
        if self._on_watch_item is not None:
            for item in self.detector.safety.items(_EPOCH + timedelta(days=day)):
                if item.case_id not in self._listed:
                    self._listed.add(item.case_id)
                    self._on_watch_item(item)

    def _reject(self, rejected: Rejected) -> None:
        self.summary.rejected[rejected.source] += 1
        self._on_rejected(rejected)

    @property
    def last_day(self) -> date | None:
        """Return the latest day of receipt so far."""
        return None if self._clock is None else _EPOCH + timedelta(days=self._clock)
