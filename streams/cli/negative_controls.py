"""`--negative-controls`: pairs that a user knows to be unrelated, from a CSV file."""

from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from schemas.errors import InputError
from streams.core.alerts.negative_controls import NegativeControls

__all__ = ["ControlsOption", "control_pairs", "controls_from"]

ControlsOption = Annotated[
    Path | None,
    typer.Option(
        "--negative-controls",
        metavar="FILE.csv",
        help="Pairs known to be unrelated, with the columns drug,event; alerts are calibrated by "
        "them.",
    ),
]


def control_pairs(path: Path) -> list[tuple[str, str]]:
    """Read the file that `--negative-controls` names: distinct pairs of drug and event, sorted."""
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        msg = f"--negative-controls: {path} must be a readable CSV file; got {error}"
        raise InputError(msg) from error
    if not {"drug", "event"} <= set(table.columns):
        msg = f"--negative-controls: {path} must have the columns drug, event; got {table.columns}"
        raise InputError(msg)
    pairs = sorted(set(table.select("drug", "event").drop_nulls().rows()))
    if not pairs:
        msg = f"--negative-controls: {path} must name at least one pair; got none"
        raise InputError(msg)
    return pairs


def controls_from(path: Path | None) -> NegativeControls | None:
    """Return the negative controls of a run; none without a file."""
    return None if path is None else NegativeControls(control_pairs(path))
