"""Fragility of the rules that are on in alerts, from the cases of their pairs."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.anytime_valid import log_terms
from detectors.case_removal import CasesInTest, Flags, Margins, PairCases, Removals
from detectors.fragility import Fewest, Fragilities, Search, fewest_removals, traits_of
from schemas.alert import SignalLevel
from schemas.counts import MARGINS
from schemas.rule_outcome import Fragility
from streams.core.alerts.case_sources import Origins
from streams.core.cases.levels import level_of
from streams.core.counting.count_changes import period_strata
from streams.core.counting.sorted_counts import Keys
from streams.core.counting.windows import Tally
from streams.core.signals.anytime_test import SequentialState
from streams.core.signals.counts_view import CountsView
from streams.core.signals.scorer import Scorer

__all__ = ["RuleFragility"]

# Multipliers of the splitmix64 generator: sums of mixed codes identify sets of codes.
_INCREMENT, *_MULTIPLIERS = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
_SHIFTS = tuple(np.uint64(bits) for bits in (30, 27, 31))
_Hashes = npt.NDArray[np.uint64]
_Ints = npt.NDArray[np.int64]


class _Group(NamedTuple):
    """Cases of all pairs asked for, sorted by pair, and where those of each begin and end."""

    frame: pl.DataFrame
    place: _Ints
    ends: Sequence[tuple[int, int]]


class RuleFragility:
    """Fragility of one set of rules.

    Parameters
    ----------
    scorer
        Scores the pairs after removals.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._traits = {bit: traits_of(rule) for bit, rule in enumerate(scorer.rules.rules)}

    def of_pairs(
        self,
        rows: pl.DataFrame,
        on: Sequence[int],
        cases: pl.DataFrame,
        origins: Origins,
        view: CountsView,
        tally: Tally,
        *,
        covers_all: bool,
    ) -> list[Mapping[int, Fragility]]:
        """Return the fragility of each rule that is on, by its bit, of each pair in their order.

        Parameters
        ----------
        rows
            One row a pair, sorted by key: `key`, the counts and the statistics.
        on
            Bits of the rules that are on.
        cases
            Result of `streams.core.counting.case_log.CaseLog.cases_of` for the pairs.
        origins
            The sources of the cases.
        view, tally
            The counts so far, and those of the window.
        covers_all
            Whether the window is the cumulative one, which the anytime-valid tests are of.
        """
        results: list[Mapping[int, Fragility]] = [{} for _ in on]
        asked = [place for place, mask in enumerate(on) if mask]
        if not asked:
            return results
        table = rows[asked]
        group = _grouped(cases, table["key"].to_numpy())
        states = view.tests.states() if covers_all else {}
        held = partial(self._held, table, states, view.tests.scale)
        rules = [tuple(bit for bit in self._traits if on[place] >> bit & 1) for place in asked]
        pairs = self._pairs(table, rules, group, origins, view, tally, states)
        groups = zip(
            _members(group, *_sources(group, origins)),
            _members(group, *_lots(group, view)),
            strict=True,
        )
        searches = [
            Search(at, pair, bits, np.ones(pair.n_cases, dtype=np.bool_), members)
            for at, (pair, bits, members) in enumerate(zip(pairs, rules, groups, strict=True))
        ]
        suspected = [
            group.frame["suspected_duplicate"][first:end].to_numpy() for first, end in group.ends
        ]
        with_links = [at for at, flags in enumerate(suspected) if flags.any()]
        links = [Search(at, pairs[at], rules[at], suspected[at]) for at in with_links]
        found = fewest_removals([*searches, *links], held, self._traits)
        of_links = dict(zip(with_links, found[len(searches) :], strict=True))
        for at, place in enumerate(asked):
            results[place] = {
                bit: _fragility(found[at], of_links.get(at), bit) for bit in rules[at]
            }
        return results

    def _pairs(
        self,
        table: pl.DataFrame,
        rules: Sequence[tuple[int, ...]],
        group: _Group,
        origins: Origins,
        view: CountsView,
        tally: Tally,
        states: Mapping[str, SequentialState],
    ) -> list[PairCases]:
        """Return the cases of each pair, with strata and days as far as its rules need them."""
        uses_strata, uses_days = (
            np.array([any(getattr(self._traits[bit], use) for bit in bits) for bits in rules])
            for use in ("uses_strata", "uses_days")
        )
        strata = _strata_of(group, tally, uses_strata)
        tests = _tests_of(table, group, origins, view, states, uses_days)
        expected = table["expected_adjusted"].to_list()
        return [
            PairCases(of_pair, *of_strata, of_tests)
            for of_pair, of_strata, of_tests in zip(expected, strata, tests, strict=True)
        ]

    def _held(
        self,
        table: pl.DataFrame,
        states: Mapping[str, SequentialState],
        scale: float,
        places: _Ints,
        removals: Removals,
    ) -> _Ints:
        """Return the bits of the rules that hold after removals: see `detectors.fragility.Held`."""
        rules = self._scorer.rules
        base = {"drug", "event", *MARGINS, *rules.statistics} & set(table.columns)
        needed = [name for name in table.columns if name in base and name in _KEPT]
        removed = pl.Series(removals.n_removed)
        scored = table.select(needed)[places].with_columns(pl.col(MARGINS) - removed)
        columns = [pl.Series("expected_adjusted", removals.expected)]
        for name, state in states.items():
            log_e = pl.Series(removals.log_e[name], nan_to_null=True)
            e = log_e.exp()
            columns += [
                log_e.alias(f"log_e_value{state.suffix}"),
                e.alias(f"e_value{state.suffix}"),
            ]
            if state.per_block is not None:
                columns.append((e * scale).alias("e_value_budgeted"))
            level = f"e_bh_level{state.suffix}"
            if level in needed:
                columns.append(scored[level].zip_with(log_e.is_not_null(), _null(len(log_e))))
        held: _Ints = self._scorer.score(scored.with_columns(columns))["held"].to_numpy()
        return held


_KEPT = frozenset(
    {
        *("drug", "event", *MARGINS, "expected_adjusted"),
        *(
            f"{name}{suffix}"
            for name in ("e_value", "log_e_value", "e_bh_level")
            for suffix in ("", "_blocked")
        ),
        "e_value_budgeted",
    }
)
"""Columns that are no result of `Scorer.score`."""


def _null(length: int) -> pl.Series:
    return pl.Series([None] * length, dtype=pl.Float64)


def _grouped(cases: pl.DataFrame, keys: Keys) -> _Group:
    """Keep the cases of the pairs, in the order of pairs and case ids."""
    frame = cases.filter(pl.col("key").is_in(pl.Series(keys).implode())).sort("key", "case_id")
    place = np.searchsorted(keys, frame["key"].to_numpy())
    edges = np.searchsorted(place, np.arange(len(keys) + 1)).tolist()
    return _Group(frame, place, list(pairwise(edges)))


def _strata_of(group: _Group, tally: Tally, asked: Flags) -> list[tuple[_Ints, Margins]]:
    """Return the stratum of each case, and the margins of the strata, of each pair.

    The cases of a pair that is not asked for are in one stratum without margins.
    """
    frame, asks = group.frame, asked[group.place]
    strata = period_strata(frame["day"].to_numpy(), frame["block"].to_numpy())
    margins = tally.adjusted.margins(frame["key"].to_numpy(), strata) * asks
    strata = np.where(asks, strata, 0)
    return [_coded(strata[first:end], margins[:, first:end]) for first, end in group.ends]


def _tests_of(
    table: pl.DataFrame,
    group: _Group,
    origins: Origins,
    view: CountsView,
    states: Mapping[str, SequentialState],
    asked: Flags,
) -> list[dict[str, CasesInTest]]:
    """Return the cases of each pair in each test; those of a pair not asked for are not tested."""
    content = _content(group, view)
    keys = table["key"].to_numpy()
    found = {
        name: _in_test(keys, group, state, content, origins, asked)
        for name, state in states.items()
    }
    return [{name: of[place] for name, of in found.items()} for place in range(len(keys))]


def _coded(codes: _Ints, margins: _Ints) -> tuple[_Ints, Margins]:
    """Return the number of each code in their order, and the margins of each number."""
    _, first, numbers = np.unique(codes, return_index=True, return_inverse=True)
    return numbers, Margins(*margins[:, first].astype(np.float64))


def _in_test(
    pairs: Keys,
    group: _Group,
    state: SequentialState,
    content: _Hashes,
    origins: Origins,
    asked: Flags,
) -> list[CasesInTest]:
    """Return the cases of each pair in one test."""
    frame = group.frame
    day = frame["day"].to_numpy().astype(np.int64)
    tested = (day <= state.last_day) & asked[group.place]
    block = np.zeros(len(day), dtype=np.int64)
    alike = np.arange(len(day)).astype(np.uint64)  # every case is a report of its own
    if state.per_block is not None:
        block = frame["block"].to_numpy().astype(np.int64) // state.per_block
        source = origins.parts["source"].to_numpy()[frame["origin"].to_numpy()]
        alike = content + _mixed(day, 2) + _mixed(source.astype(np.int64), 3)
    margins = np.zeros((3, len(day)), dtype=np.int64)
    if tested.any():
        keys = frame["key"].to_numpy()[tested]
        margins[:, tested] = state.test.history.margins(keys, day[tested], block[tested])
    terms = log_terms(state.test, pairs)
    found = []
    for place, (first, end) in enumerate(group.ends):
        of_pair = slice(first, end)
        enters = tested[of_pair] & np.isfinite(terms[0, place])
        _, report = np.unique(alike[of_pair], return_inverse=True)
        numbers, of_block = _coded(day[of_pair] << 16 | block[of_pair], margins[:, of_pair])
        report = np.where(enters, report, -1)
        found.append(CasesInTest(terms[:, place], report, numbers, of_block))
    return found


def _content(group: _Group, view: CountsView) -> _Hashes:
    """Return a hash of the drugs and events of each case, without lots, facilities and families."""
    content = np.zeros(group.frame.height, dtype=np.uint64)
    for salt, (column, is_level) in enumerate(
        (("drugs", view.levels.is_unit), ("events", view.levels.is_family))
    ):
        cases, codes = view.log.names_of(column, group.frame)
        plain = ~is_level(codes)
        np.add.at(content, cases[plain], _mixed(codes[plain].astype(np.int64), salt))
    return content


def _mixed(codes: _Ints, salt: int) -> _Hashes:
    """Return well-mixed numbers of codes, others for each salt."""
    values = ((codes << 2 | salt) + 1).astype(np.uint64) * _INCREMENT  # no code gives 0
    for shift, multiplier in zip(_SHIFTS, (*_MULTIPLIERS, np.uint64(1)), strict=True):
        values = (values ^ values >> shift) * multiplier
    return values


def _sources(group: _Group, origins: Origins) -> tuple[_Ints, _Ints]:
    """Return the source of each case, and the case of each."""
    source = origins.parts["source"].to_numpy()[group.frame["origin"].to_numpy()]
    return source.astype(np.int64), np.arange(group.frame.height)


def _lots(group: _Group, view: CountsView) -> tuple[_Ints, _Ints]:
    """Return the lots that cases state, as codes, and the case of each."""
    cases, codes = view.log.names_of("drugs", group.frame)
    units = np.flatnonzero(view.levels.is_unit(codes))
    names = view.drugs.names
    lots = {
        code for code in set(codes[units].tolist()) if level_of(names[code], "") is SignalLevel.LOT
    }
    of_lot = units[np.isin(codes[units], list(lots))]
    return codes[of_lot].astype(np.int64), cases[of_lot]


def _members(group: _Group, codes: _Ints, cases: _Ints) -> list[Flags]:
    """Return the groups of cases of each pair, one row a code: whether each case is of it."""
    members = []
    of_pair = group.place[cases]
    for place, (first, end) in enumerate(group.ends):
        own = np.flatnonzero(of_pair == place)
        distinct, rows = np.unique(codes[own], return_inverse=True)
        flags = np.zeros((len(distinct), end - first), dtype=np.bool_)
        flags[rows, cases[own] - first] = True
        members.append(flags)
    return members


def _fragility(of_pair: Fragilities, of_links: Fragilities | None, rule: int) -> Fragility:
    sources, lots = of_pair.groups
    fewest = {
        "cases": of_pair.cases[rule],
        "sources": sources[rule],
        "lots": lots[rule],
        "links": Fewest(None, is_exact=True) if of_links is None else of_links.cases[rule],
    }
    return Fragility(
        **{name: each.n for name, each in fewest.items()},
        at_most=tuple(
            name for name, each in fewest.items() if each.n is not None and not each.is_exact
        ),
    )
