"""`tocsin validate`: check the statistics against published values, or account for sources."""

from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.markup import escape

from schemas.errors import TocsinError
from streams.cli.options import MappingOption, tomorrow
from streams.cli.printable import printable
from streams.cli.replay_commands import Format
from streams.cli.tables import account_rows, summary_table, validation_table
from streams.cli.terminal import Console

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("validate")(validate_command)


def validate_command(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SOURCE...]", help="Files or folders to account for; none: the statistics."
        ),
    ] = None,
    source_format: Annotated[
        Format | None, typer.Option("--format", help="Format of the files; by default detected.")
    ] = None,
    mapping: MappingOption = None,
) -> None:
    """Check every statistic against published values and print each difference.

    The command exits with 2 if any differs by more than half a unit in the last published digit.

    With sources, read each whole and print what became of every row: a case, counted or excluded,
    a further report of a case, a row that repeats another, or a reject. The command exits with 2 if
    a row is unexplained.

        tocsin validate pmdacasereport202406.zip
    """
    if sources:
        _account(sources, source_format, mapping)
    else:
        _statistics()


def _statistics() -> None:
    from detectors.validation import validate  # imports every estimator, which takes a second

    checks = validate()
    validation_table(checks, Console())
    wrong = checks.filter(~pl.col("ok")).height
    for source in checks["source"].unique(maintain_order=True):
        typer.echo(f"Source: {source}")
    typer.echo(f"{checks.height} values checked, {wrong} differ.")
    if wrong:
        msg = f"validate: every value must be within its tolerance; got {wrong} that are not"
        raise TocsinError(msg)


def _account(sources: list[Path], source_format: Format | None, mapping: Path | None) -> None:
    from streams.runtime.operations.source_account import account_of  # imports the stages

    name = source_format and source_format.value
    accounts = [account_of(path, name, horizon=tomorrow(), mapping=mapping) for path in sources]
    console = Console()
    for account in accounts:
        console.print(summary_table(account_rows(account), escape(printable(account.path.name))))
    total = sum(account.rows for account in accounts)
    typer.echo(f"{len(accounts)} sources, {total:,} rows.")
    if wrong := sum(1 for account in accounts if account.unexplained):
        msg = f"validate: every row must be explained; got {wrong} sources with others"
        raise TocsinError(msg)
