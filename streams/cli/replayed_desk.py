"""The desk of replayed files: what a replay leaves for its pages."""

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import typer

from schemas.alert import Alert
from schemas.delta import Delta
from schemas.notice import Notice
from schemas.rejected import Rejected
from schemas.report import Report
from streams.cli.options import DetectorChoice, tomorrow
from streams.cli.replay_commands import Format, feed_sources
from streams.cli.verdict import RunVerdict
from streams.console.desk import Desk, Intake
from streams.console.operations.rejects import KeptRejects
from streams.console.suppressed_changes import SuppressedChanges
from streams.core.alerts.negative_controls import NegativeControls
from streams.core.counting.case_history import CaseHistory
from streams.core.counting.windows import WindowSpec
from streams.core.explanation.explanation import ExplainedRun
from streams.core.safety.safety_record import SafetyRecord
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.api.read_model import ReadModel
from streams.delivery.api.service import FileNotices, RecordedNotices, Service
from streams.delivery.sending.signing_keys import TIER_KEY, installation_key
from streams.demo import background, story
from streams.intake.notices import read_notices
from streams.runtime.embedded.replay import Replay
from streams.runtime.operations.audit_log import AuditLog
from streams.runtime.owner_only import owner_only_folder

__all__ = ["ReplayedDesk"]

_EPOCH = date(1970, 1, 1)
_STATEMENTS = "notices.jsonl"  # file of statements that readers add, in the folder
_STORY = "the story of tocsin demo"
_REPORTS = "pv.reports[0]"  # the partition that alerts of a replay say they are counted from


class ReplayedDesk:
    """A desk in a folder, filled by a replay.

    Parameters
    ----------
    folder
        Where decisions, sign-offs and views are kept; what an earlier replay derived is removed.
    chosen
        Rules and options of the detector.
    until
        Last day of receipt.
    hosts
        Values of `Host` that are answered.
    """

    def __init__(
        self, folder: Path, chosen: DetectorChoice, *, until: date | None, hosts: frozenset[str]
    ) -> None:
        owner_only_folder(folder)
        self._chosen, self._until = chosen, until
        self._published: list[AnyAlert] = []
        self._verdict = RunVerdict("desk")
        self._run: Replay | None = None
        self._history = CaseHistory(chosen.options["age_bands"])
        self._suppressed = SuppressedChanges()
        self._safety = SafetyRecord()
        self._stated = folder / _STATEMENTS
        self._rejects = KeptRejects()
        self.desk = Desk(
            service=_service(folder, self._safety),
            intake=Intake(replayed=True),
            readers_path=folder / "readers.db",
            visits_path=folder / "visits.db",
            keeps_key=TIER_KEY in os.environ,
            history=self._history,
            suppressed=self._suppressed,
            rejects=self._rejects,
            explained=self._explained,
            safety=self._safety,
            hosts=hosts,
        )

    def replay(
        self, sources: Sequence[Path], source_format: Format | None, notices: Iterable[Path]
    ) -> None:
        """Replay files into the desk.

        Raises
        ------
        InputError
            If a file cannot be read, or no message of any is accepted.
        """
        found = [item for path in notices for item in read_notices(path)]
        with self._running([item for item in found if isinstance(item, Notice)]) as run:
            feed_sources(run, sources, source_format, None, self._verdict)
        self._verdict.require_accepted()
        for line in self._verdict.remarks():
            typer.echo(line, err=True)
        self.desk.intake.sources = tuple(path.name for path in sources)

    def replay_story(self) -> None:
        """Replay the story of `tocsin demo`: its reports and its notices."""
        items = [entry.item for entry in story()]
        reports = [*background(), *(item for item in items if isinstance(item, Report))]
        with self._running([item for item in items if isinstance(item, Notice)]) as run:
            for _ in run.feed(_STORY, enumerate(reports, start=1)):
                pass
        self.desk.intake.sources = (_STORY,)

    @contextmanager
    def _running(self, notices: Sequence[Notice]) -> Iterator[Replay]:
        """Yield a replay that fills the desk, and finish it after the body."""
        stated = read_notices(self._stated) if self._stated.exists() else ()
        known = [*notices, *(item for item in stated if isinstance(item, Notice))]
        for notice in known:
            if self._until is None or notice.received <= self._until:
                self._safety.add_notice(notice)
        with self.desk.service.model() as model, model.batch():
            run = self._replay(model, known)
            yield run
            run.finish()
        intake = self.desk.intake
        intake.closed = run.last_day
        intake.n_counted = run.summary.population["counted"]
        intake.n_rejected = run.summary.rejected.total()
        intake.n_messages = run.summary.messages
        intake.rules = self._chosen.rules
        controls: NegativeControls | None = self._chosen.options["controls"]
        intake.controls = None if controls is None else controls.pairs
        self.desk = replace(self.desk, test_by_sex=run.detector.tests.by_sex)

    def _replay(self, model: ReadModel, notices: Sequence[Notice]) -> Replay:
        def publish(alert: AnyAlert) -> None:
            self._published.append(alert)
            self._suppressed.published(alert.signal_key)
            model.put(alert, source="alerts", position=len(self._published))

        def keep(offset: int, report: Report) -> None:
            model.put_report(report, source=_REPORTS, position=offset)
            self._safety.add_report(report)

        def count(delta: Delta) -> None:
            self._history.apply(delta)
            self._safety.apply(delta)

        def reject(rejected: Rejected) -> None:
            self._verdict.reject(rejected)
            self._rejects.add(rejected)

        self._run = Replay(
            [WindowSpec.parse("cumulative")],
            self._chosen.rules,
            **self._chosen.options,
            every=1,
            until=self._until,
            horizon=tomorrow(),
            on_alert=publish,
            on_safety_alert=publish,
            on_suppressed=self._suppressed.add,
            on_rejected=reject,
            on_report=keep,
            on_delta=count,
            notices=notices,
        )
        return self._run

    def _explained(self) -> ExplainedRun:
        run = self._run
        assert run is not None
        (window,) = run.detector.windows
        (tally,) = window.tallies.values()
        return ExplainedRun(
            view=run.detector.view(),
            tally=tally,
            scorer=run.detector.scorer,
            last_day=((run.last_day or _EPOCH) - _EPOCH).days,
            alerts=[alert for alert in self._published if isinstance(alert, Alert)],
        )


def _service(folder: Path, safety: SafetyRecord) -> Service:
    """Return the service of a folder; what was derived from an earlier replay is removed."""
    model = folder / "signals.db"
    for path in (model, model.with_name("signals.db-wal"), model.with_name("signals.db-shm")):
        path.unlink(missing_ok=True)
    return Service(
        outbox_path=folder / "outbox.db",
        model_path=model,
        key=installation_key() if TIER_KEY in os.environ else secrets.token_bytes(32),
        audit=AuditLog(folder / "audit.jsonl"),
        notices=RecordedNotices(FileNotices(folder / _STATEMENTS), safety),
    )
