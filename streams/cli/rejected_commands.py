"""`tocsin rejected`: what could not be read, and putting it back once it can."""

import json
from collections import Counter
from datetime import UTC, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.options import parse_day
from streams.cli.tables import summary_table
from streams.runtime.operations.redrive import (
    Selection,
    as_line,
    read_mended,
    read_rejects,
    redrive,
)
from streams.runtime.settings import Settings

__all__ = ["register"]

_ROWS = 50  # of the table, unless --limit says another number
_REASONS = 10  # that are printed of what was left

ReasonOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Only those whose reason holds this text.")
]
SourceOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only those whose file or topic[partition] holds this text."),
]
SinceOption = Annotated[
    str | None, typer.Option(metavar="DATE", help="Only those rejected on this day (UTC) or later.")
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="At most so many.")]


class Output(StrEnum):
    """How rejects are printed."""

    TABLE = "table"
    JSONL = "jsonl"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    rejected = typer.Typer(help="What could not be read, on Kafka.", no_args_is_help=True)
    rejected.command("list")(list_command)
    rejected.command("redrive")(redrive_command)
    app.add_typer(rejected, name="rejected")


def list_command(
    reason: ReasonOption = None,
    source: SourceOption = None,
    since: SinceOption = None,
    limit: LimitOption = None,
    output: Annotated[
        Output,
        typer.Option("-o", "--output", help="A table, or one JSON object a line with all bytes."),
    ] = Output.TABLE,
    redriven: Annotated[
        bool, typer.Option("--all", help="Those that were redriven as well.")
    ] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """List the rejects that are open, in order of receipt within each partition of the topic.

    The table shows 50 unless --limit says another number; jsonl gives all of them. The bytes of
    rejects may be personal data: treat what -o jsonl writes like the reports themselves.
    """
    settings = Settings.load(config, bootstrap=bootstrap)
    chosen = Selection(reason, source, _moment(since), limit if output is Output.JSONL else None)
    found = read_rejects(settings, chosen, redriven=redriven)
    if output is Output.JSONL:
        for reject, how in found:
            typer.echo(json.dumps(as_line(reject, how), ensure_ascii=False))
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("rejected (UTC)", no_wrap=True)
    table.add_column("source and place", ratio=1, overflow="fold")
    table.add_column("bytes", justify="right")
    table.add_column("reason", ratio=2, overflow="fold")
    number = 0
    for reject, how in found:
        number += 1
        if number <= (limit or _ROWS):
            rejected = reject.rejected
            reasons = [escape(rejected.reason)]
            if rejected.first is not None:
                reasons.append(
                    f"[dim]first {escape(rejected.first)}, redriven {rejected.attempts} times[/]"
                )
            if how is not None:
                reasons.append(f"[green]redriven {how}[/]")
            table.add_row(
                f"{reject.at:%Y-%m-%d %H:%M:%S}",
                escape(reject.coordinates),
                f"{reject.size:,}",
                "\n".join(reasons),
            )
    Console().print(table)
    shown = min(number, limit or _ROWS)
    more = f", the first {shown} shown" if shown < number else ""
    typer.echo(f"{number:,} {'rejects' if redriven else 'open rejects'}{more}")


def redrive_command(
    reason: ReasonOption = None,
    source: SourceOption = None,
    since: SinceOption = None,
    limit: LimitOption = None,
    mended: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE.jsonl",
            help="Only the rejects of this file, with the values it holds: the output of tocsin "
            "rejected list -o jsonl, its values mended.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and do nothing.")
    ] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Put rejected messages back onto the reports or notices, each once, with the right key.

    As they are, those can go whose key was wrong or missing, whose date is in the future no longer,
    or that a later version of Tocsin can read. The others stay where they are: mend their values
    with --from, or publish them again from their source. May be run again after a failure.
    """
    settings = Settings.load(config, bootstrap=bootstrap)
    selection = Selection(reason, source, _moment(since), limit)
    values = None if mended is None else read_mended(mended)
    result = redrive(settings, selection, values, dry_run=dry_run)
    _print(result.redriven, result.left, dry_run=dry_run)


def _print(redriven: Counter[str], left: Counter[str], *, dry_run: bool) -> None:
    rows = {how: redriven[how] for how in ("as it was", "mended")}
    rows["left, would be rejected again"] = left.total()
    Console().print(summary_table(rows, "Would be redriven" if dry_run else "Redriven"))
    for reason, number in left.most_common(_REASONS):
        typer.echo(f"left {number:,}: {reason}")


def _moment(since: str | None) -> datetime | None:
    day = parse_day(since, "--since")
    return None if day is None else datetime.combine(day, time.min, UTC)
