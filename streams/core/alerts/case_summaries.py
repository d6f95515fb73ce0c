"""Sums up the cases of pairs: patients, seriousness, lots, dechallenge, onset, and new cases."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.clinical import PatientGroups, TimeToOnset
from schemas.domain import domain_vocabulary
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
from streams.core.cases.levels import CLASS_OF_NAME
from streams.core.counting.arrays import by_key, rows_where, stacked
from streams.core.counting.sorted_counts import Keys, Places, places_of
from streams.core.signals.counts_view import UNIT, CountsView
from streams.core.signals.new_evidence import PAEDIATRIC_BIT, Hashes, Masks, facets_of_cases

__all__ = [
    "MOST_CASE_IDS",
    "after_notice",
    "clinical_of",
    "extra_fields_of",
    "facts_of",
    "new_cases",
]

_AGES = [member.value for member in AgeGroup]
_SEXES = [member.value for member in Sex]
# In the order of the vocabularies; cases not known are a group of their own.
_GROUPS = (
    *(name if name != AgeGroup.UNKNOWN.value else "age_unknown" for name in _AGES),
    *(name if name != Sex.UNKNOWN.value else "sex_unknown" for name in _SEXES),
)
_EPOCH = date(1970, 1, 1)
_QUARTILES = ("lower_quartile", "median", "upper_quartile")
MOST_CASE_IDS = 1000
"""An alert names at most so many cases, the latest received; its counts are of all of them."""
_NEVER = 1 << 30  # a day that no case has


def clinical_of(
    cases: pl.DataFrame, keys: Keys, strata: Sequence[str], separator: str
) -> list[dict[str, Any]]:
    """Return the clinical fields of the alert on each pair, by those of `schemas.alert.Alert`.

    Parameters
    ----------
    cases
        Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs.
    keys
        The pairs, sorted, each once; those without a case too.
    strata
        Names of strata, `age group, sex, region`, by code.
    separator
        Joins the parts of a name.
    """
    at = np.searchsorted(keys, cases["key"].to_numpy())
    course = cases["course"].to_numpy()
    began = cases["began"].to_numpy().astype(np.int64)  # signed: an event may begin after receipt
    received = cases["day"].to_numpy().astype(np.int64) + _EPOCH.toordinal()
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
    at: Places,
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
    at: Places, began: npt.NDArray[np.int64], size: int
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
    at: Places, start: npt.NDArray[np.int64], began: npt.NDArray[np.int64], size: int
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


def extra_fields_of(
    cases: pl.DataFrame,
    keys: Keys,
    view: CountsView,
    days: tuple[int | None, int],
    was: npt.NDArray[Any],
    named: Mapping[int, Hashes],
) -> list[dict[str, Any]]:
    """Return the fields of each alert that do not influence whether it is published, by name.

    Parameters
    ----------
    cases
        Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs and days.
    keys
        The pairs, sorted, each once; those without a case too.
    was, named
        As of `new_cases`.
    """
    columns = {
        "n_new": new_cases(cases, keys, was, named),
        **view.removals.counts(keys, *days),
    }
    others = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    clinical = clinical_of(cases, keys, view.strata.names, UNIT)
    return [{**one, **other} for one, other in zip(clinical, others, strict=True)]


def new_cases(
    cases: pl.DataFrame, keys: Keys, was: npt.NDArray[Any], named: Mapping[int, Hashes]
) -> list[int | None]:
    """Return how many cases each pair has that the revision before did not count.

    `None` without one, and where it had more cases than an alert names: nobody knows then which
    they were.

    Parameters
    ----------
    cases
        Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs.
    keys
        The pairs, sorted, each once.
    was
        The published state of each (`streams.core.signals.decisions.Decisions`).
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


def after_notice(
    cases: pl.DataFrame, keys: pl.Series, drugs: pl.Series, acted: Mapping[str, date]
) -> pl.Series:
    """Return how many cases of each pair were first received after a regulatory action.

    Parameters
    ----------
    cases
        Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs.
    keys, drugs
        The pairs, and the drug of each.
    acted
        By class of the domain's vocabulary, the highest: the day an authority first acted on it.

    Returns
    -------
    polars.Series
        `n_post_notice` [cases], in the order of `keys`; null where no authority is known to have.
    """
    if not acted:
        return pl.Series("n_post_notice", [None] * len(keys), dtype=pl.Int64)
    days = {
        key: (acted[top] - _EPOCH).days
        for key, drug in zip(keys.to_list(), drugs.to_list(), strict=True)
        if (code := CLASS_OF_NAME[drug])
        and (top := domain_vocabulary().classes_of(code)[-1]) in acted
    }
    later = dict.fromkeys(days, 0)
    for key, day in cases.filter(pl.col("key").is_in(list(days))).select("key", "day").iter_rows():
        later[key] += day > days[key]
    return pl.Series("n_post_notice", [later.get(key) for key in keys.to_list()], dtype=pl.Int64)


def facts_of(cases: pl.DataFrame, keys: Keys, facets: Masks) -> pl.DataFrame:
    """Sum up the cases of pairs.

    Parameters
    ----------
    cases
        Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs.
    keys
        The pairs, sorted, each once; those without a case too.
    facets
        Result of `streams.core.signals.new_evidence.facets_of_strata`.

    Returns
    -------
    polars.DataFrame
        `key`, `n_serious`, `n_fatal`, `n_paediatric`, `facets` [bits], `first_received` and
        `last_received` [date, null without a case], `case_ids` and their hashes `named`.
    """
    at = np.searchsorted(keys, cases["key"].to_numpy())
    days = cases["day"].to_numpy().astype(np.int64)  # as what they are compared with, or slowly
    first, last = np.full(len(keys), _NEVER), np.full(len(keys), -_NEVER)
    np.minimum.at(first, at, days)
    np.maximum.at(last, at, days)
    bits, of_pairs = facets_of_cases(cases, at, facets, len(keys))
    counted = {
        "n_serious": cases["serious"].to_numpy(),
        "n_fatal": cases["fatal"].to_numpy(),
        "n_paediatric": bits & PAEDIATRIC_BIT > 0,
    }
    numbers = {name: np.bincount(at[of], minlength=len(keys)) for name, of in counted.items()}
    latest = by_key(_latest(cases, at, days, len(keys)), keys)
    return pl.DataFrame(
        {
            "key": keys,
            **numbers,
            "facets": of_pairs,
            "first_received": _dates(first, _NEVER),
            "last_received": _dates(last, -_NEVER),
            **{name: latest[name].fill_null([]) for name in ("case_ids", "named")},
        }
    )


def _dates(days: Keys, never: int) -> pl.Series:
    return pl.Series(days, dtype=pl.Int32).replace(never, None).cast(pl.Date)


def _latest(cases: pl.DataFrame, at: npt.NDArray[np.intp], days: Keys, size: int) -> pl.DataFrame:
    """Return the ids of the latest cases of each pair that has any, sorted, and their hashes."""
    named = cases[["key", "case_id"]]
    many = np.bincount(at, minlength=size) > MOST_CASE_IDS
    if many.any():
        # Of those of the earliest day that is named, the last by name; of the days before, none.
        since = np.full(size, -_NEVER)
        for pair in np.flatnonzero(many):
            since[pair] = np.partition(days[at == pair], -MOST_CASE_IDS)[-MOST_CASE_IDS]
        later, on_it = days > since[at], days == since[at]
        room = MOST_CASE_IDS - np.bincount(at[later], minlength=size)
        of_day, pairs = rows_where(named, on_it).sort("key", "case_id"), np.sort(at[on_it])
        from_end = np.searchsorted(pairs, pairs, side="right") - np.arange(len(pairs))
        kept = rows_where(of_day, from_end <= room[pairs])
        named = stacked([rows_where(named, later), kept])
    ids = pl.col("case_id")
    return named.group_by("key").agg(case_ids=ids.sort(), named=ids.hash())
