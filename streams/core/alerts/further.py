"""What an alert says of its pair's cases beside the facets that decide whether it is told."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import polars as pl

from streams.core.alerts.arrivals import new_cases
from streams.core.alerts.case_summaries import clinical_of
from streams.core.counting.sorted_counts import Keys
from streams.core.signals.new_evidence import Hashes

if TYPE_CHECKING:
    from streams.core.detection.evaluation import Counted

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
        What `streams.core.counting.case_log.CaseLog.cases_of` gives for the pairs and days.
    keys
        The pairs, sorted, each once; those without a case too.
    was, named
        As of `streams.core.alerts.arrivals.new_cases`.
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
