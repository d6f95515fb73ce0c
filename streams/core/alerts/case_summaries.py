"""Summaries of the cases of pairs: patients, seriousness, lots, dechallenge, onset, new cases."""

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
from streams.core.cases.levels import class_of_name
from streams.core.counting.case_codes import UNIT
from streams.core.counting.sorted_counts import Keys, Places, places_of
from streams.core.signals.counts_view import CountsView
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
# In the order of the vocabularies; an unknown value is a group of its own.
_GROUPS = (
    *(name if name != AgeGroup.UNKNOWN.value else "age_unknown" for name in _AGES),
    *(name if name != Sex.UNKNOWN.value else "sex_unknown" for name in _SEXES),
)
_EPOCH = date(1970, 1, 1)
_QUARTILES = ("lower_quartile", "median", "upper_quartile")
MOST_CASE_IDS = 1000
"""Most cases that an alert names, the latest received [cases]; its counts include all."""
_NEVER = 1 << 30  # a day that no case has


def clinical_of(
    cases: pl.DataFrame, keys: Keys, strata: Sequence[str], separator: str
) -> list[dict[str, Any]]:
    """Return the clinical fields of the alert on each pair, by name.

    Parameters
    ----------
    cases
        Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs.
    keys
        The pairs, sorted, each once; also those without a case.
    strata
        Names of strata, `age group, sex, region`, by code.
    separator
        Separator of the parts of a name.
    """
    places = np.searchsorted(keys, cases["key"].to_numpy())
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
            name: np.bincount(places[holds], minlength=len(keys)).tolist()
            for name, holds in counts.items()
        },
        **_onset_days(places, began, len(keys)),
        "patients": _patients(places, cases["stratum"].to_numpy(), strata, separator, len(keys)),
        "time_to_onset": _times_to_onset(
            places,
            (course >> START).astype(np.int64),
            began,
            len(keys),
        ),
    }
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _patients(
    places: Places,
    stratum: npt.NDArray[np.uint32],
    strata: Sequence[str],
    separator: str,
    size: int,
) -> list[PatientGroups]:
    parts = [name.split(separator) for name in strata]
    tables = []
    for names, values in (
        (_AGES, [age for age, _, _ in parts]),
        (_SEXES, [sex for _, sex, _ in parts]),
    ):
        group = np.array([names.index(name) for name in values], dtype=np.intp)[stratum]
        cells = np.bincount(places * len(names) + group, minlength=size * len(names))
        tables.append(cells.reshape(size, len(names)))
    return [_patients_of(*row) for row in np.hstack(tables).tolist()]


@lru_cache(maxsize=1 << 10)  # small counts repeat; an entry takes a kilobyte
def _patients_of(*counts: int) -> PatientGroups:
    groups: dict[str, Any] = dict(zip(_GROUPS, counts, strict=True))
    return PatientGroups.model_construct(**groups)


def _onset_days(
    places: Places, began: npt.NDArray[np.int64], size: int
) -> dict[str, list[date | None]]:
    """Return the first and the last onset of each pair; `None` if no case states one."""
    stating = began > 0
    first = np.full(size, date.max.toordinal() + 1)
    last = np.zeros(size, dtype=np.int64)
    np.minimum.at(first, places[stating], began[stating])
    np.maximum.at(last, places[stating], began[stating])
    of_pairs = list(zip(first.tolist(), last.tolist(), strict=True))
    return {
        "first_onset": [date.fromordinal(day) if stated else None for day, stated in of_pairs],
        "last_onset": [date.fromordinal(day) if day else None for _, day in of_pairs],
    }


def _times_to_onset(
    places: Places, start: npt.NDArray[np.int64], began: npt.NDArray[np.int64], size: int
) -> list[TimeToOnset | None]:
    """Return the time to onset of each pair; `None` if no case states both days."""
    found: list[TimeToOnset | None] = [None] * size
    dated = (start > 0) & (began > 0)
    if not dated.any():
        return found
    places, days = places[dated], (began - start)[dated]
    n_before = np.bincount(places[days < 0], minlength=size)
    places, days = places[days >= 0], days[days >= 0]
    days = days[np.lexsort((days, places))]
    n = np.bincount(places, minlength=size)
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
        quarters: dict[str, Any] = dict(zip(_QUARTILES, of_pair, strict=True))
        found[pair] = TimeToOnset.model_construct(
            n=int(n[pair]), n_before=int(n_before[pair]), **quarters
        )
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
        The pairs, sorted, each once; also those without a case.
    was, named
        See `new_cases`.
    """
    columns = {
        "n_new": new_cases(cases, keys, was, named),
        **view.removals.counts(keys, *days),
    }
    numbers = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    clinical = clinical_of(cases, keys, view.strata.names, UNIT)
    return [{**fields, **of_pair} for fields, of_pair in zip(clinical, numbers, strict=True)]


def new_cases(
    cases: pl.DataFrame, keys: Keys, was: npt.NDArray[Any], named: Mapping[int, Hashes]
) -> list[int | None]:
    """Return the number of cases of each pair that the previous revision did not count.

    `None` without a previous revision, or if it had more cases than an alert names, since the
    others are then unknown.

    Parameters
    ----------
    cases
        Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs.
    keys
        The pairs, sorted, each once.
    was
        The published state of each (`streams.core.signals.decisions.Decisions`).
    named
        By key, hashes of the ids of the cases that the previous revision names.
    """
    found: list[int | None] = [None] * len(keys)
    asked = np.flatnonzero((was["revision"] > 0) & (was["n_observed"] <= MOST_CASE_IDS))
    if len(asked) == 0:
        return found
    of_pairs = keys[asked]
    before = [named[key] for key in of_pairs.tolist()]
    now, places = places_of(of_pairs, cases["key"].to_numpy())
    sizes = [len(hashes) for hashes in before]
    pair = np.concatenate([np.repeat(np.arange(len(asked)), sizes), places])
    case = np.concatenate([*before, cases["case_id"][now].hash().to_numpy()])
    # Each part names a case of a pair once: of two equal entries the first is the published one.
    order = np.lexsort((case, pair))
    pair, case = pair[order], case[order]
    is_new = order >= len(order) - len(now)
    is_new[1:] &= (pair[1:] != pair[:-1]) | (case[1:] != case[:-1])
    counts = np.bincount(pair[is_new], minlength=len(asked))
    for place, n in zip(asked.tolist(), counts.tolist(), strict=True):
        found[place] = n
    return found


def after_notice(
    cases: pl.DataFrame, keys: pl.Series, drugs: pl.Series, acted: Mapping[str, date]
) -> pl.Series:
    """Count the cases of each pair first received after a regulatory action.

    Parameters
    ----------
    cases
        Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs.
    keys, drugs
        The pairs, and the drug of each.
    acted
        By highest class of the domain's vocabulary: the day an authority first acted on it.

    Returns
    -------
    polars.Series
        `n_post_notice` [cases], in the order of `keys`; null where no action is known.
    """
    if not acted:
        return pl.Series("n_post_notice", [None] * len(keys), dtype=pl.Int64)
    days = {
        key: (acted[top] - _EPOCH).days
        for key, drug in zip(keys.to_list(), drugs.to_list(), strict=True)
        if (code := class_of_name(drug))
        and (top := domain_vocabulary().classes_of(code)[-1]) in acted
    }
    later = dict.fromkeys(days, 0)
    for key, day in cases.filter(pl.col("key").is_in(list(days))).select("key", "day").iter_rows():
        later[key] += day > days[key]
    return pl.Series("n_post_notice", [later.get(key) for key in keys.to_list()], dtype=pl.Int64)


def facts_of(cases: pl.DataFrame, keys: Keys, facets: Masks) -> pl.DataFrame:
    """Summarise the cases of pairs.

    Parameters
    ----------
    cases
        Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs.
    keys
        The pairs, sorted, each once; also those without a case.
    facets
        Result of `streams.core.signals.new_evidence.facets_of_strata`.

    Returns
    -------
    polars.DataFrame
        `key`, `n_serious`, `n_fatal`, `n_paediatric`, `facets` [bits], `first_received` and
        `last_received` [date, null without a case], `case_ids` and their hashes `named`.
    """
    places = np.searchsorted(keys, cases["key"].to_numpy())
    days = cases["day"].to_numpy().astype(np.int64)  # of the type they are compared with: faster
    first, last = np.full(len(keys), _NEVER), np.full(len(keys), -_NEVER)
    np.minimum.at(first, places, days)
    np.maximum.at(last, places, days)
    bits, of_pairs = facets_of_cases(cases, places, facets, len(keys))
    counted = {
        "n_serious": cases["serious"].to_numpy(),
        "n_fatal": cases["fatal"].to_numpy(),
        "n_paediatric": bits & PAEDIATRIC_BIT > 0,
    }
    numbers = {
        name: np.bincount(places[flags], minlength=len(keys)) for name, flags in counted.items()
    }
    latest = pl.DataFrame({"key": keys}).join(
        _latest(cases, places, days, len(keys)), on="key", how="left", maintain_order="left"
    )
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


def _latest(
    cases: pl.DataFrame, places: npt.NDArray[np.intp], days: Keys, size: int
) -> pl.DataFrame:
    """Return the ids of the latest cases of each pair that has any, sorted, and their hashes."""
    named = cases[["key", "case_id"]]
    many = np.bincount(places, minlength=size) > MOST_CASE_IDS
    if many.any():
        # Of the earliest day that is named the last ones by id; of the days before none.
        since = np.full(size, -_NEVER)
        for pair in np.flatnonzero(many):
            since[pair] = np.partition(days[places == pair], -MOST_CASE_IDS)[-MOST_CASE_IDS]
        later, on_it = days > since[places], days == since[places]
        room = MOST_CASE_IDS - np.bincount(places[later], minlength=size)
        of_day, pairs = named.filter(on_it).sort("key", "case_id"), np.sort(places[on_it])
        from_end = np.searchsorted(pairs, pairs, side="right") - np.arange(len(pairs))
        kept = of_day.filter(from_end <= room[pairs])
        named = pl.concat([named.filter(later), kept])
    ids = pl.col("case_id")
    return named.group_by("key").agg(case_ids=ids.sort(), named=ids.hash())
