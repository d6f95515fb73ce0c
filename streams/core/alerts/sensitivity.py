"""Sensitivity analyses of signals: without a burst or another product, within the indication.

The same rules score the tables without a burst and within the indication.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
import polars as pl

from detectors.bystanders import FEWEST_SHARED, LEAST_SHARE, explanations
from detectors.rules import RuleSet
from schemas.alert import Counts
from schemas.counts import MARGINS
from schemas.scrutiny import Burst, ExplainedBy, Restricted
from schemas.tables import RestrictedStatistics
from streams.core.alerts.case_sources import BurstRule, Origins, bursts_of
from streams.core.alerts.indications import Indications
from streams.core.counting.case_log import CaseLog
from streams.core.counting.co_reports import co_reported, product_groups
from streams.core.counting.sorted_counts import Keys
from streams.core.counting.windows import Tally
from streams.core.signals.counts_view import CountsView
from streams.core.signals.scorer import (
    NEEDS_BLOCKED_TEST,
    NEEDS_SAFE_TEST,
    NOT_OF_A_TABLE,
    Scorer,
)

__all__ = ["SensitivityAnalyses", "SensitivityResult"]

_EPOCH = date(1970, 1, 1)
_UNKNOWN = ("expected_adjusted", *NEEDS_SAFE_TEST, *NEEDS_BLOCKED_TEST)
_RESTRICTED = tuple(RestrictedStatistics.model_fields)


@dataclass(frozen=True, slots=True)
class SensitivityResult:
    """Sensitivity analyses of one pair."""

    burst: Burst | None = None
    indication_confounding: bool = False
    restricted: Restricted | None = None
    explained_by: tuple[ExplainedBy, ...] | None = None


class SensitivityAnalyses:
    """Sensitivity analyses of pairs without a burst, and within their indication.

    Parameters
    ----------
    scorer
        Scores the pairs; its rules are evaluated on the restricted tables as well.
    rule
        Thresholds of a burst.
    """

    def __init__(self, scorer: Scorer, rule: BurstRule) -> None:
        self._scorer = scorer
        self._rule = rule
        self._indications = lru_cache(maxsize=1)(Indications)
        self._bits = [(1 << bit, rule.name) for bit, rule in enumerate(scorer.rules.rules)]
        self._not_asked = _not_of_a_table(scorer.rules)

    def of_pairs(
        self,
        pairs: pl.DataFrame,
        on: Sequence[int],
        cases: pl.DataFrame,
        origins: Origins,
        view: CountsView,
        tally: Tally,
        days: tuple[int | None, int],
    ) -> list[SensitivityResult]:
        """Return the results of each pair, in their order.

        Parameters
        ----------
        pairs
            `key`, `drug`, `event` and the four counts; sorted by key.
        on
            Bits of the rules that are on, of each pair; a pair without any has no analyses.
        cases
            Result of `streams.core.counting.case_log.CaseLog.cases_of` for them.
        origins
            The sources of the cases.
        view, tally, days
            The cases and counts of the window, and its first and last day.
        """
        rules = dict(zip(pairs["key"].to_list(), on, strict=True))
        bursts = self._bursts(
            pairs, rules, bursts_of(cases, pairs["key"].to_numpy(), origins, self._rule)
        )
        indicated = self._indications(view.indications)
        stating, confounded = _confounded(pairs, cases, indicated, view.indications.code(""))
        restricted = self._restricted(pairs, rules, confounded, stating, indicated, view.log, days)
        asked = pairs.filter(pl.col("key").is_in([key for key, on in rules.items() if on]))
        explained = _explained(asked["key"].to_numpy(), view, tally, days)
        return [
            SensitivityResult(
                bursts.get(key), key in confounded, restricted.get(key), explained.get(key)
            )
            for key in rules
        ]

    def _bursts(
        self, pairs: pl.DataFrame, on: Mapping[int, int], found: pl.DataFrame
    ) -> dict[int, Burst]:
        found = found.filter(pl.col("key").is_in([key for key, rules in on.items() if rules]))
        if found.height == 0:
            return {}
        # Every case of a burst has drug and event, so it is subtracted from all four counts.
        table = pairs.join(found, on="key", how="inner", maintain_order="left").with_columns(
            pl.col(MARGINS) - pl.col("n")
        )
        bursts = {}
        for row in self._scored(table).iter_rows(named=True):
            fires, not_asked = self._asked(row["entered"], on[row["key"]])
            bursts[row["key"]] = Burst(
                source=row["source"],
                sender_stated=row["sender_stated"],
                received=_EPOCH + timedelta(days=row["day"]),
                n_cases=row["n"],
                n_by_professional=row["n_by_professional"],
                counts_without=_counts(row),
                rules_without=fires,
                rules_not_asked=not_asked,
            )
        return bursts

    def _restricted(
        self,
        pairs: pl.DataFrame,
        on: Mapping[int, int],
        confounded: Mapping[int, frozenset[str]],
        stating: Mapping[int, int],
        indicated: Indications,
        log: CaseLog,
        days: tuple[int | None, int],
    ) -> dict[int, Restricted]:
        keys = [key for key in confounded if on[key]]
        if not keys:
            return {}
        asked = pairs.filter(pl.col("key").is_in(keys))
        tables = [
            log.counts_within(key, indicated.of_groups(confounded[key]), *days)
            for key in asked["key"].to_list()
        ]
        narrow = pl.DataFrame(tables, schema=dict.fromkeys(MARGINS, pl.Int64), orient="row")
        scored = self._scored(asked.with_columns(narrow.get_columns()))
        result = {}
        for row in self._scorer.complete(scored).iter_rows(named=True):
            fires, not_asked = self._asked(row["entered"], on[row["key"]])
            result[row["key"]] = Restricted(
                indication=", ".join(sorted(confounded[row["key"]])),
                n_stating=stating[row["key"]],
                counts=_counts(row),
                statistics=RestrictedStatistics(
                    **{name: _finite(row[name]) for name in _RESTRICTED}
                ),
                rules_fired=fires,
                rules_not_asked=not_asked,
                supported=bool(fires),
            )
        return result

    def _scored(self, table: pl.DataFrame) -> pl.DataFrame:
        unknown = (pl.lit(None, dtype=pl.Float64).alias(name) for name in _UNKNOWN)
        return self._scorer.score(table.with_columns(unknown))

    def _asked(self, entered: int, on: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the rules on that fire for a table, and those that cannot be evaluated on it."""
        names = [name for bit, name in self._bits if on & bit]
        fires = {name for bit, name in self._bits if entered & on & bit}
        not_asked = self._not_asked.intersection(names) - fires
        return tuple(sorted(fires)), tuple(sorted(not_asked))


def _confounded(
    pairs: pl.DataFrame, cases: pl.DataFrame, indicated: Indications, nothing: int
) -> tuple[dict[int, int], dict[int, frozenset[str]]]:
    """Return the cases of each pair that state an indication, and the groups shared with the event.

    The groups only of pairs where at least half of those cases share one.
    """
    stated = cases.filter(pl.col("indications") != nothing)
    counted = stated.group_by("key", "indications").len()
    events = dict(pairs[["key", "event"]].iter_rows())
    stating: dict[int, int] = dict.fromkeys(events, 0)
    same: dict[int, int] = dict.fromkeys(events, 0)
    shared: dict[int, frozenset[str]] = dict.fromkeys(events, frozenset())
    for key, code, n in counted.iter_rows():
        stating[key] += n
        if groups := indicated.shared(events[key], code):
            same[key] += n
            shared[key] |= groups
    return stating, {key: shared[key] for key, n in same.items() if n and 2 * n >= stating[key]}


def _explained(
    keys: Keys, view: CountsView, tally: Tally, days: tuple[int | None, int]
) -> dict[int, tuple[ExplainedBy, ...]]:
    """Return the products that explain each pair of a product and a term."""
    keys = keys[view.levels.is_of_product(keys)]
    explained: dict[int, tuple[ExplainedBy, ...]] = {}
    for key, (codes, n) in zip(keys.tolist(), co_reported(view.log, keys, *days), strict=True):
        drug, event = key >> 32, key & 0xFFFF_FFFF
        often = n >= max(FEWEST_SHARED, LEAST_SHARE * int(n[codes == drug].sum()))
        codes = codes[often & view.levels.is_of_product(codes << 32 | event)]
        products = sorted((view.drugs.names[code], code) for code in codes.tolist())
        explained[key] = ()
        if len(products) > 1:
            groups = product_groups(view.log, tally.adjusted, products, event, days)
            found = explanations(groups, view.drugs.names[drug])
            explained[key] = _products(found, dict(products), view)
    return explained


def _products(
    found: pl.DataFrame, codes: Mapping[str, int], view: CountsView
) -> tuple[ExplainedBy, ...]:
    keys = np.array([codes[name] for name in found["product"]], dtype=np.int64)
    labels = view.spellings.drug_labels(keys, view.drugs)
    return tuple(
        ExplainedBy(
            product=label,
            n_shared=row["n_shared"],
            share=row["share"],
            counts_without=_counts(row),
            expected_without=row["expected_adjusted"],
            ic_without=row["ic_adjusted"],
            ic_lower_without=row["ic_lower_adjusted"],
        )
        for label, row in zip(labels, found.iter_rows(named=True), strict=True)
    )


def _not_of_a_table(rules: RuleSet) -> frozenset[str]:
    """Return the rules on statistics that need days or strata, and not one table."""
    return frozenset(rule.name for rule in rules.rules if rule.statistics & NOT_OF_A_TABLE)


def _counts(row: Mapping[str, Any]) -> Counts:
    return Counts(**{name: row[name] for name in MARGINS})


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
