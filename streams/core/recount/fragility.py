"""Recomputes the fragility of the rules of an alert, from the cases.

Shares with the stream the estimators and the rules, and no code that counts or searches. A number
that is published as an upper bound is taken as published, as is one whose check would need too
many removals.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import combinations
from math import comb, exp, fsum, inf, log, log1p
from typing import Any, NamedTuple

import polars as pl

from detectors.anytime_valid import RATE_RATIOS
from detectors.conditions import Comparison, OnList
from detectors.fragility import traits_of
from detectors.rules import Rule, RuleSet
from schemas.alert import Alert
from schemas.rule_outcome import Fragility
from streams.core.recount.evidence import naming
from streams.core.signals.signal_key import names_of_key

__all__ = ["FRAGILITY", "Held", "Removed", "fragility_values"]

FRAGILITY = ("rules.fragility",)
"""Recounted fields; only if the rules are those of the alert."""

_UNIT = "\x1f"
_LEVEL = _UNIT + "(?:lot|facility|family):[^ " + _UNIT + "][^" + _UNIT + "]*"
_LOT = "lot:"
_MOST_TRIED = 4096  # removals


class Removed(NamedTuple):
    """Statistics of a pair after a removal: cases removed, expected count, e-values."""

    n: int
    expected: float | None
    whole: float | None
    blocked: float | None


Held = Callable[[Sequence[Removed]], Sequence[int]]
"""Bits of the rules that hold after removals."""


class _Case(NamedTuple):
    case_id: str
    stratum: str
    report: str
    source: tuple[str, bool]
    suspected: bool
    lots: frozenset[str]


_Table = tuple[int, int, int]  # cases with drug, with event, and in all
_Logs = tuple[float, ...]  # one a rate ratio


def fragility_values(
    alert: Alert,
    rules: RuleSet,
    within: pl.DataFrame,
    tested: pl.DataFrame,
    held: Held,
) -> dict[str, object]:
    """Return the expected fragility of each rule of an alert, if it has the field.

    Parameters
    ----------
    rules
        Those of the alert.
    within
        The cases of the window: `case_id`, `day`, `band`, `sex`, `drugs`, `events`, `origin`,
        `suspected`.
    tested
        The cases that the anytime-valid tests are of, likewise, with `block`; empty without test.
    held
        Scores the pair after removals.
    """
    fired = [outcome for outcome in alert.rules if outcome.fired]
    if fired and all(outcome.fragility is None for outcome in fired):
        return {}  # made before alerts had the field
    pair = _Pair(alert, within, tested, rules, held)
    return {
        "rules.fragility": tuple(
            pair.fragility(bit, rule, outcome.fragility) if outcome.fired else None
            for bit, (rule, outcome) in enumerate(zip(rules.rules, alert.rules, strict=True))
        )
    }


class _Pair:
    """Cases of a pair, and the tables of their strata and blocks."""

    def __init__(
        self,
        alert: Alert,
        within: pl.DataFrame,
        tested: pl.DataFrame,
        rules: RuleSet,
        held: Held,
    ) -> None:
        pair = names_of_key(alert.signal_key)
        self._held = held
        self._n_rules = len(rules.rules)
        within, tested = _keyed(within), _keyed(tested)
        self._strata = _tables(within, "stratum", pair)
        reports = tested.sort("block").unique("report", keep="first", maintain_order=True)
        blocks = dict(zip(tested["case_id"], tested["block"], strict=True))
        self._cases = [
            _Case(
                row["case_id"],
                row["stratum"],
                row["report"],
                (row["source"], row["of_system"]),
                row["suspected"],
                frozenset(name for name in row["drugs"].split(_UNIT) if name.startswith(_LOT)),
            )
            for row in within.filter(_names(pair)).sort("case_id").iter_rows(named=True)
        ]
        own = [(case, blocks[case.case_id]) for case in self._cases if case.case_id in blocks]
        days = dict(zip(tested["case_id"], tested["day"], strict=True))
        self._whole = _Test(
            _tables(tested, "day", pair),
            [(case.case_id, case.case_id, days[case.case_id]) for case, _ in own],
        )
        in_blocks = [
            (case.case_id, case.report, days[case.case_id] << 16 | block) for case, block in own
        ]
        tables = _tables(reports, "day_block", pair, (block for _, _, block in in_blocks))
        self._blocked = _Test(tables, in_blocks)
        self._masks: dict[frozenset[str], int] = {}
        self._bounds: dict[bool, list[int]] = {}

    def fragility(self, bit: int, rule: Rule, published: Fragility | None) -> Fragility:
        """Return the fragility of a rule that is on."""
        suspected = [case for case in self._cases if case.suspected]
        units = {
            "cases": _groups(self._cases, lambda case: [case.case_id]),
            "sources": _groups(self._cases, lambda case: [case.source]),
            "lots": _groups(self._cases, lambda case: case.lots),
            "links": _groups(suspected, lambda case: [case.case_id]),
        }
        stated = published or Fragility(cases=None, sources=None, lots=None, links=None)
        found = {}
        for name, of_name in units.items():
            n = getattr(stated, name)
            of_cases = name in ("cases", "links")
            if name in stated.at_most:
                found[name] = n
            elif of_cases and _is_plain(rule) and self._is_bounded(rule):
                found[name] = self._first_bound(bit, links=name == "links", published=n)
            else:
                found[name] = self._first_removal(bit, of_name, n)
        return Fragility(**found, at_most=stated.at_most)

    def _is_bounded(self, rule: Rule) -> bool:
        return not traits_of(rule).uses_days or not self._blocked.is_spread

    def _first_bound(self, bit: int, *, links: bool, published: int | None) -> int | None:
        """Return the first number of cases whose weakest removals turn a rule off."""
        allowed = {case.case_id for case in self._cases if case.suspected or not links}
        most = len(allowed) if published is None else published
        if links not in self._bounds:
            self._bounds[links] = []
        masks = self._bounds[links]
        if len(masks) < most:
            left = _most_expected(
                self._strata,
                Counter(case.stratum for case in self._cases if case.case_id in allowed),
                most,
            )
            whole, blocked = (test.least(allowed, most) for test in (self._whole, self._blocked))
            numbers = range(1, most + 1)
            masks[:] = self._held([Removed(k, left[k], whole[k], blocked[k]) for k in numbers])
        return next((k for k, mask in enumerate(masks, 1) if not mask >> bit & 1), None)

    def _first_removal(
        self, bit: int, units: Sequence[frozenset[str]], published: int | None
    ) -> int | None:
        """Return the fewest units that turn a rule off, all tried; as published if too many."""
        most = len(units) if published is None else published
        if sum(comb(len(units), size) for size in range(1, most + 1)) > _MOST_TRIED:
            return published
        for size in range(1, most + 1):
            removals = [frozenset().union(*some) for some in combinations(units, size)]
            new = list({ids for ids in removals if ids not in self._masks})
            if new:
                evaluated = self._held([self._without(ids) for ids in new])
                self._masks.update(zip(new, evaluated, strict=True))
            if any(not self._masks[ids] >> bit & 1 for ids in removals):
                return size
        return None

    def _without(self, ids: frozenset[str]) -> Removed:
        gone = Counter(case.stratum for case in self._cases if case.case_id in ids)
        expected = fsum(_expected(table, gone[key]) for key, table in self._strata.items())
        return Removed(len(ids), expected, self._whole.e_value(ids), self._blocked.e_value(ids))


class _Test:
    """Cases of a pair in an anytime-valid test.

    Parameters
    ----------
    tables
        Of every block of the test.
    cases
        Id, report and block of each case of the pair: a report is in its first block.
    """

    def __init__(self, tables: Mapping[Any, _Table], cases: Sequence[tuple[str, Any, int]]) -> None:
        self._cases = cases
        self._tables = tables
        blocks: dict[Any, set[int]] = {}
        for _, report, block in cases:
            blocks.setdefault(report, set()).add(block)
        self.is_spread = any(len(of_report) > 1 for of_report in blocks.values())
        self._own = self._reports(frozenset())
        touched = {block for _, _, block in cases}
        self._others = _added(
            _log_factor(table, 0, 0) for block, table in tables.items() if block not in touched
        )
        self._touched = sorted(touched)

    def _reports(self, removed: Collection[str]) -> Counter[int]:
        """Return the number of reports of the pair in each block."""
        first: dict[Any, int] = {}
        for case_id, report, block in self._cases:
            if case_id not in removed:
                first[report] = min(block, first.get(report, block))
        return Counter(first.values())

    def e_value(self, removed: Collection[str]) -> float | None:
        """Return the e-value without some cases; None if none is left."""
        left = self._reports(removed)
        if not left:
            return None
        factors = [
            _log_factor(self._tables.get(block, (0, 0, 0)), left[block], self._own[block])
            for block in self._touched
        ]
        return _mean(_added([self._others, *factors]))

    def least(self, allowed: Collection[str], most: int) -> list[float | None]:
        """Return the least e-value after so many removals, from none on; None if undefined.

        Of sums of logarithms with the same number of removals one is kept unless another is at
        most it for every rate ratio: then whatever is added, it is not the least. None if a report
        is in several blocks: then blocks are not independent.
        """
        if self.is_spread:
            return [None] * (most + 1)
        members: dict[Any, list[str]] = {}
        where: dict[Any, int] = {}
        for case_id, report, block in self._cases:
            members.setdefault(report, []).append(case_id)
            where[report] = block
        states: list[list[_Logs]] = [[self._others], *([] for _ in range(most))]
        for block in self._touched:
            removable = sorted(
                len(ids)
                for report, ids in members.items()
                if where[report] == block and all(case_id in allowed for case_id in ids)
            )
            n, table = self._own[block], self._tables[block]
            options = [
                (sum(removable[:gone]), _log_factor(table, n - gone, n))
                for gone in range(len(removable) + 1)
            ]
            states = [
                _undominated(
                    _added([state, factor])
                    for size, factor in options
                    if size <= k
                    for state in states[k - size]
                )
                for k in range(most + 1)
            ]
        least: list[float | None] = []
        lowest = inf
        all_allowed = all(case_id in allowed for case_id, *_ in self._cases)
        for k, of_size in enumerate(states):
            lowest = min([lowest, *map(_mean, of_size)])
            gone = all_allowed and k >= len(self._cases)
            least.append(None if gone or not self._cases else lowest)
        return least


def _undominated(sums: Iterable[_Logs]) -> list[_Logs]:
    kept: list[_Logs] = []
    for one in sorted(set(sums)):
        if not any(all(a <= b for a, b in zip(other, one, strict=True)) for other in kept):
            kept.append(one)
    return kept


def _log_factor(table: _Table, n: int, n_before: int) -> _Logs:
    """Return the logarithm of a block's factor with `n` of its `n_before` reports of the pair."""
    n_drug, n_event, n_total = (number - (n_before - n) for number in table)
    fewer, more = sorted((n_drug, n_event))
    share = more / n_total if n_total else 0.0
    return tuple(n * log(ratio) - fewer * log1p((ratio - 1) * share) for ratio in RATE_RATIOS)


def _added(parts: Iterable[_Logs]) -> _Logs:
    columns = zip(*parts, strict=True)
    return tuple(map(fsum, columns)) or (0.0,) * len(RATE_RATIOS)


def _mean(logs: _Logs) -> float:
    return fsum(map(exp, logs)) / len(logs)


def _expected(table: _Table, gone: int) -> float:
    n_drug, n_event, n_total = (number - gone for number in table)
    return n_drug * n_event / n_total if n_total else 0.0


def _most_expected(
    strata: Mapping[Any, _Table], removable: Mapping[Any, int], most: int
) -> list[float]:
    """Return the largest expected count after so many removals, from none on."""
    best = [0.0, *([-inf] * most)]
    for key, table in strata.items():
        left = [_expected(table, gone) for gone in range(removable.get(key, 0) + 1)]
        best = [
            max(best[k - gone] + value for gone, value in enumerate(left[: k + 1]))
            for k in range(most + 1)
        ]
    return best


def _is_plain(rule: Rule) -> bool:
    """Return whether a rule is off as soon as one of its statistics is past its exit."""
    traits = traits_of(rule)
    parts = getattr(rule.condition, "all", (rule.condition,))
    joined = all(isinstance(part, Comparison | OnList) for part in parts)
    by_number = not (traits.uses_strata or traits.uses_days)
    return traits.of_pair and traits.bounded and (joined or by_number)


def _groups(
    cases: Sequence[_Case], names: Callable[[_Case], Iterable[Any]]
) -> list[frozenset[str]]:
    """Return the ids of the cases of each name."""
    groups: dict[Any, set[str]] = {}
    for case in cases:
        for name in names(case):
            groups.setdefault(name, set()).add(case.case_id)
    return [frozenset(ids) for ids in groups.values()]


def _names(pair: tuple[str, str]) -> pl.Expr:
    return naming("drugs", pair[0]) & naming("events", pair[1])


def _keyed(cases: pl.DataFrame) -> pl.DataFrame:
    """Add `stratum`, `report`, `source`, `of_system` and `day_block` to cases."""
    day = pl.col("day").cast(pl.Int32).cast(pl.Date)
    origin = pl.col("origin").str.split(_UNIT)
    keyed = cases.with_columns(
        stratum=pl.format("{} {} {} {}", day.dt.year(), day.dt.quarter(), "band", "sex"),
        source=origin.list.get(2),
        of_system=origin.list.get(1).str.contains("u", literal=True),
        plain=pl.concat_str(
            [pl.col(name).str.replace_all(_LEVEL, "") for name in ("drugs", "events")],
            separator="\n",
        ),
    )
    return keyed.with_columns(
        report=pl.format("{} {} {} {}", "day", "of_system", "source", "plain"),
        day_block=pl.col("day").cast(pl.Int64) * (1 << 16) + pl.col("block").cast(pl.Int64),
    )


def _tables(
    cases: pl.DataFrame, key: str, pair: tuple[str, str], own: Iterable[int] = ()
) -> dict[Any, _Table]:
    """Return the cases with drug, with event, and in all, of each group that has both.

    And of the groups in `own`: a report that has copies in several blocks may come to one of them.
    """
    drug, event = pair
    grouped = cases.group_by(key).agg(
        naming("drugs", drug).sum().alias("n_drug"),
        naming("events", event).sum().alias("n_event"),
        pl.len().alias("n_total"),
    )
    with_both = (pl.col("n_drug") > 0) & (pl.col("n_event") > 0)
    kept = set(own)
    return {
        name: (n_drug, n_event, n)
        for name, n_drug, n_event, n, both in grouped.with_columns(both=with_both).iter_rows()
        if both or name in kept
    }
