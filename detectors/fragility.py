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
    "Fragilities",
    "Search",
    "Traits",
    "fewest_removals",
    "traits_of",
]

MOST_REMOVED = 128
"""Most cases whose removal is searched [cases]; for more an upper bound is given."""

_STAGES = (16, MOST_REMOVED)
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
    groups
        Matrices of groups, such as sources and lots; one row a group: whether each case is of it.
    """

    place: int
    pair: PairCases
    rules: tuple[int, ...]
    allowed: Flags
    groups: tuple[Flags, ...] = ()


class Fragilities(NamedTuple):
    """Fewest cases that turn each rule off, by its bit, and fewest groups of each matrix."""

    cases: Mapping[int, Fewest]
    groups: tuple[Mapping[int, Fewest], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Unions:
    """Unions of groups: the groups of each, and through which number all unions are tried."""

    groups: Flags
    sizes: Ints
    removals: Removals
    through: int


@dataclass(slots=True)
class _Found:
    """First sizes at which the bounds, and some removal, turn each rule off."""

    bound: dict[int, int] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)
    of_groups: list[dict[int, int]] = field(default_factory=list)
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


def fewest_removals(
    searches: Sequence[Search], held: Held, traits: Mapping[int, Traits]
) -> list[Fragilities]:
    """Return the fewest cases, and the fewest groups, that turn each rule of each search off.

    Parameters
    ----------
    held
        Evaluates the rules after removals.
    traits
        Result of `traits_of` each rule, by its bit.

    Notes
    -----
    A number of cases is exact if bound and removal agree, which they do for most pairs, or if all
    removals were tried; else it is an upper bound, as it is beyond `MOST_REMOVED` cases, unless the
    rule depends on the number of cases alone. Unions of groups are tried from one group on as long
    as they are few, and then those of the largest groups.
    """
    found = [_Found(of_groups=[{} for _ in search.groups]) for search in searches]
    unions = [[_unions_of(search.pair, groups) for groups in search.groups] for search in searches]
    first = 1
    for most in _STAGES:
        unresolved = [
            place
            for place, search in enumerate(searches)
            if first <= np.count_nonzero(search.allowed)
            and any(rule not in found[place].reached for rule in search.rules)
        ]
        if unresolved:
            of_groups = unions if first == 1 else [[] for _ in searches]
            _search_sizes(searches, found, unresolved, of_groups, held, (first, most))
        first = most + 1
    for search, result in zip(searches, found, strict=True):
        _search_beyond(search, result, held, traits)
    cases = _settled(searches, found, held, traits)
    return [
        Fragilities(
            of_cases,
            tuple(
                {
                    rule: _fewest_groups(each, least.get(rule), of_cases[rule], traits[rule])
                    for rule in search.rules
                }
                for each, least in zip(of_search, result.of_groups, strict=True)
            ),
        )
        for search, result, of_cases, of_search in zip(searches, found, cases, unions, strict=True)
    ]


def _search_sizes(
    searches: Sequence[Search],
    found: Sequence[_Found],
    unresolved: Sequence[int],
    unions: Sequence[Sequence[_Unions]],
    held: Held,
    sizes: tuple[int, int],
) -> None:
    """Evaluate the bounds and the removals of a range of sizes, and unions of groups."""
    parts: list[Removals] = []
    places: list[int] = []
    for place in unresolved:
        search = searches[place]
        most = min(sizes[1], int(np.count_nonzero(search.allowed)))
        weakest = weakest_removals(search.pair, search.allowed, sizes[0], most)
        found[place].complete &= weakest.complete
        reached = weakest.bounds
        if len(weakest.removals):
            reached = without(search.pair, weakest.removals)
        parts += [weakest.bounds, reached]
        parts += [each.removals for each in unions[place]]
        places += [search.place] * (2 + len(unions[place]))
    masks = iter(_evaluated(parts, places, held))
    evaluated = iter(parts)
    for place in unresolved:
        result, rules = found[place], searches[place].rules
        for firsts in (result.bound, result.reached):
            _note_first(firsts, rules, next(evaluated).n_removed, next(masks))
        for each, firsts in zip(unions[place], result.of_groups, strict=False):
            next(evaluated)
            _note_first(firsts, rules, each.sizes, next(masks))


def _note_first(firsts: dict[int, int], rules: Sequence[int], sizes: Ints, masks: Ints) -> None:
    """Enter the least size at which each rule is off, unless a lesser one is known."""
    for rule in rules:
        ended = sizes[masks >> rule & 1 == 0]
        if len(ended):
            firsts.setdefault(rule, int(ended.min()))


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
    expected, log_e = np.full(len(numbers), search.pair.expected), np.full(len(numbers), np.nan)
    every = Removals(numbers, expected, dict.fromkeys(search.pair.tests, log_e))
    masks = _evaluated([some, every], [search.place] * 2, held)
    for rule in missing:
        if traits[rule].uses_strata or traits[rule].uses_days:
            _note_first(result.reached, [rule], some.n_removed, masks[0])
        else:
            for firsts in (result.bound, result.reached):
                _note_first(firsts, [rule], numbers, masks[1])


def _settled(
    searches: Sequence[Search],
    found: Sequence[_Found],
    held: Held,
    traits: Mapping[int, Traits],
) -> list[dict[int, Fewest]]:
    """Return the fewest cases of each rule; where bounds do not tell, try all if they are few."""
    settled: list[dict[int, Fewest]] = [{} for _ in searches]
    tried: list[tuple[int, int, Removals]] = []
    for place, (search, result) in enumerate(zip(searches, found, strict=True)):
        for rule in search.rules:
            reached = result.reached.get(rule)
            sizes = _open_sizes(search, result, rule, traits[rule])
            n_allowed = int(np.count_nonzero(search.allowed))
            is_exact = reached == 1 or (traits[rule].of_pair and not sizes)
            settled[place][rule] = Fewest(reached, is_exact)
            few = sum(comb(n_allowed, size) for size in sizes) <= _MOST_TRIED
            if not is_exact and traits[rule].of_pair and few:
                tried.append((place, rule, _all_removals(search, sizes)))
    if tried:
        parts = [removals for _, _, removals in tried]
        places = [searches[place].place for place, _, _ in tried]
        for (place, rule, part), masks in zip(tried, _evaluated(parts, places, held), strict=True):
            ended = part.n_removed[masks >> rule & 1 == 0]
            n = int(ended.min()) if len(ended) else found[place].reached.get(rule)
            settled[place][rule] = Fewest(n, is_exact=True)
    return settled


def _open_sizes(search: Search, result: _Found, rule: int, traits: Traits) -> range:
    """Return the sizes of which it is not known whether some removal turns the rule off."""
    n_allowed = int(np.count_nonzero(search.allowed))
    reached = result.reached.get(rule)
    bound = 1
    if traits.bounded and (result.complete or not traits.uses_days):
        bound = result.bound.get(rule, min(n_allowed, MOST_REMOVED) + 1)
    return range(bound, n_allowed + 1 if reached is None else reached)


def _all_removals(search: Search, sizes: range) -> Removals:
    cases = np.flatnonzero(search.allowed)[:, None] == np.arange(search.pair.n_cases)
    rows = np.array([union for size in sizes for union in _joined_groups(cases, size)])
    return without(search.pair, rows)


def _joined_groups(groups: Flags, size: int) -> Iterator[Flags]:
    """Yield the union of every so many groups."""
    for which in combinations(range(len(groups)), size):
        union: Flags = np.logical_or.reduce(groups[list(which)])
        yield union


def _unions_of(pair: PairCases, groups: Flags) -> _Unions:
    """Return unions of groups: all of few groups, and those of the largest ones."""
    rows: list[Flags] = []
    sizes: list[int] = []
    through = 0
    while through < len(groups) and len(rows) + comb(len(groups), through + 1) <= _MOST_UNIONS:
        through += 1
        rows += _joined_groups(groups, through)
        sizes += [through] * (len(rows) - len(sizes))
    if through < len(groups):
        largest_first = groups[np.argsort(-groups.sum(axis=1), kind="stable")]
        rows += list(np.logical_or.accumulate(largest_first, axis=0))
        sizes += range(1, len(groups) + 1)
    removed = np.array(rows, dtype=np.bool_).reshape(len(rows), pair.n_cases)
    return _Unions(groups, np.array(sizes, dtype=np.int64), without(pair, removed), through)


def _fewest_groups(unions: _Unions, n: int | None, cases: Fewest, traits: Traits) -> Fewest:
    """Return the fewest groups from those tried; fewer cases than turn the rule off do not."""
    through = unions.through
    if cases.n is not None and cases.is_exact:
        together = np.cumsum(np.sort(unions.groups.sum(axis=1))[::-1])
        through = max(through, int(np.searchsorted(together, cases.n)))
    return Fewest(n, n == 1 or (traits.of_pair and n is not None and n <= through + 1))
