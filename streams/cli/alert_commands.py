"""`tocsin alerts`: the alerts on Kafka, as a table, lines or JSON."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from schemas.rules_change import RulesChange
from schemas.safety_alert import SafetyAlert
from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.stopping import StopSignal
from streams.cli.tables import alert_table, priority_text
from streams.cli.terminal import Console
from streams.core.alerts.assessment import assessed
from streams.core.alerts.undecided import RevisionDays
from streams.core.wording.alert_texts import in_language
from streams.core.wording.catalogue import Language
from streams.runtime.broker.topic_reader import read_published
from streams.runtime.operations.audit_log import AuditLog
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert, Published

__all__ = ["alert_line", "register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("alerts")(alerts)


def alerts(
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep waiting for new alerts until interrupted.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON Lines instead of a table.")
    ] = False,
    audit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Audit log of decisions: alerts include the assessment of their signal, and since "
            "when it is overdue.",
        ),
    ] = None,
    language: Annotated[
        Language, typer.Option("--language", help="Language of the texts.")
    ] = Language.ENGLISH,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Print all alerts on the topic, safety alerts and changes of rules included, in order."""
    settings = Settings.load(config, bootstrap=bootstrap)
    stop = StopSignal()
    found = read_published(settings, follow=follow, stopped=stop.asked)
    if audit is not None:
        found = _assessed(found, AuditLog(audit))
    if language is not Language.ENGLISH:  # English is as it was published
        found = (
            each if isinstance(each, RulesChange) else in_language(each, language) for each in found
        )
    if as_json:
        for alert in found:
            typer.echo(alert.model_dump_json())
    elif follow:
        for alert in found:
            typer.echo(alert_line(alert))
    else:
        printed: list[AnyAlert] = []
        for alert in found:
            if isinstance(alert, RulesChange):
                typer.echo(alert_line(alert))
            else:
                printed.append(alert)
        Console().print(alert_table(printed, f"{len(printed):,} alert revisions"))


def _assessed(published: Iterable[Published], log: AuditLog) -> Iterator[Published]:
    """Yield alerts with the present assessment of their signals, as of today."""
    assessments, history = log.assessments(), RevisionDays()
    for alert in published:
        if isinstance(alert, RulesChange):
            yield alert
            continue
        history.add(alert)
        yield assessed(alert, assessments, history.of, today=datetime.now(UTC).date())


def alert_line(alert: Published) -> str:
    """Return an alert as one line: what happened, its sentence, key, revision, priority and id."""
    if isinstance(alert, RulesChange):
        return f"{alert.changed_on or 'at first'}  rules changed  {alert.sentence}"
    what = f"{alert.category}: " if isinstance(alert, SafetyAlert) else ""
    return (
        f"{alert.evaluated_on}  {alert.kind.value:<12}  {what}{alert.sentence}  "
        f"{alert.signal_key}  revision {alert.revision}  {priority_text(alert)}  {alert.alert_id}"
    )
