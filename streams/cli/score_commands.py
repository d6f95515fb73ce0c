"""`tocsin score`: the statistics of a table."""

from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console

from detectors.scoring import ALL, METHODS, score
from detectors.tabulate import MENTIONS, tabulate
from schemas.counts import COUNTS
from schemas.errors import InputError
from streams.cli.options import PriorOption, prior_from, writable

__all__ = ["read_counts", "register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("score")(score_command)


def score_command(
    table: Annotated[
        Path, typer.Argument(help="Parquet file of counts, or of cases: case_id, drug, event.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write.")],
    methods: Annotated[
        str, typer.Option(help=f"Statistics, comma-separated, of: {', '.join(METHODS)}.")
    ] = ",".join(ALL),
    prior: PriorOption = None,
) -> None:
    """Compute the statistics of a table.

    A counts table has the columns drug, event, n_observed, n_drug, n_event, n_total (cases), and
    `window` where there are several; `tocsin replay --counts` writes one. A long table has the
    columns case_id, drug, event, one row a mention; its distinct cases are counted first.
    ebgm needs a prior: `tocsin fit` makes one.
    """
    writable(output)
    counts = read_counts(table)
    names = [name.strip() for name in methods.split(",") if name.strip()]
    scored = score(counts, names, prior=prior_from(prior))
    scored.write_parquet(output)
    Console().print(f"{scored.height:,} pairs scored, {len(scored.columns)} columns: {output}")


def read_counts(path: Path) -> pl.DataFrame:
    """Read a counts table, or count a long one."""
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        msg = f"{path}: must be a readable parquet file; got {' '.join(str(error).split())}"
        raise InputError(msg) from error
    if all(name in table.columns for name in COUNTS):
        return table
    if all(name in table.columns for name in MENTIONS):
        return tabulate(table)
    msg = f"{path}: must have the columns {list(COUNTS)} or {list(MENTIONS)}; got {table.columns}"
    raise InputError(msg)
