"""Case stage: consumes versions of cases, gives changes of the counted population.

The law of this project: after any messages, in any order and with any repeats, the changes sum to
a batch count of the latest version of every case, without those that a link keeps out.

A link is a case version with nothing but the link (`link_version`): it travels with the versions
and is stored with the case. A case without a link costs only a check of an empty tuple.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from schemas.delta import NONE_REMOVED
from streams.core.cases.link_decisions import is_suspected
from streams.core.cases.names import SEPARATOR
from streams.core.cases.versions import (
    RELEASE,
    CaseVersion,
    as_counted,
    as_released,
    bare,
    joined,
    release_key,
    removal_of,
)

__all__ = ["CaseStep", "CaseVersion", "advance", "joined"]

# Shared constants: most columns of changes repeat the value for "not stated".
_NO_TEXT = pl.Series([""], dtype=pl.String)
_NO = pl.Series([False], dtype=pl.Boolean)
_NO_CODES = pl.Series([None], dtype=pl.List(pl.UInt32))
_NO_NAMES = pl.Series([None], dtype=pl.List(pl.String))


@dataclass(frozen=True, slots=True)
class CaseStep:
    """Result of applying a batch of versions.

    Attributes
    ----------
    changes
        Columns of `schemas.delta.CASE_CHANGES`; per case at most one row -1 and one row +1.
    removed
        Likewise columns of `schemas.delta.REMOVED_CHANGES`.
    updates
        The versions to store, by case id: only cases whose latest version changed.
    tally
        Messages by outcome: `first` (a new case), `replaced`, `repeated`, `stale`, and
        `conflicting` (the sender gave one number to two contents); `linked` and `repeated_link`
        for links that did and did not change the stored decisions; `released` and
        `repeated_release` for release markers.
    population
        Change of the number of current cases: `counted`, and by reason of exclusion. Cases known
        only by a link are not included.
    """

    changes: pl.DataFrame
    removed: pl.DataFrame
    updates: dict[str, CaseVersion]
    tally: Counter[str]
    population: Counter[str]


def advance(versions: Iterable[CaseVersion], stored: Mapping[str, CaseVersion]) -> CaseStep:
    """Replace earlier versions by later ones; a stale or repeated version changes nothing.

    Parameters
    ----------
    versions
        Versions in order of arrival, of any cases.
    stored
        The latest version known so far, for every case among `versions` that has one; the markers
        of the scopes of `versions`, by `release_key`; for every marker among `versions`, the cases
        of its scope of an older release.
    """
    updates, tally = _latest(versions, stored)
    _withdraw(updates, stored)
    changed = _population(updates, stored)
    removed = _removed(
        (stored.get(case_id), updates[case_id]) for case_id in dict.fromkeys(changed.out)
    )
    changes = _changes(changed.rows, changed.signs)
    return CaseStep(changes, removed, updates, tally, changed.population)


def _latest(
    versions: Iterable[CaseVersion], stored: Mapping[str, CaseVersion]
) -> tuple[dict[str, CaseVersion], Counter[str]]:
    """Return the versions to store, by case id, and the tally of the messages."""
    updates: dict[str, CaseVersion] = {}
    first = replaced = repeated = stale = conflicting = 0
    links, markers = Counter[str](), Counter[str]()
    for version in versions:
        case_id = version.case_id
        current = updates.get(case_id)
        if current is None:
            current = stored.get(case_id)
        if version.links:
            after = version if current is None else joined(version, current)
            links["repeated_link" if after == current else "linked"] += 1
            if after != current:
                updates[case_id] = after
            continue
        if version.version == RELEASE:
            is_newer = current is None or version > current
            markers["released" if is_newer else "repeated_release"] += 1
            if is_newer:
                updates[case_id] = version
            continue
        if current is None:
            updates[case_id] = version
            first += 1
            continue
        whole = current
        if current.links or current.nullified or current.withdrawn:
            current = bare(current)
        if version > current:
            is_plain = not (whole.links or version.nullified)
            updates[case_id] = version if is_plain else joined(version, whole)
            if current.version < 0:
                first += 1
            elif version.same_message(current):
                conflicting += 1
            else:
                replaced += 1
        elif version == current:
            repeated += 1
        elif version.same_message(current):
            conflicting += 1
        else:
            stale += 1
            if current.nullified and (after := joined(version, whole)) != whole:
                updates[case_id] = after  # a later version of a nullified case
    tally = (
        links
        + markers
        + Counter(
            first=first, replaced=replaced, repeated=repeated, stale=stale, conflicting=conflicting
        )
    )
    return updates, +tally


def _withdraw(updates: dict[str, CaseVersion], stored: Mapping[str, CaseVersion]) -> None:
    """Withdraw updated cases that a newer release of their scope does not have, and stored ones."""
    closed = {version.scope for version in updates.values() if version.version == RELEASE}
    for case_id, version in stored.items():
        if version.scope in closed and version.version >= 0:
            updates.setdefault(case_id, version)
    for case_id, version in list(updates.items()):
        if version.version < 0 or not (version.scope or version.withdrawn):
            continue
        key = release_key(version.scope)
        released = as_released(version, updates.get(key) or stored.get(key))
        if released == stored.get(case_id):
            del updates[case_id]
        else:
            updates[case_id] = released


class _Population(NamedTuple):
    """Changes of the counted population.

    Attributes
    ----------
    rows, signs
        Versions that enter it, +1, or leave it, -1.
    out
        Cases that do not count, or did not; may contain duplicates.
    population
        See `CaseStep`.
    """

    rows: list[CaseVersion]
    signs: list[int]
    out: list[str]
    population: Counter[str]


def _population(
    updates: Mapping[str, CaseVersion], stored: Mapping[str, CaseVersion]
) -> _Population:
    """Compare the versions to store with those that are stored."""
    rows: list[CaseVersion] = []
    signs: list[int] = []
    out: list[str] = []
    population: Counter[str] = Counter()
    counted = 0
    for case_id, version in updates.items():
        before = stored.get(case_id)
        now = version
        if version.links or version.withdrawn or version.version < 0:
            counted_now = as_counted(version)
            if counted_now is None:
                continue
            now = counted_now
        if before is not None and (before.links or before.withdrawn):
            before = as_counted(before)
        if now.excluded:
            population[now.excluded] += 1
            out.append(case_id)
        else:
            counted += 1
        if before is not None:
            if before.excluded:
                population[before.excluded] -= 1
                out.append(case_id)
            else:
                counted -= 1
            if now.counts_as(before):
                continue
            if not before.excluded:
                rows.append(before)
                signs.append(-1)
        if not now.excluded:
            rows.append(now)
            signs.append(1)
    if counted:
        population["counted"] = counted
    return _Population(rows, signs, out, population)


def _removed(moves: Iterable[tuple[CaseVersion | None, CaseVersion]]) -> pl.DataFrame:
    """Return the changes of removed cases, from the stored versions to the new ones."""
    rows: list[CaseVersion] = []
    signs: list[int] = []
    reasons: list[str] = []
    for before, version in moves:
        was, now = removal_of(before), removal_of(version)
        if was and now and was[1] == now[1] and now[0].counts_as(was[0]):
            continue
        for removal, sign in ((was, -1), (now, 1)):
            if removal is not None:
                rows.append(removal[0])
                signs.append(sign)
                reasons.append(removal[1])
    if not rows:
        return NONE_REMOVED
    return _changes(rows, signs).with_columns(pl.Series("reason", reasons, dtype=pl.String))


def _changes(rows: Sequence[CaseVersion], signs: Sequence[int]) -> pl.DataFrame:
    # Single series, and constants where nothing is stated: most of the cost of a small batch.
    # polars splits joined strings: building lists from Python lists takes 50 times as long.
    links = [row.links for row in rows]
    suspected = (
        [is_suspected(decisions) for decisions in links] if any(links) else [False] * len(links)
    )
    names = pl.DataFrame(
        [
            pl.Series("drugs", [row.drugs for row in rows], pl.String),
            pl.Series("events", [row.events for row in rows], pl.String),
        ]
    ).select(pl.all().str.split(SEPARATOR))
    return pl.DataFrame(
        [
            pl.Series("case_id", [row.case_id for row in rows], pl.String),
            pl.Series("day", [row.day for row in rows], pl.Int32).cast(pl.Date),
            pl.Series("age_group", [row.age_group for row in rows], pl.String),
            pl.Series("sex", [row.sex for row in rows], pl.String),
            pl.Series("region", [row.region for row in rows], pl.String),
            _flags("serious", [row.serious for row in rows]),
            _flags("fatal", [row.fatal for row in rows]),
            *names,
            pl.Series("origin", [row.origin for row in rows], pl.String),
            _texts("indications", [row.indications for row in rows]),
            pl.Series("completeness", [row.completeness for row in rows], pl.UInt8),
            _flags("suspected_duplicate", suspected),
            _flags("life_threatening", [row.life_threatening for row in rows]),
            _lists("courses", [row.courses for row in rows], _NO_CODES),
            _lists("onsets", [row.onsets for row in rows], _NO_CODES),
            _lists("drug_spellings", [row.drug_spellings for row in rows], _NO_NAMES),
            _lists("event_spellings", [row.event_spellings for row in rows], _NO_NAMES),
            _texts("watched", [row.watched for row in rows]),
            pl.Series("age_years", [row.age_years for row in rows], pl.Float64),
            _texts("subdivision", [row.subdivision for row in rows]),
            pl.Series("n", signs, pl.Int8),
        ]
    )


def _texts(name: str, texts: Sequence[str]) -> pl.Series:
    if not any(texts):
        return _NO_TEXT.alias(name).new_from_index(0, len(texts))
    return pl.Series(name, texts, pl.String)


def _flags(name: str, flags: Sequence[bool]) -> pl.Series:
    if not any(flags):
        return _NO.alias(name).new_from_index(0, len(flags))
    return pl.Series(name, flags, pl.Boolean)


def _lists(name: str, texts: Sequence[str], none: pl.Series) -> pl.Series:
    """Return joined codes or names as lists; for the empty text null, as in `none`."""
    if not any(texts):
        return none.alias(name).new_from_index(0, len(texts))
    stated = pl.Series(name, [text or None for text in texts], pl.String)
    return stated.str.split(SEPARATOR).cast(none.dtype)
