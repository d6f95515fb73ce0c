"""Sums up what the cases of pairs were: patients, gravity, lots, and the course of the event."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.clinical import PatientGroups, TimeToOnset
from schemas.vocabulary import AgeGroup, Sex
from streams.core.cases.chronology import (
    ABATED,
    DECHALLENGE,
    LATE_DAYS,
    LOT,
    RECHALLENGE,
    RECURRED,
    START,
)
from streams.core.counting.sorted_counts import Keys

__all__ = ["clinical_of"]

_AGES = [member.value for member in AgeGroup]
_SEXES = [member.value for member in Sex]
# In the order of the vocabularies; what is not known is a group of its own.
_GROUPS = (
    *(name if name != AgeGroup.UNKNOWN.value else "age_unknown" for name in _AGES),
    *(name if name != Sex.UNKNOWN.value else "sex_unknown" for name in _SEXES),
)
_EPOCH = date(1970, 1, 1).toordinal()
_QUARTILES = ("lower_quartile", "median", "upper_quartile")

_Places = npt.NDArray[np.intp]


def clinical_of(
    cases: pl.DataFrame, keys: Keys, strata: Sequence[str], separator: str
) -> list[dict[str, Any]]:
    """Return what an alert on each pair says of its cases, by the names of `schemas.alert.Alert`.

    Parameters
    ----------
    cases
        What `streams.core.counting.case_log.CaseLog.cases_of` gives for the pairs.
    keys
        The pairs, sorted, each once; those without a case too.
    strata
        Names of strata, `age group, sex, region`, by code.
    separator
        What stands between the parts of a name.
    """
    at = np.searchsorted(keys, cases["key"].to_numpy())
    course = cases["course"].to_numpy()
    began = cases["began"].to_numpy().astype(np.int64)  # signed: an event may begin after receipt
    received = cases["day"].to_numpy().astype(np.int64) + _EPOCH
    counts = {
        "n_life_threatening": cases["life_threatening"].to_numpy(),
        "n_missing_lot": course & LOT == 0,
        "n_stating_onset": began > 0,
        "n_late": (began > 0) & (received - began > LATE_DAYS),
        "n_stating_dechallenge": course & DECHALLENGE > 0,
        "n_positive_dechallenge": course & ABATED > 0,
        "n_stating_rechallenge": course & RECHALLENGE > 0,
        "n_positive_rechallenge": course & RECURRED > 0,
    }
    columns = {
        **{
            name: np.bincount(at[holds], minlength=len(keys)).tolist()
            for name, holds in counts.items()
        },
        **_onset_days(at, began, len(keys)),
        "patients": _patients(at, cases["stratum"].to_numpy(), strata, separator, len(keys)),
        "time_to_onset": _times_to_onset(
            at,
            (course >> START).astype(np.int64),
            began,
            len(keys),
        ),
    }
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _patients(
    at: _Places,
    stratum: npt.NDArray[np.uint32],
    strata: Sequence[str],
    separator: str,
    size: int,
) -> list[PatientGroups]:
    parts = [name.split(separator) for name in strata]
    tables = []
    for names, of in (
        (_AGES, [age for age, _, _ in parts]),
        (_SEXES, [sex for _, sex, _ in parts]),
    ):
        group = np.array([names.index(name) for name in of], dtype=np.intp)[stratum]
        cells = np.bincount(at * len(names) + group, minlength=size * len(names))
        tables.append(cells.reshape(size, len(names)))
    return [_patients_of(*row) for row in np.hstack(tables).tolist()]


@lru_cache(maxsize=1 << 10)  # of few cases there are few different ones; each takes a kilobyte
def _patients_of(*counts: int) -> PatientGroups:
    return PatientGroups.trusted(dict(zip(_GROUPS, counts, strict=True)))


def _onset_days(
    at: _Places, began: npt.NDArray[np.int64], size: int
) -> dict[str, list[date | None]]:
    """Return the first and the last onset of each pair; `None` if no case states one."""
    stating = began > 0
    first = np.full(size, date.max.toordinal() + 1)
    last = np.zeros(size, dtype=np.int64)
    np.minimum.at(first, at[stating], began[stating])
    np.maximum.at(last, at[stating], began[stating])
    of_pairs = list(zip(first.tolist(), last.tolist(), strict=True))
    return {
        "first_onset": [date.fromordinal(one) if other else None for one, other in of_pairs],
        "last_onset": [date.fromordinal(other) if other else None for _, other in of_pairs],
    }


def _times_to_onset(
    at: _Places, start: npt.NDArray[np.int64], began: npt.NDArray[np.int64], size: int
) -> list[TimeToOnset | None]:
    """Return the distribution of each pair; `None` if no case states both days."""
    found: list[TimeToOnset | None] = [None] * size
    dated = (start > 0) & (began > 0)
    if not dated.any():
        return found
    at, days = at[dated], (began - start)[dated]
    n_before = np.bincount(at[days < 0], minlength=size)
    at, days = at[days >= 0], days[days >= 0]
    days = days[np.lexsort((days, at))]
    n = np.bincount(at, minlength=size)
    stating = np.flatnonzero(n)
    quartiles = np.full((len(_QUARTILES), size), np.nan)
    for which in range(len(_QUARTILES)):
        # Type 7 of Hyndman and Fan; quarters of whole numbers are exact.
        place = (n[stating] - 1) * (which + 1)
        low = (np.cumsum(n) - n)[stating] + place // 4
        high = np.minimum(low + 1, len(days) - 1)  # without weight where `low` is the last one
        quartiles[which, stating] = days[low] + (days[high] - days[low]) * (place % 4) / 4
    for pair in np.flatnonzero(n + n_before).tolist():
        of_pair = quartiles[:, pair].tolist() if n[pair] else [None] * len(_QUARTILES)
        counts = {"n": int(n[pair]), "n_before": int(n_before[pair])}
        found[pair] = TimeToOnset.trusted({**counts, **dict(zip(_QUARTILES, of_pair, strict=True))})
    return found
