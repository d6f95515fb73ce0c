"""`tocsin top`: the worklist, signals in the order of today's priority."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from schemas.alert import Alert, SignalGrade
from schemas.decision import Assessment
from schemas.errors import BrokerError, InputError
from schemas.priority import Priority
from streams.cli.delivery_commands import open_tail
from streams.cli.export_commands import AuditOption
from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.live_worklist import Arrived, follow_alerts
from streams.cli.options import (
    ListOption,
    RulesOption,
    ScreeningOption,
    detector_from,
    parse_day,
)
from streams.cli.printable import printable
from streams.cli.progress import row_progress
from streams.cli.replay_commands import Format, replayed_daily
from streams.cli.tables import due_in_words
from streams.cli.terminal import Console
from streams.core.alerts.assessment import assessed
from streams.core.alerts.undecided import RevisionDays
from streams.delivery.alert_sources import AnyAlert, read_alert_lines
from streams.delivery.worklist import RankedSignal, latest_revisions, worklist
from streams.runtime.broker.topic_reader import read_alerts
from streams.runtime.detector_settings import DetectorSettings
from streams.runtime.operations.audit_log import AuditLog
from streams.runtime.settings import Settings

__all__ = ["register"]

_DEFAULT_LIMIT = 20


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("top")(top)


def top(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Files to replay: native JSON Lines, VAERS yearly zips, FAERS quarterly zips.",
        ),
    ] = None,
    alerts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", help="Alerts as JSON Lines, of an earlier run, and no replay."
        ),
    ] = None,
    source_format: Annotated[
        Format | None,
        typer.Option("--format", help="Format of the files; by default detected from the content."),
    ] = None,
    rules: RulesOption = None,
    screening: ScreeningOption = None,
    lists: ListOption = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Leave out reports, or alerts, after this day."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="Most signals to print.")
    ] = _DEFAULT_LIMIT,
    grade: Annotated[
        SignalGrade | None, typer.Option(help="Only signals of this grade, alarm or screening.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON Lines instead of a table.")
    ] = False,
    live: Annotated[
        bool,
        typer.Option("--live", help="Draw the list again as alerts arrive, until Ctrl-C."),
    ] = False,
    audit: AuditOption = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Print the worklist: the signals to assess first, with the parts of their priority.

    It has the signals that are on and have a case of the last 90 days. Given sources, it is of the
    last evaluated day of their replay; given alerts, of their last day; otherwise it is read from
    the topic and of today. A replay evaluates every day, in the cumulative window.

        tocsin top 1990VAERSData.zip --limit 5
    """
    last = parse_day(until, "--until")
    if live:
        if sources or last is not None or as_json:
            msg = "top: --live must be of the topic or of --alerts; got sources, --until or --json"
            raise InputError(msg)
        _follow(config, bootstrap, alerts, partial(_current, limit, grade, audit, alerts is None))
        return
    if sources and alerts is not None:
        msg = "top: sources or --alerts must be given, not both; got both"
        raise InputError(msg)
    found: Sequence[AnyAlert]
    if sources:
        settings = DetectorSettings.load(config, rules=rules, screening=screening, lists=lists)
        run, found = replayed_daily("top", sources, source_format, detector_from(settings), last)
        day = run.last_day or date.min
    elif alerts is not None:
        found = [alert for _, alert in read_alert_lines(alerts)]
        day = max((alert.evaluated_on for alert in found), default=date.min)
    else:
        found, day = _of_topic(config, bootstrap), datetime.now(UTC).date()
    if last is not None:
        found, day = [alert for alert in found if alert.evaluated_on <= last], min(day, last)
    signals = [alert for alert in found if isinstance(alert, Alert)]
    listed = worklist(latest_revisions(signals), day, grade=grade)
    shown = _assessed(listed[:limit], found, audit, day)
    if as_json:
        for one, assessment in shown:
            typer.echo(_json_line(one, assessment, day))
    else:
        Console().print(_table(shown, len(listed), day))


def _follow(
    config: Path | None,
    bootstrap: str | None,
    alerts: Path | None,
    drawn: Callable[[Arrived], Table],
) -> None:
    settings = Settings.load(config, bootstrap=bootstrap)
    with closing(open_tail(settings, alerts, lambda source: 0)) as tail:
        follow_alerts(tail, drawn)


def _current(
    limit: int, grade: SignalGrade | None, audit: Path | None, now: bool, arrived: Arrived
) -> Table:
    """Return the table of what has arrived: of today, or of the last day of a file."""
    day = datetime.now(UTC).date() if now else arrived.last_day
    listed = worklist(arrived.latest, day, grade=grade)
    return _table(_assessed(listed[:limit], arrived.alerts, audit, day), len(listed), day)


def _of_topic(config: Path | None, bootstrap: str | None) -> list[AnyAlert]:
    settings = Settings.load(config, bootstrap=bootstrap)
    try:
        with row_progress("alerts") as alerts:
            return list(
                read_alerts(settings, follow=False, stopped=lambda: False, on_poll=alerts.poll)
            )
    except BrokerError as error:
        msg = f"{error}. Or give the files to replay, or the alerts of a replay with --alerts"
        raise BrokerError(msg) from error


def _assessed(
    listed: Sequence[RankedSignal], alerts: Iterable[AnyAlert], audit: Path | None, day: date
) -> list[tuple[RankedSignal, Assessment]]:
    """Return signals with their assessment on a day, which says when each is due."""
    log = {} if audit is None else AuditLog(audit).assessments()
    history = RevisionDays()
    for alert in alerts:
        history.add(alert)
    shown = []
    for one in listed:
        assessment = assessed(one.alert, log, history.of, today=day).assessment
        assert assessment is not None
        shown.append((one, assessment))
    return shown


def _json_line(one: RankedSignal, assessment: Assessment, day: date) -> str:
    alert = one.alert
    content = {
        "day": day,
        "rank": one.rank,
        "signal_key": alert.signal_key,
        "alert_id": alert.alert_id,
        "grade": alert.grade,
        "priority": one.priority.model_dump(),
        "headline": alert.headline,
        "n_observed": alert.counts.n_observed,
        "expected": alert.statistics.expected,
        "expected_adjusted": alert.statistics.expected_adjusted,
        "last_received": alert.last_received,
        "evaluated_on": alert.evaluated_on,
        "state": assessment.state,
        "due": assessment.due,
        "overdue": assessment.overdue,
    }
    return json.dumps(content, ensure_ascii=False, default=str)


def _table(shown: Sequence[tuple[RankedSignal, Assessment]], number: int, day: date) -> Table:
    """Return a table that fits a terminal of 80 columns: headlines wrap, numbers never do."""
    title = f"{len(shown):,} of {number:,} signals on {day}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("priority", no_wrap=True)
    table.add_column("signal [dim]and factors of the priority[/]", ratio=1, overflow="fold")
    table.add_column("cases", no_wrap=True)
    table.add_column("due", no_wrap=True)
    for one, assessment in shown:
        alert, priority = one.alert, one.priority
        n, numbers = alert.counts.n_observed, alert.statistics
        due = due_in_words(assessment)
        table.add_row(
            str(one.rank),
            f"{priority.total:.3f}\n{priority.level}",
            f"{escape(printable(alert.headline or alert.sentence))}\n[dim]{_factors(priority)}[/]",
            f"{n}\n[dim]{_expected(numbers.expected)} expected\n"
            f"{_expected(numbers.expected_adjusted)} in strata[/]",
            due.replace("overdue since ", "[bold red]overdue[/]\n"),
        )
    table.caption = "expected: if unrelated, and within calendar quarter, age band and sex"
    table.caption_justify = "left"
    return table


def _factors(priority: Priority) -> str:
    """Return the factors of the parts that are stated."""
    parts, factors = priority.parts, priority.factors or {}
    return " x ".join(
        f"{name} {factor:.2f}" for name, factor in factors.items() if parts[name] is not None
    )


def _expected(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
