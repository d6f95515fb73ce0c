"""`tocsin score`: compute the statistics of a table."""

from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from detectors.scoring import ALL, METHODS, score
from detectors.tabulate import MENTIONS, tabulate
from schemas.counts import COUNTS
from schemas.errors import InputError
from streams.cli.options import (
    AdjustedPriorOption,
    PriorOption,
    adjusted_prior_from,
    prior_from,
    writable,
)
from streams.cli.terminal import Console
from streams.exports.result_file import result_file

__all__ = ["read_counts", "register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("score")(score_command)


def score_command(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE.parquet",
            help="Counts, or cases with the columns case_id, drug, event.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.parquet", help="File to write.")
    ],
    methods: Annotated[
        str,
        typer.Option(
            metavar="METHOD,...", help=f"Statistics, comma-separated: {', '.join(METHODS)}."
        ),
    ] = ",".join(ALL),
    prior: PriorOption = None,
    prior_adjusted: AdjustedPriorOption = None,
    hypotheses: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="For fdr: pairs that could have been reported; all drugs times events, if unset.",
        ),
    ] = None,
) -> None:
    """Compute the statistics of a table.

    A counts table has the columns drug, event, n_observed, n_drug, n_event, n_total (cases), and
    `window` if there are several; `tocsin replay --counts` writes one. A long table has the
    columns case_id, drug, event, with one row per mention; its distinct cases are counted first.
    The method ebgm needs a prior, from `tocsin fit`; ic_adjusted and ebgm_adjusted need the column
    expected_adjusted, which `tocsin replay --counts` writes.
    """
    writable(output)
    counts = read_counts(table)
    names = [name.strip() for name in methods.split(",") if name.strip()]
    scored = score(
        counts,
        names,
        prior=prior_from(prior),
        adjusted_prior=adjusted_prior_from(prior_adjusted),
        n_hypotheses=hypotheses,
    )
    with result_file(output) as part:
        scored.write_parquet(part)
    Console().print(f"{scored.height:,} pairs scored, {len(scored.columns)} columns: {output}")


def read_counts(path: Path) -> pl.DataFrame:
    """Read a counts table, or count the distinct cases of a long table."""
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
