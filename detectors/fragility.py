"""Fewest cases, or groups of cases, whose removal turns a rule off: the fragility of a signal.

Sizes are tried from one on, since a statistic need not fall with every case removed. For each size
the weakest value of every statistic bounds what a removal can reach, and the removals that reach
one of them show what some removal does: if both turn the rule off at the same size, it is the
fewest. Else all removals are tried where they are few.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np

from detectors.anytime_valid_state import Ints
from detectors.case_removal import (
    Flags,
    PairCases,
    Removals,
    in_one_order,
    joined,
    weakest_removals,
    without,
)
from detectors.conditions import Comparison
from detectors.rules import Rule

__all__ = [
    "MOST_REMOVED",
    "Fewest",
    "Search",
    "Traits",
    "fewest_cases",
    "fewest_groups",
    "traits_of",
]

MOST_REMOVED = 128
"""Most cases whose removal is searched [cases]; for more an upper bound is given."""

_STAGES = (8, 32, MOST_REMOVED)
_MOST_TRIED = 4096  # removals of one pair that are tried one by one
_MOST_UNIONS = 256  # likewise unions of groups
_GROWTH = 1.1  # ratio of successive sizes beyond `MOST_REMOVED`

_EVIDENCE_IN_STRATA = frozenset(
    {
        *("ic_adjusted", "ic_lower_adjusted", "ic_upper_adjusted"),
        *("ebgm_adjusted", "eb05_adjusted", "eb95_adjusted"),
    }
)
_EVIDENCE_OF_DAYS = frozenset(
    {"e_value", "log_e_value", "e_value_blocked", "log_e_value_blocked"},
)
_OF_ALL_PAIRS = frozenset({"e_bh_level", "e_bh_level_blocked", "e_value_budgeted"})
_OF_STRATA = _EVIDENCE_IN_STRATA | {"expected_adjusted"}
_OF_DAYS = _EVIDENCE_OF_DAYS | _OF_ALL_PAIRS

Held = Callable[[Ints, Removals], Ints]
"""Bits of the rules that hold after removals, of the pair with the place given of each."""


class Fewest(NamedTuple):
    """Fewest cases or groups whose removal turns a rule off; `n` is None if no removal does."""

    n: int | None
    is_exact: bool


class Traits(NamedTuple):
    """Properties of a rule that decide whether its fragility is exact.

    Attributes
    ----------
    of_pair
        Whether it compares no statistic of all pairs together, such as the level of e-BH. Such a
        statistic is taken as it is.
    bounded
        Whether the weakest statistics bound it: each comparison asks for strong ones.
    uses_strata, uses_days
        Whether it depends on the strata of the cases removed, and on their days; if on neither, on
        their number alone.
    """

    of_pair: bool
    bounded: bool
    uses_strata: bool
    uses_days: bool


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """A pair and the rules that are on for it.

    Attributes
    ----------
    place
        Passed on to `Held`.
    rules
        Their bits.
    allowed
        Whether each case may be removed.
    """

    place: int
    pair: PairCases
    rules: tuple[int, ...]
    allowed: Flags


@dataclass(slots=True)
class _Found:
    """First sizes at which the bounds, and some removal, turn each rule off."""

    bound: dict[int, int] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)
    complete: bool = True


def traits_of(rule: Rule) -> Traits:
    """Return what is known of a rule after removals, from its comparisons."""
    return Traits(
        of_pair=all(map(_is_of_pair, rule.comparisons)),
        bounded=all(map(_is_bounded, rule.comparisons)),
        uses_strata=bool(rule.statistics & _OF_STRATA),
        uses_days=bool(rule.statistics & _OF_DAYS),
    )


def _is_of_pair(leaf: Comparison) -> bool:
    if leaf.statistic not in _OF_ALL_PAIRS:
        return True
    never_ends = leaf.op in (">", ">=") and leaf.exit_bound <= 0
    return leaf.statistic == "e_value_budgeted" and never_ends


def _is_bounded(leaf: Comparison) -> bool:
    at_least = leaf.op in (">", ">=")
    if leaf.statistic == "expected_adjusted":
        return not at_least
    return at_least or leaf.statistic not in _EVIDENCE_IN_STRATA | _EVIDENCE_OF_DAYS


def fewest_cases(
    searches: Sequence[Search], held: Held, traits: Mapping[int, Traits]
) -> list[dict[int, Fewest]]:
    """Return the fewest cases whose removal turns each rule of each search off.

    Parameters
    ----------
    held
        Evaluates the rules after removals.
    traits
        Result of `traits_of` each rule, by its bit.

    Notes
    -----
    Exact if bound and removal agree, which they do for nearly all pairs, or if all removals were
    tried; else an upper bound. Beyond `MOST_REMOVED` cases always an upper bound.
    """
    found = [_Found() for _ in searches]
    first = 1
    for most in _STAGES:
        unresolved = [
            place
            for place, search in enumerate(searches)
            if first <= np.count_nonzero(search.allowed)
            and any(rule not in found[place].reached for rule in search.rules)
        ]
        if unresolved:
            _search_sizes(searches, found, unresolved, held, (first, most))
        first = most + 1
    for search, result in zip(searches, found, strict=True):
        _search_beyond(search, result, held, traits)
    return [
        {rule: _settled(search, result, rule, held, traits[rule]) for rule in search.rules}
        for search, result in zip(searches, found, strict=True)
    ]


def _search_sizes(
    searches: Sequence[Search],
    found: Sequence[_Found],
    unresolved: Sequence[int],
    held: Held,
    sizes: tuple[int, int],
) -> None:
    """Evaluate the bounds and the removals of a range of sizes."""
    parts: list[Removals] = []
    places: list[int] = []
    for place in unresolved:
        search = searches[place]
        most = min(sizes[1], int(np.count_nonzero(search.allowed)))
        weakest = weakest_removals(search.pair, search.allowed, sizes[0], most)
        found[place].complete &= weakest.complete
        parts += [weakest.bounds, without(search.pair, weakest.removals)]
        places += [search.place] * 2
    masks = _evaluated(parts, places, held)
    for at, place in enumerate(unresolved):
        for rule in searches[place].rules:
            for firsts, part in ((found[place].bound, 2 * at), (found[place].reached, 2 * at + 1)):
                ended = parts[part].n_removed[masks[part] >> rule & 1 == 0]
                if len(ended) and rule not in firsts:
                    firsts[rule] = int(ended.min())


def _evaluated(parts: Sequence[Removals], places: Sequence[int], held: Held) -> list[Ints]:
    lengths = [len(part.n_removed) for part in parts]
    masks = held(np.repeat(places, lengths), joined(parts))
    return np.split(masks, np.cumsum(lengths)[:-1])


def _search_beyond(
    search: Search, result: _Found, held: Held, traits: Mapping[int, Traits]
) -> None:
    """Search rules that the removal of `MOST_REMOVED` cases does not turn off.

    Of a rule on the number of cases alone every size is tried; of others some, for an upper bound.
    """
    n_allowed = int(np.count_nonzero(search.allowed))
    missing = [rule for rule in search.rules if rule not in result.reached]
    if n_allowed <= MOST_REMOVED or not missing:
        return
    sizes = [MOST_REMOVED]
    while sizes[-1] < n_allowed:
        sizes.append(min(n_allowed, int(sizes[-1] * _GROWTH)))
    some = without(search.pair, in_one_order(search.pair, search.allowed, np.array(sizes[1:])))
    numbers = np.arange(MOST_REMOVED + 1, n_allowed + 1)
    alike = np.zeros(len(numbers))
    every = Removals(numbers, alike, {name: alike for name in search.pair.tests})
    masks = _evaluated([some, every], [search.place] * 2, held)
    for rule in missing:
        by_number = not (traits[rule].uses_strata or traits[rule].uses_days)
        part, mask = (every, masks[1]) if by_number else (some, masks[0])
        ended = part.n_removed[mask >> rule & 1 == 0]
        if len(ended):
            result.reached[rule] = int(ended.min())
            if by_number:
                result.bound[rule] = result.reached[rule]


def _settled(search: Search, result: _Found, rule: int, held: Held, traits: Traits) -> Fewest:
    """Return the fewest cases of one rule; where bounds do not tell, try all if they are few."""
    n_allowed = int(np.count_nonzero(search.allowed))
    reached = result.reached.get(rule)
    if reached == 1 or not traits.of_pair:
        return Fewest(reached, reached == 1)
    bound = 1
    if traits.bounded and (result.complete or not traits.uses_days):
        bound = result.bound.get(rule, min(n_allowed, MOST_REMOVED) + 1)
    last = n_allowed if reached is None else reached - 1
    if bound > last:
        return Fewest(reached, is_exact=True)
    sizes = range(bound, last + 1)
    if sum(comb(n_allowed, size) for size in sizes) > _MOST_TRIED:
        return Fewest(reached, is_exact=False)
    single = np.flatnonzero(search.allowed)[:, None] == np.arange(search.pair.n_cases)
    rows = np.array([union for size in sizes for union in _unions(single, size)])
    ended = _ended(search, rows, held, rule)
    return Fewest(int(ended.min()) if len(ended) else reached, is_exact=True)


def _ended(search: Search, rows: Flags, held: Held, rule: int) -> Ints:
    """Return the sizes of the removals that turn a rule off."""
    removals = without(search.pair, rows)
    (masks,) = _evaluated([removals], [search.place], held)
    ended: Ints = removals.n_removed[masks >> rule & 1 == 0]
    return ended


def _unions(groups: Flags, size: int) -> Iterator[Flags]:
    """Yield the union of every so many groups."""
    for which in combinations(range(len(groups)), size):
        union: Flags = np.logical_or.reduce(groups[list(which)])
        yield union


def fewest_groups(
    searches: Sequence[tuple[Search, Flags]],
    of_cases: Sequence[Mapping[int, Fewest]],
    held: Held,
    traits: Mapping[int, Traits],
) -> list[dict[int, Fewest]]:
    """Return the fewest groups of cases whose joint removal turns each rule off.

    Parameters
    ----------
    searches
        Each with its groups, one row a group: whether each case is of it.
    of_cases
        Result of `fewest_cases` for the same pairs: groups of fewer cases need not be tried.
    held, traits
        See `fewest_cases`.

    Notes
    -----
    Unions are tried from one group on, as long as they are few; behind those, the largest groups
    together, which gives an upper bound.
    """
    if not searches:
        return []
    tried = [
        _tried_unions(groups, least) for (_, groups), least in zip(searches, of_cases, strict=True)
    ]
    parts = [
        without(search.pair, rows)
        for (search, _), (_, rows, _) in zip(searches, tried, strict=True)
    ]
    masks = _evaluated(parts, [search.place for search, _ in searches], held)
    results = []
    for (search, groups), (sizes, _, through), least, mask in zip(
        searches, tried, of_cases, masks, strict=True
    ):
        result = {}
        for rule in search.rules:
            ended = sizes[mask >> rule & 1 == 0]
            n = int(ended.min()) if len(ended) else None
            known = n is not None and n - 1 <= max(through, _too_few(groups, least[rule]))
            result[rule] = Fewest(n, n == 1 or (known and traits[rule].of_pair))
        results.append(result)
    return results


def _tried_unions(groups: Flags, least: Mapping[int, Fewest]) -> tuple[Ints, Flags, int]:
    """Return unions of groups, the number of groups of each, and through which number all are."""
    through = min(_too_few(groups, fewest) for fewest in least.values())
    sizes: list[int] = []
    rows: list[Flags] = []
    while through < len(groups) and len(rows) + comb(len(groups), through + 1) <= _MOST_UNIONS:
        through += 1
        rows += _unions(groups, through)
        sizes += [through] * (len(rows) - len(sizes))
    largest_first = groups[np.argsort(-groups.sum(axis=1), kind="stable")]
    rows += list(np.logical_or.accumulate(largest_first, axis=0))
    sizes += range(1, len(groups) + 1)
    return np.array(sizes), np.array(rows), through


def _too_few(groups: Flags, fewest: Fewest) -> int:
    """Return the most groups that together have fewer cases than turn the rule off."""
    if fewest.n is None or not fewest.is_exact:
        return 0
    together = np.cumsum(np.sort(groups.sum(axis=1))[::-1])
    return int(np.searchsorted(together, fewest.n))
