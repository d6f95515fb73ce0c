"""`tocsin signals` and `tocsin audit`: decisions about signals, and the log that holds them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.alert import Alert
from schemas.decision import Assessment, Decision, SignalState
from schemas.errors import InputError
from schemas.safety_alert import AlertCategory
from streams.core.alerts.assessment import assessments_after
from streams.delivery.alert_sources import AnyAlert, read_alert_lines
from streams.runtime.operations.audit_log import AuditLog

__all__ = ["register", "standing_in"]

LogOption = Annotated[Path, typer.Option("--log", help="The audit log, a file of JSON lines.")]
_LOG = Path("audit.jsonl")
_AFFIRMS = {SignalState.VALIDATED, SignalState.CONFIRMED}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    signals = typer.Typer(help="Decide about signals; see where they stand.", no_args_is_help=True)
    signals.command("decide")(decide)
    signals.command("list")(list_signals)
    app.add_typer(signals, name="signals")
    audit = typer.Typer(help="The log of every decision.", no_args_is_help=True)
    audit.command("verify")(verify)
    audit.command("show")(show)
    app.add_typer(audit, name="audit")


def standing_in(log: Path) -> dict[str, Assessment]:
    """Return where the assessment of every signal stands; it must be a log, and whole."""
    return assessments_after(AuditLog(log).verify().entries)


def decide(
    signal_key: Annotated[str, typer.Argument(help="As alerts have it.")],
    to: Annotated[SignalState, typer.Argument(help="The state it goes to.")],
    by: Annotated[str, typer.Option(help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Why; some steps must say.")] = "",
    alert: Annotated[
        str | None, typer.Option(help="alert_id of the revision it is decided on.")
    ] = None,
    alerts: Annotated[
        Path | None,
        typer.Option(
            help="Alerts, a JSON object a line; to validate or confirm is decided on one."
        ),
    ] = None,
    superseded_by: Annotated[
        str | None, typer.Option(help="Key of the signal that takes its place.")
    ] = None,
    assignee: Annotated[
        str | None, typer.Option(help="Who takes care of it from now on; else whoever did.")
    ] = None,
    log: LogOption = _LOG,
) -> None:
    """Take a signal one step further, and log who did and why.

    To validate or confirm a signal of disproportionate reporting, give the alerts: the revision
    decided on, the latest one unless --alert names another, tells whether one source made it.
    """
    revision = None if alerts is None else _revision(alerts, signal_key, alert)
    if revision is None and to in _AFFIRMS and not _is_safety(signal_key):
        msg = f"signal {signal_key}: a step to {to} must be decided on a revision; give --alerts"
        raise InputError(msg)
    try:
        decision = Decision(
            signal_key=signal_key,
            to=to,
            by=by,
            reason=reason,
            alert_id=alert if revision is None else revision.alert_id,
            n_burst=_burst_of(revision),
            superseded_by=superseded_by,
            assignee=assignee,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"decision: {first['loc'][0]}: {first['msg']}"
        raise InputError(msg) from error
    entry = AuditLog(log).decide(decision, datetime.now(UTC))
    typer.echo(f"{entry.number}: {signal_key}: {entry.frm} -> {to}, {entry.hash}")


def _is_safety(signal_key: str) -> bool:
    """Whether a key is that of a safety alert, which begins with its category."""
    return signal_key.partition("|")[0] in set(AlertCategory)


def _burst_of(revision: AnyAlert | None) -> int | None:
    burst = revision.burst if isinstance(revision, Alert) else None
    return None if burst is None else burst.n_cases


def _revision(alerts: Path, signal_key: str, alert_id: str | None) -> AnyAlert:
    """Return the revision that is decided on: the one that is named, else the latest."""
    found = [
        alert
        for _, alert in read_alert_lines(alerts)
        if alert.signal_key == signal_key and alert_id in (None, alert.alert_id)
    ]
    if not found:
        what = signal_key if alert_id is None else f"{signal_key} with the id {alert_id}"
        msg = f"{alerts}: must hold an alert of {what}; got none"
        raise InputError(msg)
    return max(found, key=lambda alert: alert.revision)


def list_signals(log: LogOption = _LOG) -> None:
    """Show where every signal stands that anything was decided of."""
    table = Table("signal", "state", "since", "by", "assignee")
    for key, one in sorted(standing_in(log).items()):
        since, who = f"{one.since:%Y-%m-%d %H:%M}Z", (one.decided_by or "", one.assignee or "")
        table.add_row(escape(key), one.state, since, *map(escape, who))
    Console().print(table)


def show(
    signal_key: Annotated[str, typer.Argument(help="As alerts have it.")], log: LogOption = _LOG
) -> None:
    """Show every step of one signal."""
    steps = [e for e in AuditLog(log).verify().entries if e.decision.signal_key == signal_key]
    if not steps:
        msg = f"{log}: must hold the signal; got nothing decided of {signal_key!r}"
        raise InputError(msg)
    table = Table("no.", "at", "step", "by", "reason")
    for e in steps:
        step = f"{e.frm} -> {e.decision.to}"
        at = f"{e.at:%Y-%m-%d %H:%M}Z"
        table.add_row(str(e.number), at, step, escape(e.decision.by), escape(e.decision.reason))
    Console().print(table)


def verify(
    log: Annotated[Path, typer.Argument(help="The audit log.")] = _LOG,
    last_hash: Annotated[
        str | None, typer.Option(help="A hash noted earlier, that must still be in it.")
    ] = None,
) -> None:
    """Check that no line was changed, lost or put in, and that every step was allowed.

    Ends with 2 and names the first line that is not as it was written.
    """
    verified = AuditLog(log).verify(last_hash)
    typer.echo(f"{log}: {len(verified.entries)} entries, whole; last hash {verified.last_hash}")
