"""`tocsin map`: mapping files, by which any table is read."""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import require_apart
from streams.exports.result_file import result_file
from streams.intake.mapped.proposal import propose_mapping

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    commands = typer.Typer(help="Mapping files, by which any CSV or Parquet file is read.")
    commands.command("init")(init)
    app.add_typer(commands, name="map")


def init(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV or Parquet file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.toml", help="By default printed.")
    ] = None,
) -> None:
    """Propose a mapping file from the names and first values of a table's columns.

    Check each line marked `# check`, then read the table with it:

        tocsin map init cases.csv -o cases.toml
        tocsin replay cases.csv --mapping cases.toml
    """
    require_apart([source], [output])
    text = propose_mapping(source)
    if output is None:
        typer.echo(text, nl=False)
        return
    with result_file(output) as part:
        part.write_text(text, encoding="utf-8")
