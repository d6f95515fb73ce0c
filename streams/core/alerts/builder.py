"""Rows that were decided to be published, made into alerts."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import polars as pl

from detectors.rules import RuleSet
from schemas.alert import (
    Alert,
    AlertKind,
    AlertReason,
    Counts,
    InputOffset,
    Previous,
    RuleOutcome,
    Statistics,
    Window,
)
from schemas.counts import MARGINS
from streams.core.alerts.identity import alert_id, signal_key, snapshot_id
from streams.core.alerts.sensitivity import SensitivityResult
from streams.core.alerts.sentence import sentence_of
from streams.core.cases.levels import level_of
from streams.core.signals.lifecycle import KINDS, REASONS, Decisions
from streams.core.signals.new_evidence import REGION_BITS
from streams.core.signals.realert_policy import AlertPolicy

__all__ = ["AlertBuilder"]

_CODE_VERSION = version("tocsin")
_OF_CASES = (
    "n_serious",
    "n_fatal",
    "n_paediatric",
    "first_received",
    "last_received",
    "n_by_professional",
    "n_sources",
    "completeness",
    "n_suspected_duplicates",
    "n_post_notice",
)
_STATISTICS = list(Statistics.model_fields)
_OF_ROW = [
    "at",
    "drug",
    "event",
    *MARGINS,
    "entered",
    *_OF_CASES,
    "facets",
    "countries",
    "dictionary_versions",
    "case_ids",
]
# Every field in the order of the schema, which is that of the text an alert is written as.
_TEMPLATE = {name: field.get_default() for name, field in Alert.model_fields.items()}
_EPOCH = date(1970, 1, 1)


class AlertBuilder:
    """Makes alerts under one set of rules; what the rules say of themselves is made once."""

    def __init__(self, rules: RuleSet, policy: AlertPolicy) -> None:
        self._rules = [(rule.name, rule.sentence, rule.exit_sentence) for rule in rules.rules]
        self._rules_hash = rules.rules_hash
        self._policy_hash = policy.policy_hash
        self._on = lru_cache(self._names_on)
        self._outcomes = lru_cache(self._rule_outcomes)

    def build(
        self,
        rows: pl.DataFrame,
        decisions: Decisions,
        scrutinised: Sequence[SensitivityResult],
        *,
        window: Window,
        evaluated_on: date,
        as_of: Sequence[InputOffset],
        further: Sequence[Mapping[str, Any]],
        tested_through: int | None = None,
        prior_id: str | None = None,
        test_recomputed: bool | None = None,
        dropped: Mapping[int, tuple[str, ...]] | None = None,
    ) -> list[Alert]:
        """Make an alert of every decided row, sorted by drug and event.

        Parameters
        ----------
        rows
            One row a decision, in their order: `key`, `drug`, `event`, the four counts, `entered`
            [bits of the rules that fire], every field of `schemas.alert.Statistics`, and what
            `facts_of` and `streams.core.alerts.case_sources.sources_of` give.
        scrutinised
            What was found of each, in the same order.
        further
            Other fields of each, in the same order.
        tested_through
            As of `streams.core.alerts.identity.snapshot_id`.
        dropped
            By key, names of rules that were on and are no longer asked.
        """
        floats = [name for name, dtype in rows.schema.items() if dtype == pl.Float64]
        ordered = rows.with_columns_seq(
            *(pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in floats),
            pl.int_range(pl.len()).alias("at"),
        )
        ordered = ordered[[*_OF_ROW, *_STATISTICS]].sort("drug", "event")
        common = {
            "window": window,
            "evaluated_on": evaluated_on,
            "as_of": tuple(as_of),
            "rules_hash": self._rules_hash,
            "policy_hash": self._policy_hash,
            "prior_id": prior_id,
            "test_recomputed": test_recomputed,
            "code_version": _CODE_VERSION,
            "snapshot_id": snapshot_id(
                as_of,
                window,
                evaluated_on=evaluated_on,
                rules_hash=self._rules_hash,
                policy_hash=self._policy_hash,
                prior_id=prior_id,
                tested_through=tested_through,
                code_version=_CODE_VERSION,
            ),
        }
        # As Python values once: one by one out of arrays they cost twice as much.
        kinds, reasons, on = (
            column.tolist() for column in (decisions.kinds, decisions.reasons, decisions.on)
        )
        names = decisions.was.dtype.names or ()
        was = [dict(zip(names, row, strict=True)) for row in decisions.was.tolist()]
        statistics = ordered[_STATISTICS].to_dicts()
        return [
            self._alert(
                row,
                Statistics.trusted(computed),
                KINDS[kinds[row["at"]]],
                reasons[row["at"]],
                on[row["at"]],
                scrutinised[row["at"]],
                self._previous(was[row["at"]], dropped or {}),
                {**further[row["at"]], **common},
            )
            for row, computed in zip(
                ordered[_OF_ROW].iter_rows(named=True), statistics, strict=True
            )
        ]

    def _alert(
        self,
        row: Mapping[str, Any],
        statistics: Statistics,
        kind: AlertKind,
        reasons: int,
        on: int,
        found: SensitivityResult,
        previous: Previous | None,
        further: Mapping[str, Any],
    ) -> Alert:
        drug, event = row["drug"], row["event"]
        revision = 1 if previous is None else previous.revision + 1
        key = signal_key(drug, event, further["window"].label)
        why = _reasons(reasons)
        held = on & ~row["entered"]
        sentence = sentence_of(
            kind,
            drug,
            event,
            row["n_observed"],
            statistics,
            fires=self._on(on & ~held),
            held=self._on(held),
        )
        return Alert.trusted(
            {
                **_TEMPLATE,
                **further,
                "alert_id": alert_id(key, self._rules_hash, self._policy_hash, revision),
                "signal_key": key,
                "revision": revision,
                "kind": kind,
                "reason": _in_words(reasons),
                "reasons": why,
                "sentence": sentence + found.sentence,
                "drug": drug,
                "event": event,
                "level": level_of(drug, event),
                "counts": Counts.trusted({name: row[name] for name in MARGINS}),
                "statistics": statistics,
                "rules": self._outcomes(on, held),
                "rules_fired": self._on(on),
                "previous": previous,
                **{name: row[name] for name in _OF_CASES},
                "regions": _regions(row["facets"]),
                "countries": tuple(row["countries"]),
                "dictionary_versions": tuple(row["dictionary_versions"]),
                "burst": found.burst,
                "indication_confounding": found.indication_confounding,
                "restricted": found.restricted,
                "case_ids": tuple(row["case_ids"]),
            }
        )

    def _names_on(self, mask: int) -> tuple[str, ...]:
        return tuple(sorted(name for bit, (name, *_) in enumerate(self._rules) if mask >> bit & 1))

    def _rule_outcomes(self, on: int, held: int) -> tuple[RuleOutcome, ...]:
        return tuple(
            RuleOutcome(
                name=name,
                sentence=sentence,
                exit_sentence=exit_sentence,
                fired=bool(on >> bit & 1),
                held=bool(held >> bit & 1),
            )
            for bit, (name, sentence, exit_sentence) in enumerate(self._rules)
        )

    def _previous(
        self, was: Mapping[str, Any], dropped: Mapping[int, tuple[str, ...]]
    ) -> Previous | None:
        if was["revision"] == 0:
            return None
        names = self._on(was["on"]) + dropped.get(was["key"], ())
        return Previous.trusted(
            {
                "revision": was["revision"],
                "kind": KINDS[was["kind"]],
                "evaluated_on": _EPOCH + timedelta(days=was["evaluated_on"]),
                "n_observed": was["n_observed"],
                "ror_lower": _finite(was["ror_lower"]),
                "ic_lower": _finite(was["ic_lower"]),
                "rules_fired": tuple(sorted(names)),
            }
        )


@lru_cache
def _reasons(mask: int) -> tuple[AlertReason, ...]:
    return tuple(reason for bit, reason in enumerate(REASONS) if mask >> bit & 1)


@lru_cache
def _in_words(mask: int) -> str:
    return "; ".join(reason.sentence for reason in _reasons(mask))


@lru_cache
def _regions(mask: int) -> tuple[str, ...]:
    return tuple(name for name, bit in REGION_BITS.items() if mask & bit)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
