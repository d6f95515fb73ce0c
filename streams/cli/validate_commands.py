"""`tocsin validate`: check the statistics against published values."""

import polars as pl
import typer

from schemas.errors import TocsinError
from streams.cli.tables import validation_table
from streams.cli.terminal import Console

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("validate")(validate_command)


def validate_command() -> None:
    """Check every statistic against published values and print each difference.

    The command exits with 2 if any differs by more than half a unit in the last published digit.
    """
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
