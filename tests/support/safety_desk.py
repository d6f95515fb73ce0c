"""The story of the demo, replayed once a process, and desks whose pages show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from starlette.testclient import TestClient

from detectors.rules import load_rules
from schemas.alert import Alert
from schemas.delta import Delta
from schemas.notice import Notice
from schemas.report import Report
from schemas.subscription import Tier
from streams.console.application import desk_application
from streams.console.desk import Desk, Intake
from streams.core.counting.windows import WindowSpec
from streams.core.explanation.explanation import ExplainedRun
from streams.core.safety.safety_record import SafetyRecord
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.api.service import FileNotices, RecordedNotices, Service
from streams.demo.scenario import background
from streams.runtime.embedded.replay import Replay
from streams.runtime.operations.audit_log import AuditLog
from tests.support.replays import founding_case

__all__ = ["CLOCK", "StoryDesk", "desk_of_story", "recorded", "story"]

CLOCK = datetime(2024, 6, 10, 12, tzinfo=UTC)
_EPOCH = date(1970, 1, 1)
_EVERY = 20  # of the background's reports one is taken


@dataclass(frozen=True)
class Story:
    """What a replay of the story published and counted."""

    run: Replay
    published: Sequence[AnyAlert]
    notices: Sequence[Notice]
    deltas: Sequence[Delta]
    reports: Sequence[Report]


@lru_cache(maxsize=2)
def story(*, with_background: bool = False) -> Story:
    """Replay the story, by itself or after a share of the background's reports."""
    reports, notices = founding_case()
    earlier = list(background())[::_EVERY] if with_background else []
    published: list[AnyAlert] = []
    deltas: list[Delta] = []
    kept: list[Report] = []
    run = Replay(
        [WindowSpec.parse("cumulative")],
        load_rules(("mhra", "ema", "ic")),
        every=1,
        until=None,
        horizon=date(2030, 1, 1),
        on_alert=published.append,
        on_safety_alert=published.append,
        on_rejected=lambda rejected: None,
        on_report=lambda offset, report: kept.append(report),
        on_delta=deltas.append,
        notices=notices,
    )
    for _ in run.feed("story", enumerate([*earlier, *reports], start=1)):
        pass
    run.finish()
    return Story(run, published, notices, deltas, kept)


def recorded(*, with_background: bool = False) -> SafetyRecord:
    """Return a record of the story, new, so that a test may add to it."""
    replayed = story(with_background=with_background)
    record = SafetyRecord()
    for notice in replayed.notices:
        record.add_notice(notice)
    for report in replayed.reports:
        record.add_report(report)
    for delta in replayed.deltas:
        record.apply(delta)
    return record


@dataclass(frozen=True)
class StoryDesk:
    """A desk of the story and a browser without scripts that reads its pages."""

    desk: Desk
    client: TestClient

    def page(self, path: str, status: int = 200) -> str:
        """Return the text of a page."""
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text[:2000]
        return answer.text


def desk_of_story(
    folder: Path, *, tier: Tier = Tier.AUTHORITY, with_background: bool = False
) -> StoryDesk:
    """Return a desk that replayed the story, at a tier."""
    replayed = story(with_background=with_background)
    record = recorded(with_background=with_background)
    service = Service(
        outbox_path=folder / "outbox.db",
        model_path=folder / "signals.db",
        key=b"an installation's secret",
        audit=AuditLog(folder / "audit.jsonl"),
        notices=RecordedNotices(FileNotices(folder / "notices.jsonl"), record),
        now=lambda: CLOCK,
    )
    with service.model() as model, model.batch():
        for position, alert in enumerate(replayed.published):
            model.put(alert, source="alerts", position=position)
        for position, report in enumerate(replayed.reports):
            model.put_report(report, source="pv.reports[0]", position=position)
    desk = Desk(
        service=service,
        intake=Intake(("story",), replayed=True, closed=replayed.run.last_day),
        readers_path=folder / "readers.db",
        tier=tier,
        explained=lambda: _explained(replayed),
        safety=record,
        hosts=frozenset({"desk"}),
    )
    client = TestClient(desk_application(desk), base_url="http://desk", follow_redirects=False)
    return StoryDesk(desk, client)


def _explained(replayed: Story) -> ExplainedRun:
    (window,) = replayed.run.detector.windows
    (tally,) = window.tallies.values()
    return ExplainedRun(
        view=replayed.run.detector.view(),
        tally=tally,
        scorer=replayed.run.detector.scorer,
        last_day=((replayed.run.last_day or _EPOCH) - _EPOCH).days,
        alerts=[alert for alert in replayed.published if isinstance(alert, Alert)],
    )
