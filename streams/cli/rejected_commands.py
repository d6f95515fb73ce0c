"""`tocsin rejected`: list messages that could not be read, and redrive them."""

import json
from collections import Counter
from datetime import UTC, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.options import parse_day
from streams.cli.tables import summary_table
from streams.cli.terminal import Console
from streams.runtime.operations.redrive import (
    Selection,
    as_line,
    read_mended,
    read_rejects,
    redrive,
)
from streams.runtime.settings import Settings

__all__ = ["register"]

_ROWS = 50  # rows of the table without --limit
_REASONS = 10  # most frequent reasons printed for messages that were left

ReasonOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Only rejects with this text in the reason.")
]
RuleOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only rejects of this rule, as the desk groups them."),
]
SourceOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only rejects with this text in file or topic[partition]."),
]
SinceOption = Annotated[
    str | None, typer.Option(metavar="DATE", help="Only rejects of this day (UTC) or later.")
]
LimitOption = Annotated[
    int | None, typer.Option(min=1, metavar="COUNT", help="Maximum number of rejects.")
]


class Output(StrEnum):
    """Output formats of the list of rejects."""

    TABLE = "table"
    JSONL = "jsonl"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    rejected = typer.Typer(help="List and redrive rejects on Kafka.", no_args_is_help=True)
    rejected.command("list")(list_command)
    rejected.command("redrive")(redrive_command)
    app.add_typer(rejected, name="rejected")


def list_command(
    reason: ReasonOption = None,
    rule: RuleOption = None,
    source: SourceOption = None,
    since: SinceOption = None,
    limit: LimitOption = None,
    output: Annotated[
        Output,
        typer.Option("-o", "--output", help="A table, or JSON Lines with the rejected bytes."),
    ] = Output.TABLE,
    redriven: Annotated[bool, typer.Option("--all", help="Include redriven rejects.")] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """List open rejects, in order of receipt within each partition of the topic.

    By default the table shows 50 and jsonl gives all of them. The bytes of rejects may be personal
    data: treat the output of -o jsonl like the reports themselves.
    """
    settings = Settings.load(config, bootstrap=bootstrap)
    most = limit if output is Output.JSONL else None
    chosen = Selection(reason, source, _moment(since), most, rule)
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
    rule: RuleOption = None,
    source: SourceOption = None,
    since: SinceOption = None,
    limit: LimitOption = None,
    mended: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE.jsonl",
            help="Redrive only the rejects of this file, with the values in it: the output of "
            "tocsin rejected list -o jsonl, with corrected values.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")
    ] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Publish rejected messages to the reports or notices again, each once, with the right key.

    Unchanged messages can be redriven if only their key was wrong or missing, if their date is no
    longer in the future, or if this version of Tocsin can read them. The others stay: correct their
    values with --from, or publish them again from their source. It is safe to run again after a
    failure.
    """
    settings = Settings.load(config, bootstrap=bootstrap)
    selection = Selection(reason, source, _moment(since), limit, rule)
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
