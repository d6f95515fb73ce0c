"""`tocsin state`: inspect, verify and rebuild the state directory of workers."""

from enum import StrEnum
from typing import Annotated

import typer
from rich import box
from rich.progress import Progress
from rich.table import Table

from schemas.errors import InputError
from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.terminal import Console
from streams.runtime.operations.rebuild import (
    discard_snapshot,
    inspect_cases,
    inspect_snapshot,
    local_partitions,
    rebuild,
)
from streams.runtime.operations.verify import verify
from streams.runtime.settings import Settings

__all__ = ["register"]

_SHOWN = 10  # differences printed per comparison


class Source(StrEnum):
    """Topics that a database is rebuilt from."""

    CASES = "cases"
    REPORTS = "reports"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    state = typer.Typer(help="Inspect, verify and rebuild worker state.", no_args_is_help=True)
    state.command("inspect")(inspect_command)
    state.command("verify")(verify_command)
    state.command("rebuild")(rebuild_command)
    app.add_typer(state, name="state")


def inspect_command(config: ConfigOption = None, bootstrap: BootstrapOption = None) -> None:
    """List the databases in the state directory; works while workers run, and without a broker."""
    settings = Settings.load(config, bootstrap=bootstrap)
    table = Table(box=box.SIMPLE_HEAD, title=str(settings.state_dir), title_justify="left")
    table.add_column("database", no_wrap=True)
    for name in ("next offset", "cases", "counted", "unpublished batches", "format"):
        table.add_column(name, justify="right")
    for database in inspect_cases(settings):
        form, _, of = database.identity.partition(" ")
        table.add_row(
            of,
            "-" if database.next_offset is None else f"{database.next_offset:,}",
            f"{database.cases:,}",
            f"{database.counted:,}",
            f"{database.unpublished:,}",
            form,
        )
    snapshot = inspect_snapshot(settings)
    if snapshot is not None:
        row = (f"snapshot of {snapshot.topic}", f"{snapshot.next_offset:,}", "", "", "")
        table.add_row(*row, str(snapshot.form))
    if not table.row_count:
        msg = f"state inspect: {settings.state_dir} must hold state; got none. Set state_dir"
        raise InputError(msg)
    Console().print(table)


def verify_command(
    alerts: Annotated[
        int,
        typer.Option(min=0, metavar="COUNT", help="Maximum number of alerts, the latest ones."),
    ] = 100,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Compare databases, changelogs, deltas and the latest alerts with a recount of the topics.

    The command reads every report, with one partition at a time in memory, and compares bit for
    bit. It exits with 1 if anything differs. To check every number of an alert, see tocsin recount.
    """
    wrong = 0
    for finding in verify(Settings.load(config, bootstrap=bootstrap), alerts=alerts):
        number = len(finding.differences)
        wrong += number
        typer.echo(f"{finding.what}: {finding.compared:,} compared, {number:,} differ")
        for line in finding.differences[:_SHOWN]:
            typer.echo(f"  {line}")
        if number > _SHOWN:
            typer.echo(f"  and {number - _SHOWN:,} more")
    if wrong:
        raise typer.Exit(1)


def rebuild_command(
    partition: Annotated[
        list[int] | None,
        typer.Option(
            metavar="NUMBER",
            help="A partition to rebuild; may be repeated. By default all in the state directory.",
        ),
    ] = None,
    source: Annotated[
        Source,
        typer.Option(
            "--from",
            help="Restore from the changelog (cases, fast) or recount from the reports.",
        ),
    ] = Source.CASES,
    detector: Annotated[
        bool,
        typer.Option(
            "--detector",
            help="Delete the detector's snapshot: when started, it counts the deltas again, such "
            "as after a change of --age-bands. Of the databases only those named by --partition.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Rebuild without confirmation.")] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Rebuild databases from the topics; the workers on this machine must be stopped.

    A worker does this by itself for a missing or damaged database. An old database is kept until
    the new one is complete.
    """
    settings = Settings.load(config, bootstrap=bootstrap)
    chosen = partition or ([] if detector else local_partitions(settings))
    if not chosen and not detector:
        msg = f"state rebuild: {settings.state_dir} must hold databases; got none. Set state_dir"
        raise InputError(msg)
    if not yes:
        parts = ["the detector's snapshot"] if detector else []
        if chosen:
            parts.append(f"the databases of partitions {', '.join(map(str, chosen))}")
        question = f"Replace {' and '.join(parts)} in {settings.state_dir}?"
        typer.confirm(question, abort=True)
    if detector:
        was = discard_snapshot(settings)
        typer.echo(f"detector: {'snapshot deleted' if was else 'no snapshot'}; it counts anew")
    for number in chosen:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(f"partition {number}", total=1.0)
            making = rebuild(settings, number, from_reports=source is Source.REPORTS)
            try:
                while True:
                    progress.update(task, completed=next(making))
            except StopIteration as done:
                rebuilt = done.value
        typer.echo(
            f"partition {number}: {rebuilt.cases:,} cases up to offset "
            f"{rebuilt.next_offset or 0:,}, from {source.value}"
        )
