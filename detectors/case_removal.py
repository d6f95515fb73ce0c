"""Statistics of a pair after some of its cases are removed, and the removals that weaken it most.

A removed case leaves all four counts, the margins of its stratum, and its block of an anytime-valid
test. The crude statistics depend on the number removed alone. The expected count within strata is a
sum over strata, and the logarithm of each term of an e-value a sum over blocks: for a number of
cases, the allocation to strata or blocks that weakens a sum most is found by dynamic programming.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.anytime_valid import RATE_RATIOS
from detectors.anytime_valid_state import Floats, Ints

__all__ = [
    "CasesInTest",
    "Flags",
    "Margins",
    "PairCases",
    "Removals",
    "Weakest",
    "in_one_order",
    "joined",
    "weakest_removals",
    "without",
]

Flags = NDArray[np.bool_]

_RATIOS = np.array(RATE_RATIOS)
_LOG_RATIOS = np.log(_RATIOS)
_MIDDLE = len(RATE_RATIOS) // 2


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """Cases with the drug, with the event, and in all, of each stratum or block [cases]."""

    n_drug: Floats
    n_event: Floats
    n_total: Floats


@dataclass(frozen=True, slots=True, eq=False)
class CasesInTest:
    """Cases of one pair in an anytime-valid test.

    Attributes
    ----------
    log_terms
        Logarithm of the e-value's term of each rate ratio.
    report
        Report that each case enters the test as, which alike cases share; -1: it is not tested.
    block
        Place of each case's block in `margins`, in the order of the blocks; 0 if it is not tested.
        A report is in the first block of its cases.
    """

    log_terms: Floats
    report: Ints
    block: Ints
    margins: Margins


@dataclass(frozen=True, slots=True, eq=False)
class PairCases:
    """Cases of one pair, one element a case.

    Attributes
    ----------
    expected
        Expected count within the strata [cases].
    stratum
        Place of each case's stratum in `strata`.
    tests
        The cases in each anytime-valid test, by its name.
    """

    expected: float
    stratum: Ints
    strata: Margins
    tests: Mapping[str, CasesInTest]

    @property
    def n_cases(self) -> int:
        """Return the number of cases."""
        return len(self.stratum)

    @property
    def are_alike(self) -> bool:
        """Return whether all removals of one size are alike: no strata and no days count."""
        tested = any((test.report >= 0).any() for test in self.tests.values())
        return not tested and not self.strata.n_total.any()


@dataclass(frozen=True, slots=True, eq=False)
class Removals:
    """Statistics of a pair after removals, one element a removal.

    Attributes
    ----------
    log_e
        Logarithm of the e-value of each test; NaN where no case is left in it.
    """

    n_removed: Ints
    expected: Floats
    log_e: Mapping[str, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Weakest:
    """Weakest statistics that removals of each size can reach, and removals that come close.

    Attributes
    ----------
    bounds
        One element a size: the largest expected count, and for each e-value a lower bound.
    removals
        Removals, one row each: whether each case is removed; none if every one reaches the bounds.
    complete
        Whether `bounds` hold; not if alike cases are in several blocks.
    """

    bounds: Removals
    removals: Flags
    complete: bool


def joined(parts: Sequence[Removals]) -> Removals:
    """Return the removals of several pairs, one after the other."""
    return Removals(
        np.concatenate([part.n_removed for part in parts]),
        np.concatenate([part.expected for part in parts]),
        {name: np.concatenate([part.log_e[name] for part in parts]) for name in parts[0].log_e},
    )


def without(pair: PairCases, removed: Flags) -> Removals:
    """Return the statistics of a pair after removals, one row of `removed` each."""
    gone = _counted(np.where(removed, pair.stratum, -1), len(pair.strata.n_total))
    losses = _losses(pair.strata, int(gone.max(initial=0)))
    places = np.arange(len(losses))
    return Removals(
        removed.sum(axis=1, dtype=np.int64),
        np.maximum(pair.expected - losses[places, gone].sum(axis=1), 0),
        {name: _log_e_without(test, removed) for name, test in pair.tests.items()},
    )


def _log_e_without(test: CasesInTest, removed: Flags) -> Floats:
    tested = np.flatnonzero(test.report >= 0)
    if len(tested) == 0:
        return np.full(len(removed), np.nan)
    order = tested[np.argsort(test.report[tested], kind="stable")]
    starts = np.flatnonzero(np.diff(test.report[order], prepend=-1))
    size = len(test.margins.n_total)
    kept = np.where(removed[:, order], size, test.block[order])
    blocks = np.minimum.reduceat(kept, starts, axis=1)
    before = np.minimum.reduceat(test.block[order], starts)
    gone = np.bincount(before, minlength=size) - _counted(np.where(blocks < size, blocks, -1), size)
    least = int(gone.min(initial=0))
    changes = _changes(test.margins, least, int(gone.max(initial=0)))
    moved = changes[:, np.arange(size), gone - least].sum(axis=2)
    log_e = _log_mean(test.log_terms[:, None] + moved)
    log_e[(blocks == size).all(axis=1)] = np.nan
    return log_e


def _counted(places: Ints, size: int) -> Ints:
    """Count each place in each row; -1 is none."""
    rows = np.arange(len(places))[:, None] * (size + 1)
    counts = np.bincount((rows + places + 1).ravel(), minlength=len(places) * (size + 1))
    return counts.reshape(len(places), size + 1)[:, 1:]


def _losses(strata: Margins, most: int) -> Floats:
    """Return the expected cases that each stratum loses with 0, 1, ... cases, one row a stratum."""
    removed = np.arange(most + 1)
    n_drug, n_event, n_total = (
        np.maximum(values[:, None] - removed, 0)
        for values in (strata.n_drug, strata.n_event, strata.n_total)
    )
    expected = np.divide(n_drug * n_event, n_total, out=np.zeros_like(n_drug), where=n_total > 0)
    losses: Floats = expected[:, :1] - expected
    return losses


def _changes(blocks: Margins, least: int, most: int) -> Floats:
    """Return the change of the log terms if `least` to `most` reports leave each block.

    One layer a rate ratio, one row a block; a negative number enters it.
    """
    removed = np.arange(least, most + 1)
    cost = _costs(blocks, removed)
    before = _costs(blocks, np.zeros(1, dtype=np.int64))
    changes: Floats = cost - before - np.multiply.outer(_LOG_RATIOS, removed)[:, None, :]
    return changes


def _costs(blocks: Margins, removed: Ints) -> Floats:
    """Return the negative cost of the margins of each block."""
    n_drug, n_event, n_total = (
        np.maximum(values[:, None] - removed, 0)
        for values in (blocks.n_drug, blocks.n_event, blocks.n_total)
    )
    fewer, more = np.minimum(n_drug, n_event), np.maximum(n_drug, n_event)
    share = np.divide(more, n_total, out=np.zeros_like(more), where=n_total > 0)
    costs: Floats = -fewer * np.log1p(np.multiply.outer(_RATIOS - 1, share))
    return costs


def _log_mean(log_terms: Floats) -> Floats:
    largest: Floats = log_terms.max(axis=0)
    mean: Floats = np.exp(log_terms - largest).mean(axis=0)
    return largest + np.log(mean)


def weakest_removals(pair: PairCases, allowed: Flags, first: int, most: int) -> Weakest:
    """Return the weakest statistics after removals of `first` to `most` cases.

    Parameters
    ----------
    allowed
        Whether each case may be removed.
    """
    sizes = np.arange(first, most + 1)
    if pair.are_alike:
        undefined = np.full(len(sizes), np.nan)
        bounds = Removals(
            sizes, np.full(len(sizes), pair.expected), dict.fromkeys(pair.tests, undefined)
        )
        return Weakest(bounds, np.zeros((0, pair.n_cases), dtype=np.bool_), complete=True)
    cells, item = _numbered(np.where(allowed, pair.stratum, -1))
    losses = _losses(pair.strata, int(item.max(initial=0)) + 1)[cells]
    n_of_cell = np.bincount(pair.stratum[allowed])[cells].tolist()
    options = [
        (losses[place : place + 1, : n + 1], np.arange(n + 1)) for place, n in enumerate(n_of_cell)
    ]
    least, chosen = _allocate(options, sizes)
    cell_of = np.where(allowed, np.searchsorted(cells, pair.stratum), 0)
    rows = [allowed & (item < chosen[:, 0].T[:, cell_of])]
    log_e = {}
    complete = True
    for name, test in pair.tests.items():
        log_e[name], of_test, holds = _weakest_of_test(test, allowed, sizes)
        rows.append(of_test)
        complete &= holds
    expected = np.maximum(pair.expected - least[0, first:], 0)
    return Weakest(Removals(sizes, expected, log_e), np.concatenate(rows), complete)


def _numbered(codes: Ints) -> tuple[Ints, Ints]:
    """Return the distinct codes of 0 or more, and the number of each item among its like."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    item = np.empty_like(codes)
    item[order] = np.arange(len(codes)) - np.searchsorted(ordered, ordered)
    distinct = np.unique(codes)
    return distinct[distinct >= 0], item


def _weakest_of_test(test: CasesInTest, allowed: Flags, sizes: Ints) -> tuple[Floats, Flags, bool]:
    """Return a lower bound of the log e-value of each size, removals, and whether it holds."""
    tested = np.flatnonzero(test.report >= 0)
    if len(tested) == 0:
        return np.full(len(sizes), np.nan), np.zeros((0, len(allowed)), dtype=np.bool_), True
    reports, members = np.unique(test.report[tested], return_inverse=True)
    n_cases = np.bincount(members)
    block = np.full(len(reports), len(test.margins.n_total))
    np.minimum.at(block, members, test.block[tested])
    last = np.zeros(len(reports), dtype=np.int64)
    np.maximum.at(last, members, test.block[tested])
    removable = np.bincount(members, allowed[tested]) == n_cases
    # Of a block the reports of fewest cases leave first.
    order = np.lexsort((n_cases, block))
    item = np.empty_like(block)
    cells, item[order] = _numbered(np.where(removable, block, -1)[order])
    if len(cells) == 0:
        unchanged = np.full(len(sizes), _log_mean(test.log_terms))
        return unchanged, np.zeros((0, len(allowed)), dtype=np.bool_), True
    changes = _changes(test.margins, 0, int(item.max(initial=0)) + 1)
    options = []
    for cell in cells.tolist():
        of_cell = np.sort(n_cases[removable & (block == cell)])
        options.append((changes[:, cell, : len(of_cell) + 1], np.cumsum([0, *of_cell])))
    least, chosen = _allocate(options, sizes)
    bound = _log_mean(test.log_terms[:, None] + np.minimum.accumulate(least, axis=1))[sizes[0] :]
    moved = np.zeros((len(test.log_terms), *chosen.shape[1:]))
    for cell, of_cell in zip(cells.tolist(), chosen, strict=True):
        moved += changes[:, cell][:, of_cell]
    log_e = _log_mean(test.log_terms[:, None, None] + moved)
    log_e[~np.isfinite(least[:, sizes])] = np.inf
    best = chosen[:, log_e.argmin(axis=0), np.arange(len(sizes))]
    leaves = removable & (item < best.T[:, np.where(removable, np.searchsorted(cells, block), 0)])
    rows = np.zeros((len(sizes), len(allowed)), dtype=np.bool_)
    rows[:, tested] = leaves[:, members]
    if removable.all():
        bound[sizes >= len(tested)] = np.nan
        rows[sizes == len(tested)] = test.report >= 0
    return bound, rows[rows.any(axis=1)], bool((block == last).all())


def _allocate(cells: Sequence[tuple[Floats, Ints]], sizes: Ints) -> tuple[Floats, Ints]:
    """Choose an option of each cell, so that the sum of values is least for each sum of sizes.

    Parameters
    ----------
    cells
        The values of the options, one row an objective, and their sizes, ascending from 0.
    sizes
        The sums of sizes asked for, ascending.

    Returns
    -------
    tuple
        The least sums, one row an objective, one column a sum of sizes from 0 on (inf where no
        choice has it); and the options chosen: of each cell, for each objective and sum asked for.
    """
    layers, most = len(cells[0][0]) if cells else 1, int(sizes[-1])
    least = np.full((layers, most + 1), np.inf)
    least[:, 0] = 0
    choices = []
    for values, of_options in cells:
        best, choice = least.copy(), np.zeros(least.shape, dtype=np.int64)
        for option, size in enumerate(of_options.tolist()[1:], start=1):
            if size > most:
                break
            reached = least[:, : most + 1 - size] + values[:, option : option + 1]
            better = reached < best[:, size:]
            best[:, size:][better] = reached[better]
            choice[:, size:][better] = option
        least = best
        choices.append(choice)
    chosen = np.zeros((len(cells), layers, len(sizes)), dtype=np.int64)
    left = np.tile(sizes, (layers, 1))
    for place in reversed(range(len(cells))):
        chosen[place] = np.take_along_axis(choices[place], left, axis=1)
        left = left - cells[place][1][chosen[place]]
    return least, chosen


def in_one_order(pair: PairCases, allowed: Flags, sizes: Ints) -> Flags:
    """Return removals of these sizes, each a part of the next, in the order of two statistics.

    For pairs of very many cases: strata whose cases add most to the difference between observed
    and expected come first, then likewise blocks.
    """
    cases = np.flatnonzero(allowed)
    orders = [cases[np.argsort(_losses(pair.strata, 1)[pair.stratum[cases], 1], kind="stable")]]
    for test in pair.tests.values():
        change = _changes(test.margins, 0, 1)[_MIDDLE, :, 1]
        value = np.where(test.report[cases] >= 0, change[test.block[cases]], np.inf)
        orders.append(cases[np.lexsort((test.block[cases], value))])
    rows = np.zeros((len(orders) * len(sizes), len(allowed)), dtype=np.bool_)
    for place, order in enumerate(orders):
        for at, size in enumerate(sizes.tolist()):
            rows[place * len(sizes) + at, order[:size]] = True
    return rows
