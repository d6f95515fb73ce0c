"""`tocsin export`: signals and methods as tables, alerts as JSON Lines."""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from schemas.alert import Alert
from schemas.decision import Assessment
from schemas.errors import InputError
from schemas.subscription import Tier
from streams.cli.options import PolicyOption, parse_day, require_apart, tomorrow, writable
from streams.cli.replay_commands import Format
from streams.cli.terminal import Console
from streams.core.alerts.assessment import assessed, assessments_after
from streams.core.alerts.undecided import RevisionDays
from streams.core.recount.source_ranges import require_sources
from streams.core.signals.realert_policy import load_policy
from streams.delivery.alert_sources import AnyAlert, read_alert_lines
from streams.exports.case_counts import CaseCounts, reference_period
from streams.exports.ermr import ErmrInput, ermr_sheets
from streams.exports.json_lines import tier_lines
from streams.exports.readus import ReadusInput, readus_items, write_readus
from streams.exports.result_file import result_file
from streams.exports.spreadsheet import write_table
from streams.runtime.operations.audit_anchors import anchor_line
from streams.runtime.operations.audit_log import AuditLog

__all__ = ["register"]

AuditOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE.jsonl", help="Audit log of decisions, from tocsin signals decide."),
]
AlertsArgument = Annotated[
    Path,
    typer.Argument(
        metavar="ALERTS.jsonl",
        help="Alerts as JSON Lines, from tocsin replay or tocsin alerts --json.",
    ),
]
OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.")
]
SourceOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="SOURCE", help="A file that was replayed for these alerts; may be repeated."
    ),
]
UntilOption = Annotated[
    str | None, typer.Option(metavar="DATE", help="Leave out reports received after this day.")
]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="Format of the sources; by default detected.")
]
_KEY = "TIER_KEY"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    export = typer.Typer(
        help="Export signals for spreadsheets, papers and other programs.", no_args_is_help=True
    )
    export.command("ermr")(ermr)
    export.command("readus")(readus)
    export.command("jsonl")(jsonl)
    app.add_typer(export, name="export")


def ermr(
    alerts: AlertsArgument,
    output: OutputOption,
    source: SourceOption = None,
    period: Annotated[
        str,
        typer.Option(
            metavar="PERIOD",
            help="Period in which cases count as new: 15d, 1m, 3m, 6m or 12m.",
        ),
    ] = "1m",
    until: UntilOption = None,
    audit: AuditOption = None,
    source_format: FormatOption = None,
) -> None:
    """Write signals in the layout of EMA's eRMR, as CSV or XLSX (by the suffix of the file).

    With --source, new and total cases are counted from the reports, by kind and region. Otherwise
    totals are those of each signal's latest revision, and new cases are not given. Columns without
    data are left out and listed. Text that a spreadsheet would run as a formula gets a ' in front.

        tocsin export ermr alerts.jsonl -o ermr.xlsx --source 1990VAERSData.zip --period 3m
    """
    require_apart([alerts, *(source or ()), *([audit] if audit else ())], [output])
    day = parse_day(until, "--until")
    signals = _signals(alerts)
    counts = None
    if source:
        counts = CaseCounts(source, until=day, horizon=tomorrow(), source_format=source_format)
        counted = [alert for alert in signals if day is None or alert.evaluated_on <= day]
        require_sources("export ermr", counted, counts.ranges)
    last = day or (counts.last_day if counts else None) or _last_evaluation(signals, alerts)
    # The whole log, whatever the period: decisions have clock time, alerts event time.
    log = None if audit is None else AuditLog(audit).verify()
    decided = () if log is None else log.entries
    sheets = ermr_sheets(
        ErmrInput(
            alerts=signals,
            period=reference_period(period, last),
            counts=counts,
            decisions=None if audit is None else {e.decision.signal_key: e for e in decided},
            assessments=assessments_after(decided),
            sources=[path.name for path in source or ()],
            audit_head=None if log is None else anchor_line(len(log.entries), log.last_hash),
        )
    )
    write_table(_in_a_folder(output), sheets, made=last)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{len(sheets[0].rows):,} signals as of {last}: {output}", markup=False)
    for what, meaning in sheets[-1].rows:
        if what in ("Caveat", "Left out", "New"):
            console.print(f"{what}: {meaning}", markup=False)


def readus(
    alerts: AlertsArgument,
    output: OutputOption,
    source: SourceOption = None,
    policy: PolicyOption = None,
    source_format: FormatOption = None,
) -> None:
    """Write the READUS-PV table of methods, as Markdown (.md) or CSV.

    Items are filled in from the alerts, their rules and the re-alert policy where these have the
    answer; the others say what the authors have to write.

        tocsin export readus alerts.jsonl -o methods.md --source 1990VAERSData.zip
    """
    require_apart([alerts, *(source or ())], [output])
    signals = _signals(alerts)
    counts = None
    if source:
        counts = CaseCounts(source, until=None, horizon=tomorrow(), source_format=source_format)
        require_sources("export readus", signals, counts.ranges)
    items = readus_items(ReadusInput(signals, load_policy(policy), tuple(source or ()), counts))
    write_readus(_in_a_folder(output), items)
    answered = sum(item.answered for item in items)
    typer.echo(f"{answered} items answered, {len(items) - answered} for the authors: {output}")


def jsonl(
    alerts: AlertsArgument,
    output: OutputOption,
    tier: Annotated[Tier, typer.Option(help="Tier whose copies are written.")] = Tier.PUBLIC,
    all_revisions: Annotated[
        bool,
        typer.Option("--all", help="Write every revision, not only each signal's latest."),
    ] = False,
    audit: AuditOption = None,
) -> None:
    """Write alerts as JSON Lines, as the copies that a tier may see.

    The latest revisions are sorted by signal key; with --all, revisions are in the order of
    publication. With --audit, copies for authorities include the current assessment of each
    signal. The same input gives the same bytes.
    """
    require_apart([alerts, *([audit] if audit else ())], [output])
    if audit is not None and tier is not Tier.AUTHORITY:
        msg = f"--audit: only --tier authority may see who assesses a signal; got --tier {tier}"
        raise InputError(msg)
    key = os.environ.get(_KEY, "")
    if tier is not Tier.AUTHORITY and len(key) < 16:
        msg = (
            f"{_KEY}: must be in the environment, at least 16 characters that nobody can guess: "
            "codes of lots and makers in copies for others are made with it"
        )
        raise InputError(msg)
    found: Iterator[AnyAlert] = (alert for _, alert in read_alert_lines(alerts))
    head = None
    if audit is not None:
        log = AuditLog(audit).verify()
        head = anchor_line(len(log.entries), log.last_hash)
        found = _assessed(alerts, assessments_after(log.entries))
    number = 0
    with (
        result_file(_in_a_folder(output)) as part,
        part.open("w", encoding="utf-8", newline="\n") as out,
    ):
        for copy in tier_lines(found, tier, key=key.encode(), all_revisions=all_revisions):
            out.write(json.dumps(copy, ensure_ascii=False, separators=(",", ":")) + "\n")
            number += 1
    typer.echo(f"{number:,} alerts for the {tier} tier: {output}")
    if head is not None:
        typer.echo(f"{audit}: {head}")


def _assessed(path: Path, assessments: Mapping[str, Assessment]) -> Iterator[AnyAlert]:
    """Yield the alerts of a file with their assessments, as of the last evaluated day."""
    last = max((alert.evaluated_on for _, alert in read_alert_lines(path)), default=date.min)
    history = RevisionDays()
    for _, alert in read_alert_lines(path):
        history.add(alert)
        yield assessed(alert, assessments, history.of, today=last)


def _signals(path: Path) -> list[Alert]:
    return [alert for _, alert in read_alert_lines(path) if isinstance(alert, Alert)]


def _last_evaluation(signals: list[Alert], path: Path) -> date:
    if not signals:
        msg = f"{path}: must hold signals of disproportionate reporting; got none"
        raise InputError(msg)
    return max(alert.evaluated_on for alert in signals)


def _in_a_folder(path: Path) -> Path:
    writable(path)
    return path
