"""`tocsin signals` and `tocsin audit`: decisions about signals, and their audit log."""

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

__all__ = ["assessments_in", "register"]

SignalArgument = Annotated[
    str, typer.Argument(metavar="SIGNAL_KEY", help="Key of the signal, as in its alerts.")
]
LogOption = Annotated[
    Path, typer.Option("--log", metavar="FILE.jsonl", help="Audit log of decisions, as JSON Lines.")
]
_LOG = Path("audit.jsonl")
_AFFIRMS = {SignalState.VALIDATED, SignalState.CONFIRMED}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    signals = typer.Typer(help="Record decisions about signals.", no_args_is_help=True)
    signals.command("decide")(decide)
    signals.command("list")(list_signals)
    app.add_typer(signals, name="signals")
    audit = typer.Typer(help="Verify and show the audit log of decisions.", no_args_is_help=True)
    audit.command("verify")(verify)
    audit.command("show")(show)
    app.add_typer(audit, name="audit")


def assessments_in(log: Path) -> dict[str, Assessment]:
    """Return the current assessment of every signal, after verifying the log."""
    return assessments_after(AuditLog(log).verify().entries)


def decide(
    signal_key: SignalArgument,
    to: Annotated[SignalState, typer.Argument(metavar="STATE", help="The new state.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="The person who decides.")],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Reason; some transitions require one.")
    ] = "",
    alert: Annotated[
        str | None,
        typer.Option(metavar="ALERT_ID", help="The alert revision that the decision is based on."),
    ] = None,
    alerts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Alerts as JSON Lines; required to validate or confirm a signal.",
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
) -> None:
    """Move a signal to a new state, and record who decided and why.

    To validate or confirm a signal of disproportionate reporting, give its alerts: the revision
    that the decision is based on says whether a burst from one source produced the signal. It is
    the latest revision unless --alert names another.
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
    """Return whether a key is that of a safety alert, which begins with its category."""
    return signal_key.partition("|")[0] in set(AlertCategory)


def _burst_of(revision: AnyAlert | None) -> int | None:
    burst = revision.burst if isinstance(revision, Alert) else None
    return None if burst is None else burst.n_cases


def _revision(alerts: Path, signal_key: str, alert_id: str | None) -> AnyAlert:
    """Return the revision with an id, else the latest revision of the signal."""
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
    """List the current state of every signal with a decision."""
    table = Table("signal", "state", "since", "by", "assignee")
    for key, assessment in sorted(assessments_in(log).items()):
        since = f"{assessment.since:%Y-%m-%d %H:%M}Z"
        names = (assessment.decided_by or "", assessment.assignee or "")
        table.add_row(escape(key), assessment.state, since, *map(escape, names))
    Console().print(table)


def show(signal_key: SignalArgument, log: LogOption = _LOG) -> None:
    """Show every decision about one signal."""
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
    log: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="The audit log.")] = _LOG,
    last_hash: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A hash noted earlier; the log must still contain it."),
    ] = None,
) -> None:
    """Verify the hash chain of the log, and that every transition was allowed.

    No line may have been changed, removed or inserted. Otherwise the command exits with 2 and
    names the first line that does not match.
    """
    verified = AuditLog(log).verify(last_hash)
    typer.echo(f"{log}: {len(verified.entries)} entries, whole; last hash {verified.last_hash}")
