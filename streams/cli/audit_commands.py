"""`tocsin signals` and `tocsin audit`: decisions about signals, and their audit log."""

import re
from collections.abc import Iterable, Mapping, Set
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Column, Table

from schemas.alert import Alert
from schemas.decision import GENESIS, Assessment, Decision, SignalState
from schemas.errors import BrokerError, InputError, StateError
from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.tables import due_in_words
from streams.cli.terminal import Console
from streams.core.alerts.assessment import assessed, assessments_after
from streams.core.alerts.undecided import RevisionDays, signal_status
from streams.core.signals.signal_key import near_keys
from streams.delivery.alert_sources import AnyAlert, read_alert_lines
from streams.runtime.broker.topic_reader import read_alerts
from streams.runtime.broker.topics import topic_name
from streams.runtime.operations.audit_anchors import (
    hashes_in_export,
    keep_anchor,
    names_broker,
    read_anchors,
)
from streams.runtime.operations.audit_log import AuditLog, Verified
from streams.runtime.settings import Settings

__all__ = ["assessed_signals", "assessments_in", "register"]

SignalArgument = Annotated[
    str, typer.Argument(metavar="SIGNAL_KEY", help="Key of the signal, as in its alerts.")
]
LogOption = Annotated[
    Path, typer.Option("--log", metavar="FILE.jsonl", help="Audit log of decisions, as JSON Lines.")
]
_LOG = Path("audit.jsonl")
_HASH = re.compile(r"[0-9a-f]{64}")
_AFFIRMS = {SignalState.VALIDATED, SignalState.CONFIRMED}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    signals = typer.Typer(help="Record decisions about signals.", no_args_is_help=True)
    signals.command("decide")(decide)
    signals.command("list")(list_signals)
    app.add_typer(signals, name="signals")
    audit = typer.Typer(
        help="Verify, show and repair the audit log of decisions.", no_args_is_help=True
    )
    audit.command("verify")(verify)
    audit.command("show")(show)
    audit.command("repair")(repair)
    app.add_typer(audit, name="audit")


def assessments_in(log: Path) -> dict[str, Assessment]:
    """Return the current assessment of every signal, after verifying the log."""
    return assessments_after(AuditLog(log).verify().entries)


def decide(
    signal_key: SignalArgument,
    to: Annotated[SignalState, typer.Argument(metavar="STATE", help="The new assessment state.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="The person who decides.")],
    reason: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Reason; not required for under_triage, prioritised and under_assessment only.",
        ),
    ] = "",
    alert: Annotated[
        str | None,
        typer.Option(metavar="ALERT_ID", help="The alert revision that the decision is based on."),
    ] = None,
    alerts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Alerts as JSON Lines; by default those on the topic.",
        ),
    ] = None,
    superseded_by: Annotated[
        str | None, typer.Option(metavar="SIGNAL_KEY", help="The signal that replaces this one.")
    ] = None,
    assignee: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="New assignee; by default the assignee stays the same."),
    ] = None,
    log: LogOption = _LOG,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Move a signal to a new assessment state, and record who decided and why.

    The decision is based on a revision of the signal: the latest one, unless --alert names another.
    A key without an alert is refused. A signal that is in the log already needs no alerts, unless
    it is validated or confirmed: then its revision says whether a burst from one source produced
    it.
    """
    known = {entry.decision.signal_key for entry in AuditLog(log).entries()}
    needed = {signal_key, *([superseded_by] if superseded_by else ())}
    revision = None
    if alerts is not None or alert is not None or to in _AFFIRMS or not needed <= known:
        required = needed - known | ({signal_key} if alert or to in _AFFIRMS else set())
        revision = _revision(_source(alerts, config, bootstrap), signal_key, alert, required)
    try:
        decision = Decision(
            signal_key=signal_key,
            to=to,
            by=by,
            reason=reason,
            alert_id=None if revision is None else revision.alert_id,
            n_burst=_burst_of(revision),
            superseded_by=superseded_by,
            assignee=assignee,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"decision: {first['loc'][0]}: {first['msg']}"
        raise InputError(msg) from error
    settings = Settings.load(config, bootstrap=bootstrap)
    anchored = names_broker(settings) or (revision is not None and alerts is None)
    anchor = partial(keep_anchor, settings) if anchored else None
    entry = AuditLog(log, anchor).decide(decision, datetime.now(UTC))
    typer.echo(f"{entry.number}: {signal_key}: {entry.frm} -> {to}, {entry.hash}")


def _burst_of(revision: AnyAlert | None) -> int | None:
    burst = revision.burst if isinstance(revision, Alert) else None
    return None if burst is None else burst.n_cases


def _source(
    alerts: Path | None, config: Path | None, bootstrap: str | None
) -> tuple[str, Iterable[AnyAlert]]:
    """Return the alerts of a file, else of the topic, with the name of where they are."""
    if alerts is not None:
        return str(alerts), (alert for _, alert in read_alert_lines(alerts))
    settings = Settings.load(config, bootstrap=bootstrap)
    try:
        found = list(read_alerts(settings, follow=False, stopped=lambda: False))
    except BrokerError as error:
        msg = f"{error}. Or give the alerts of a replay, with --alerts FILE.jsonl"
        raise BrokerError(msg) from error
    return topic_name(settings, "alerts"), found


def _revision(
    source: tuple[str, Iterable[AnyAlert]],
    signal_key: str,
    alert_id: str | None,
    required: Set[str],
) -> AnyAlert | None:
    """Return the revision with an id, else the latest revision of the signal, if there is one.

    Parameters
    ----------
    required
        Keys that must be in the source.
    """
    where, alerts = source
    latest: dict[str, AnyAlert] = {}
    asked: AnyAlert | None = None
    for alert in alerts:
        before = latest.get(alert.signal_key)
        if before is None or alert.revision > before.revision:
            latest[alert.signal_key] = alert
        if (alert.signal_key, alert.alert_id) == (signal_key, alert_id):
            asked = alert
    for key in sorted(required):
        if key not in latest:
            near = near_keys(key, latest)
            hint = f"; near it: {', '.join(near)}" if near else ""
            msg = f"{where}: must hold an alert of {key}; got none{hint}"
            raise InputError(msg)
    if alert_id is None:
        return latest.get(signal_key)
    if asked is None:
        msg = f"{where}: must hold an alert of {signal_key} with the id {alert_id}; got none"
        raise InputError(msg)
    return asked


def list_signals(
    alerts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Alerts as JSON Lines: list each of their signals, with the day it is due.",
        ),
    ] = None,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only overdue signals; needs --alerts.")
    ] = False,
    log: LogOption = _LOG,
) -> None:
    """List the assessment state of every signal with a decision; with --alerts, of every signal.

    A signal is overdue if it was due before the last evaluated day of the alerts, and nobody has
    decided on it since.

        tocsin signals list --alerts alerts.jsonl --overdue
    """
    if alerts is None:
        if overdue:
            msg = "signals list: --overdue needs --alerts, the alerts of the signals"
            raise InputError(msg)
        table = Table("signal", "assessment state", "since", "by", "assignee")
        for key, assessment in sorted(assessments_in(log).items()):
            table.add_row(escape(key), *_steps_of(assessment))
    else:
        latest = assessed_signals(alerts, AuditLog(log).assessments())
        table = Table()
        table.add_column("signal", overflow="fold")  # whole, to be copied
        for name in ("signal status", "assessment state", "assignee"):
            table.add_column(name)
        table.add_column("due")
        for key, alert in sorted(latest.items()):
            of_signal = alert.assessment
            assert of_signal is not None
            if of_signal.overdue or not overdue:
                status, (state, *_, assignee) = signal_status(alert).value, _steps_of(of_signal)
                table.add_row(escape(key), status, state, assignee, due_in_words(of_signal))
    Console().print(table)


def assessed_signals(alerts: Path, assessments: Mapping[str, Assessment]) -> dict[str, AnyAlert]:
    """Return the latest alert of each signal of a file, assessed as of the last evaluated day."""
    history, latest, last = RevisionDays(), dict[str, AnyAlert](), date.min
    for _, alert in read_alert_lines(alerts):
        history.add(alert)
        last = max(last, alert.evaluated_on)
        before = latest.get(alert.signal_key)
        if before is None or alert.revision > before.revision:
            latest[alert.signal_key] = alert
    return {
        key: assessed(alert, assessments, history.of, today=last) for key, alert in latest.items()
    }


def _steps_of(assessment: Assessment) -> tuple[str, str, str, str]:
    """Return state, day and author of the last step, and assignee of a signal."""
    since = f"{assessment.since:%Y-%m-%d %H:%M}Z" if assessment.since else ""
    names = (assessment.decided_by or "", assessment.assignee or "")
    by, assignee = map(escape, names)
    return assessment.state.value, since, by, assignee


def show(signal_key: SignalArgument, log: LogOption = _LOG) -> None:
    """Show every decision about one signal."""
    steps = [e for e in AuditLog(log).verify().entries if e.decision.signal_key == signal_key]
    if not steps:
        msg = f"{log}: must hold the signal; got nothing decided of {signal_key!r}"
        raise InputError(msg)
    table = Table("no.", Column("at", no_wrap=True), "step", "by", "reason")
    for e in steps:
        step = f"{e.frm} -> {e.decision.to}"
        at = f"{e.at:%Y-%m-%d %H:%M}Z"
        table.add_row(str(e.number), at, step, escape(e.decision.by), escape(e.decision.reason))
    Console().print(table)


def verify(
    log: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="The audit log.")] = _LOG,
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            "--anchor",
            "--last-hash",
            metavar="HASH|FILE",
            help="A hash noted earlier, or an export that states one; the log must still contain "
            "it. May be repeated.",
        ),
    ] = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Verify the hash chain of the log, every transition, and the anchors kept outside it.

    No line may have been changed, removed or inserted. Otherwise the command exits with 2 and
    names the first line that does not match. If a broker is configured, every anchor on the topic
    of the audit log must be in the log as well.

        tocsin audit verify audit.jsonl --anchor ermr.xlsx --bootstrap kafka1:9092
    """
    known = AuditLog(log)
    verified = known.verify()
    for given in anchor or ():
        if _HASH.fullmatch(given):
            known.verify(given)
        else:
            _require_hashes(log, verified, Path(given))
    typer.echo(f"{log}: {len(verified.entries)} entries, whole; last hash {verified.last_hash}")
    if verified.torn:
        typer.echo(
            f"{log}: after them a torn line of {len(verified.torn)} bytes, no entry: "
            f"tocsin audit repair {log}"
        )
    settings = Settings.load(config, bootstrap=bootstrap)
    if names_broker(settings):
        topic = topic_name(settings, "audit")
        last = known.require_anchors(read_anchors(settings), topic)
        later = len(verified.entries) - last
        rest = f"; {later} later entries are not anchored" if later else ""
        typer.echo(f"{topic}: every anchor is in the log, the last of entry {last}{rest}")


def _require_hashes(log: Path, verified: Verified, export: Path) -> None:
    for number, digest in hashes_in_export(export):
        entries = verified.entries
        found = GENESIS if not number else entries[number - 1].hash if number <= len(entries) else 0
        if found != digest:
            msg = (
                f"{log}: entry {number} must have the hash {digest}, as {export} states; got "
                f"{found or 'no entry'}: the log was written anew or cut short. Restore it from a "
                "backup"
            )
            raise StateError(msg)


def repair(
    log: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="The audit log.")] = _LOG,
) -> None:
    """Remove a torn last line, left by an append that was cut off; keep its bytes in a file.

    A log that is changed anywhere else is refused, and stays as it is.
    """
    done = AuditLog(log).repair()
    if done is None:
        typer.echo(f"{log}: whole; nothing to repair")
    elif done.kept_in is None:
        typer.echo(f"{log}: {done.entries} entries; the last lacked only its newline, and has it")
    else:
        typer.echo(
            f"{log}: {done.entries} entries; a torn line of {done.n_bytes} bytes is now in "
            f"{done.kept_in}"
        )
