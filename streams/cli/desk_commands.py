"""`tocsin desk`: replay files and open the reviewer's desk on this machine, without a broker."""

import secrets
import socket
import webbrowser
from collections.abc import Iterable
from contextlib import ExitStack, closing
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from schemas.alert import Alert
from schemas.errors import InputError
from schemas.notice import Notice
from streams.cli.kafka_commands import ConfigOption
from streams.cli.negative_controls import ControlsOption
from streams.cli.options import (
    DetectorChoice,
    ListOption,
    RulesOption,
    ScreeningOption,
    detector_from,
    parse_day,
    tomorrow,
)
from streams.cli.replay_commands import Format, feed_sources
from streams.cli.stopping import StopSignal
from streams.cli.verdict import RunVerdict
from streams.console.application import desk_application, with_desk
from streams.console.desk import Desk, Intake
from streams.console.suppressed_changes import SuppressedChanges
from streams.core.counting.case_history import CaseHistory
from streams.core.counting.windows import WindowSpec
from streams.core.explanation.explanation import ExplainedRun
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.api.application import make_application
from streams.delivery.api.service import FileNotices, Service
from streams.delivery.server.http_server import http_server
from streams.intake.notices import read_notices
from streams.runtime.detector_settings import DetectorSettings
from streams.runtime.embedded.replay import Replay
from streams.runtime.operations.audit_log import AuditLog
from streams.runtime.owner_only import owner_only_folder

__all__ = ["register"]

_EPOCH = date(1970, 1, 1)
REPORTS = "pv.reports[0]"  # the partition that alerts of a replay say they are counted from


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("desk")(desk_command)


def desk_command(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...", help="Files to replay, of any format that replay reads."
        ),
    ],
    source_format: Annotated[
        Format | None,
        typer.Option("--format", help="Format of the files; by default detected from the content."),
    ] = None,
    notices: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Notices as JSON Lines: rumours, denials, usage; never counted. May be repeated.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Leave out reports received after this day.")
    ] = None,
    folder: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Where decisions, sign-offs and views are kept."),
    ] = Path("tocsin-desk"),
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", help="Port; 0 chooses a free one.")
    ] = 8765,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not open a browser; print the address alone.")
    ] = False,
    rules: RulesOption = None,
    screening: ScreeningOption = None,
    lists: ListOption = None,
    negative_controls: ControlsOption = None,
    config: ConfigOption = None,
) -> None:
    """Replay files, then show their signals on pages of this machine. Needs no broker.

    The pages answer on loopback alone, until Ctrl-C. Decisions are logged in FOLDER/audit.jsonl, as
    by `tocsin audit`.

        tocsin desk 1998VAERSData.zip 1999VAERSData.zip
    """
    settings = DetectorSettings.load(
        config, rules=rules, screening=screening, lists=lists, negative_controls=negative_controls
    )
    owner_only_folder(folder)
    last = parse_day(until, "--until")
    with ExitStack() as opened:
        # The port first: a replay takes minutes, and an address in use would waste them.
        listening = opened.enter_context(closing(_listening(port)))
        service = _service(folder)
        intake = Intake(sources=tuple(path.name for path in sources), replayed=True)
        suppressed = SuppressedChanges()
        chosen = detector_from(settings)
        history = CaseHistory(chosen.options["age_bands"])
        run, alerts = _replayed(
            service,
            intake,
            history,
            suppressed,
            sources,
            source_format,
            notices or [],
            chosen,
            last,
        )
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        desk = Desk(
            service=service,
            intake=intake,
            readers_path=folder / "readers.db",
            history=history,
            test_by_sex=run.detector.tests.by_sex,
            suppressed=suppressed,
            explained=lambda: _explained(run, alerts),
            hosts=frozenset({address, address.replace("127.0.0.1", "localhost")}),
        )
        server = http_server(with_desk(make_application(service), desk_application(desk)))
        opened.enter_context(closing(StopSignal()))  # uvicorn raises its signal again when it exits
        typer.echo(f"http://{address}/")
        if not no_open:
            webbrowser.open(f"http://{address}/")
        server.run(sockets=[listening])


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        msg = f"desk: --port {port}: must be free; got {error.strerror}. 0 chooses a free one"
        raise InputError(msg) from error


def _service(folder: Path) -> Service:
    """Return the service of a folder; what was derived from an earlier replay is removed."""
    model = folder / "signals.db"
    for path in (model, model.with_name("signals.db-wal"), model.with_name("signals.db-shm")):
        path.unlink(missing_ok=True)
    return Service(
        outbox_path=folder / "outbox.db",
        model_path=model,
        key=secrets.token_bytes(32),
        audit=AuditLog(folder / "audit.jsonl"),
        notices=FileNotices(folder / "notices.jsonl"),
    )


def _replayed(
    service: Service,
    intake: Intake,
    history: CaseHistory,
    suppressed: SuppressedChanges,
    sources: list[Path],
    source_format: Format | None,
    notices: Iterable[Path],
    chosen: DetectorChoice,
    until: date | None,
) -> tuple[Replay, list[AnyAlert]]:
    """Replay files into the read model of a service; return the run and its alerts."""
    published: list[AnyAlert] = []
    verdict = RunVerdict("desk")
    found = [item for path in notices for item in read_notices(path)]
    with service.model() as model, model.batch():

        def publish(alert: AnyAlert) -> None:
            published.append(alert)
            suppressed.published(alert.signal_key)
            model.put(alert, source="alerts", position=len(published))

        run = Replay(
            [WindowSpec.parse("cumulative")],
            chosen.rules,
            **chosen.options,
            every=1,
            until=until,
            horizon=tomorrow(),
            on_alert=publish,
            on_safety_alert=publish,
            on_rejected=verdict.reject,
            on_report=lambda offset, report: model.put_report(
                report, source=REPORTS, position=offset
            ),
            on_delta=history.apply,
            on_suppressed=suppressed.add,
            notices=[notice for notice in found if isinstance(notice, Notice)],
        )
        feed_sources(run, sources, source_format, None, verdict)
        run.finish()
    verdict.require_accepted()
    for line in verdict.remarks():
        typer.echo(line, err=True)
    intake.closed = run.last_day
    intake.n_counted = run.summary.population["counted"]
    intake.n_rejected = run.summary.rejected.total()
    return run, published


def _explained(run: Replay, published: Iterable[AnyAlert]) -> ExplainedRun:
    (window,) = run.detector.windows
    (tally,) = window.tallies.values()
    last_day = run.last_day or _EPOCH
    return ExplainedRun(
        view=run.detector.view(),
        tally=tally,
        scorer=run.detector.scorer,
        last_day=(last_day - _EPOCH).days,
        alerts=[alert for alert in published if isinstance(alert, Alert)],
    )
