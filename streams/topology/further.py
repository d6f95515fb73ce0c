"""What an alert says of its pair's cases beside the facets that decide whether it is told."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import polars as pl

from streams.topology.arrivals import new_cases
from streams.topology.clinical import clinical_of
from streams.topology.counting import Keys
from streams.topology.evidence import Hashes

if TYPE_CHECKING:
    from streams.topology.evaluation import Counted

__all__ = ["further_of"]


def further_of(
    cases: pl.DataFrame,
    keys: Keys,
    counted: "Counted",
    days: tuple[int | None, int],
    was: npt.NDArray[Any],
    named: Mapping[int, Hashes],
    *,
    separator: str,
) -> list[dict[str, Any]]:
    """Return further fields of the alert on each pair, by the names of `schemas.alert.Alert`.

    Parameters
    ----------
    cases
        What `streams.topology.caselog.CaseLog.cases_of` gives for the pairs and days.
    keys
        The pairs, sorted, each once; those without a case too.
    was, named
        As of `streams.topology.arrivals.new_cases`.
    separator
        What stands between the parts of a stratum's name.
    """
    columns = {
        "n_new": new_cases(cases, keys, was, named),
        **counted.removals.counts(keys, *days),
    }
    others = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    clinical = clinical_of(cases, keys, counted.strata.names, separator)
    return [{**one, **other} for one, other in zip(clinical, others, strict=True)]
