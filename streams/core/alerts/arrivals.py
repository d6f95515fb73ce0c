"""How many cases of a pair are new since its last revision was published."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.core.alerts.builder import MOST_CASE_IDS
from streams.core.counting.sorted_counts import Keys, places_of
from streams.core.signals.new_evidence import Hashes

__all__ = ["new_cases"]


def new_cases(
    cases: pl.DataFrame, keys: Keys, was: npt.NDArray[Any], named: Mapping[int, Hashes]
) -> list[int | None]:
    """Return how many cases each pair has that the revision before did not count.

    `None` without one, and where it had more cases than an alert names: nobody knows then which
    they were.

    Parameters
    ----------
    cases
        What `streams.core.counting.case_log.CaseLog.cases_of` gives for the pairs.
    keys
        The pairs, sorted, each once.
    was
        What was published of each (`streams.core.signals.lifecycle.Decisions`).
    named
        By key, hashes of the ids of the cases that the revision before named.
    """
    found: list[int | None] = [None] * len(keys)
    asked = np.flatnonzero((was["revision"] > 0) & (was["n_observed"] <= MOST_CASE_IDS))
    if len(asked) == 0:
        return found
    of_pairs = keys[asked]
    before = [named[key] for key in of_pairs.tolist()]
    now, at = places_of(of_pairs, cases["key"].to_numpy())
    of = np.concatenate([np.repeat(np.arange(len(asked)), [len(each) for each in before]), at])
    case = np.concatenate([*before, cases["case_id"][now].hash().to_numpy()])
    # Both name a case of a pair once: of two that are equal the first one was published.
    order = np.lexsort((case, of))
    of, case = of[order], case[order]
    is_new = order >= len(order) - len(now)
    is_new[1:] &= (of[1:] != of[:-1]) | (case[1:] != case[:-1])
    counts = np.bincount(of[is_new], minlength=len(asked))
    for place, n in zip(asked.tolist(), counts.tolist(), strict=True):
        found[place] = n
    return found
