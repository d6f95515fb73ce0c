"""Fragility of rules by brute force: every removal, each statistic recomputed from the cases left.

Shares with the product the estimators of one 2x2 table and the rules, and no code that counts.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from typing import Any

import polars as pl

from detectors.anytime_valid import RATE_RATIOS
from detectors.rules import RuleSet
from detectors.scoring import methods_for, score
from schemas.counts import COUNTS
from tests.support.deltas import EPOCH

BANDS = {0.2: 0, 30.0: 1, 70.0: 2, -1.0: 3}
"""Order of the age bands of the ages drawn; the unknown age is last."""


@dataclass(frozen=True)
class Case:
    """A case; `lots` are those of its products."""

    case_id: str
    day: int
    drugs: tuple[str, ...]
    events: tuple[str, ...]
    age: float
    sex: str
    source: str
    suspected: bool
    lots: tuple[str, ...] = ()

    @property
    def received(self) -> date:
        return EPOCH + timedelta(days=self.day)

    @property
    def stratum(self) -> tuple[int, int, float, str]:
        return self.received.year, (self.received.month - 1) // 3, self.age, self.sex


Pair = tuple[str, str]
Row = dict[str, Any]


def counts(cases: Iterable[Case], pair: Pair) -> tuple[int, int, int, int]:
    drug, event = pair
    flags = [(drug in case.drugs, event in case.events) for case in cases]
    both = sum(with_drug and with_event for with_drug, with_event in flags)
    return both, sum(d for d, _ in flags), sum(e for _, e in flags), len(flags)


def expected(cases: Iterable[Case], pair: Pair) -> float:
    strata: dict[object, list[Case]] = {}
    for case in cases:
        strata.setdefault(case.stratum, []).append(case)
    tables = [counts(of_stratum, pair) for of_stratum in strata.values()]
    return math.fsum(n_drug * n_event / n for _, n_drug, n_event, n in tables)


def e_value(cases: Iterable[Case], pair: Pair, *, blocked: bool) -> float | None:
    blocks: dict[object, list[Case]] = {}
    reports: dict[object, Case] = {}
    for case in cases:
        same = (case.day, case.source, case.drugs, case.events) if blocked else case.case_id
        first = reports.get(same, case)
        reports[same] = min(first, case, key=lambda each: BANDS[each.age])
    for case in reports.values():
        blocks.setdefault((case.day, case.age if blocked else None), []).append(case)
    tables = [counts(of_block, pair) for of_block in blocks.values()]
    if not sum(n for n, *_ in tables):
        return None
    return math.fsum(
        math.prod(
            ratio**n / (1 + (ratio - 1) * max(n_drug, n_event) / total) ** min(n_drug, n_event)
            for n, n_drug, n_event, total in tables
        )
        for ratio in RATE_RATIOS
    ) / len(RATE_RATIOS)


def statistics(cases: Sequence[Case], pair: Pair, published: Mapping[str, Any]) -> Row:
    """Return the counts of a pair, and the statistics that need more than a table.

    Those of all pairs are kept as published, as long as the pair is tested.
    """
    whole, blocked = (e_value(cases, pair, blocked=flag) for flag in (False, True))
    row: Row = dict(zip(COUNTS, (*pair, *counts(cases, pair)), strict=True))
    row["expected_adjusted"] = expected(cases, pair)
    for value, suffix in ((whole, ""), (blocked, "_blocked")):
        row[f"e_value{suffix}"] = value
        row[f"log_e_value{suffix}"] = None if value is None else math.log(value)
        row[f"e_bh_level{suffix}"] = None if value is None else published[f"e_bh_level{suffix}"]
    scale = published["e_value_budgeted"] / published["e_value_blocked"]
    row["e_value_budgeted"] = None if blocked is None else blocked * scale
    return row


def held(rows: Sequence[Row], rules: RuleSet) -> list[int]:
    """Return the bits of the rules that hold for each row."""
    frame = pl.DataFrame(rows, schema_overrides=dict(COUNTS), infer_schema_length=None)
    given = frame.columns
    wanted = [name for name in rules.statistics if name not in given]
    numbered = frame.with_columns(pl.format("{} {}", "drug", pl.int_range(pl.len())).alias("drug"))
    scored = score(numbered, methods_for(wanted))
    return scored.select(rules.masks()[1])["held"].to_list()


class Removed:
    """A pair after removals of its cases, each evaluated once."""

    def __init__(
        self, cases: Sequence[Case], pair: Pair, rules: RuleSet, published: Mapping[str, Any]
    ) -> None:
        self._cases, self._pair, self._rules, self._published = cases, pair, rules, published
        self._masks: dict[frozenset[str], int] = {}

    def fewest(self, units: Sequence[Collection[str]]) -> Mapping[int, int]:
        """Return, by the bit of a rule, the fewest units whose joint removal turns it off.

        Parameters
        ----------
        units
            Ids of the cases of each unit.
        """
        first: dict[int, int] = {}
        for size in range(1, len(units) + 1):
            masks = self._evaluated(
                [frozenset().union(*removed) for removed in combinations(units, size)]
            )
            for bit in range(len(self._rules.rules)):
                if any(mask >> bit & 1 == 0 for mask in masks):
                    first.setdefault(bit, size)
            if len(first) == len(self._rules.rules):
                break
        return first

    def _evaluated(self, removals: Sequence[frozenset[str]]) -> list[int]:
        new = list({ids for ids in removals if ids not in self._masks})
        rows = [
            statistics(
                [case for case in self._cases if case.case_id not in ids],
                self._pair,
                self._published,
            )
            for ids in new
        ]
        if new:
            self._masks.update(zip(new, held(rows, self._rules), strict=True))
        return [self._masks[ids] for ids in removals]
