"""Builds alerts from decided rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    SignalGrade,
    Statistics,
    Window,
)
from schemas.context import Context
from schemas.counts import MARGINS
from schemas.rule_outcome import Fragility
from schemas.strata import Strata
from streams.core.alerts.identity import alert_id, snapshot_id
from streams.core.alerts.next_steps import due_day, running_due
from streams.core.alerts.priority import is_urgent, priority_on
from streams.core.alerts.rule_outcomes import RuleOutcomes
from streams.core.alerts.sensitivity import SensitivityResult
from streams.core.cases.levels import level_of
from streams.core.signals.decisions import GRADES, KINDS, REASONS, Decisions
from streams.core.signals.new_evidence import FATAL, PAEDIATRIC_BIT, REGION_BITS
from streams.core.signals.realert_policy import AlertPolicy
from streams.core.signals.signal_key import signal_key
from streams.core.wording.signal_text import signal_texts

__all__ = ["AlertBuilder", "EvaluatedWindow", "PairSummary"]

_CODE_VERSION = version("tocsin")
_OF_CASES = (
    *("n_serious", "n_fatal", "n_paediatric", "first_received", "last_received"),
    *("n_by_professional", "n_sources", "completeness", "n_suspected_duplicates", "n_post_notice"),
    *("n_drug_recent", "n_comparators"),
)
_LISTS = ("countries", "dictionary_versions", "case_ids")
_STATISTICS = list(Statistics.model_fields)
_NAMES = ("drug", "event", "drug_label", "event_label")
_OF_ROW = ["at", *_NAMES, *MARGINS, "entered", "facets", *_OF_CASES, *_LISTS]
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class EvaluatedWindow:
    """Fields that all alerts of one window and evaluation share.

    Attributes
    ----------
    as_of
        Next input offsets of the counts.
    strata
        Strata of the adjusted statistics.
    prior_id, prior_id_adjusted
        Priors of the EBGM and of the EBGM within strata; None if none is used.
    tested_through, test_recomputed
        The last day of the anytime-valid test [days since 1970-01-01], and whether a past day was
        corrected since; None if no rule needs it.
    thresholds
        Least totals of the levels of the priority; None: the fixed ones.
    """

    window: Window
    evaluated_on: date
    as_of: Sequence[InputOffset]
    strata: Strata
    prior_id: str | None = None
    prior_id_adjusted: str | None = None
    tested_through: int | None = None
    test_recomputed: bool | None = None
    thresholds: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class PairSummary:
    """Fields of the alert on a pair that are not in its row.

    Attributes
    ----------
    found
        Results of the sensitivity analyses.
    context
        Context of a product of the domain; None of others.
    fields
        Other fields of `schemas.alert.Alert`, by name.
    fragility
        Fragility of each rule that is on, by its bit.
    """

    found: SensitivityResult
    context: Context | None
    fields: Mapping[str, Any]
    fragility: Mapping[int, Fragility]


@dataclass(frozen=True, slots=True)
class _Revision:
    """Decision on one signal.

    Attributes
    ----------
    reasons, on, grade
        See `streams.core.signals.decisions.Decisions`.
    """

    kind: AlertKind
    reasons: int
    on: int
    grade: SignalGrade
    previous: Previous | None
    first_alert_on: date | None
    first_alarm_on: date | None


class AlertBuilder:
    """Builder of alerts under one set of rules and one policy."""

    def __init__(self, rules: RuleSet, policy: AlertPolicy) -> None:
        self._rules = rules.rules
        self._rules_hash = rules.rules_hash
        self._policy_hash = policy.policy_hash
        self._designated = policy.designated
        self._on = lru_cache(self._names_on)
        self._outcomes = RuleOutcomes(rules)

    def build(
        self,
        rows: pl.DataFrame,
        decisions: Decisions,
        summaries: Sequence[PairSummary],
        evaluated: EvaluatedWindow,
        *,
        dropped: Mapping[int, tuple[str, ...]],
    ) -> list[Alert]:
        """Build an alert for every decided row, sorted by drug and event.

        Parameters
        ----------
        rows
            One row a decision, in their order: `key`, `drug`, `event`, their spellings to show
            (`drug_label`, `event_label`), the four counts, `entered` [bits of the rules that
            fire], every field of `schemas.alert.Statistics`, and the columns of `facts_of` and
            `streams.core.alerts.case_sources.sources_of`.
        summaries
            Summary of each row, in the same order.
        evaluated
            The fields that the alerts share.
        dropped
            By key, names of rules that were on and are no longer in the rule set.
        """
        unbounded = _unbounded(rows)
        floats = [name for name, dtype in rows.schema.items() if dtype == pl.Float64]
        ordered = rows.with_columns(
            *(pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in floats),
            pl.int_range(pl.len()).alias("at"),
        )
        ordered = ordered[[*_OF_ROW, *_STATISTICS]].sort("drug", "event")
        shared = self._shared(evaluated)
        revisions = self._revisions(decisions, dropped, evaluated.evaluated_on)
        statistics = ordered[_STATISTICS].to_dicts()
        return [
            self._alert(
                row,
                Statistics.model_construct(**computed),
                unbounded[row["at"]],
                revisions[row["at"]],
                summaries[row["at"]],
                shared,
                evaluated.thresholds,
            )
            for row, computed in zip(
                ordered[_OF_ROW].iter_rows(named=True), statistics, strict=True
            )
        ]

    def _revisions(
        self, decisions: Decisions, dropped: Mapping[int, tuple[str, ...]], today: date
    ) -> list[_Revision]:
        # Converted to Python values at once: one by one out of arrays they cost twice as much.
        kinds, reasons, on, grades = (
            column.tolist()
            for column in (decisions.kinds, decisions.reasons, decisions.on, decisions.grades)
        )
        names = decisions.was.dtype.names or ()
        was = (dict(zip(names, row, strict=True)) for row in decisions.was.tolist())
        return [
            _Revision(
                KINDS[kind],
                mask,
                rules,
                GRADES[grade],
                self._previous(state, dropped),
                *_first_days(state, GRADES[grade], today),
            )
            for kind, mask, rules, grade, state in zip(kinds, reasons, on, grades, was, strict=True)
        ]

    def _shared(self, evaluated: EvaluatedWindow) -> dict[str, Any]:
        """Return the fields that all alerts of one window and evaluation have in common."""
        return {
            "window": evaluated.window,
            "evaluated_on": evaluated.evaluated_on,
            "as_of": tuple(evaluated.as_of),
            "rules_hash": self._rules_hash,
            "policy_hash": self._policy_hash,
            "strata": evaluated.strata,
            "prior_id": evaluated.prior_id,
            "prior_id_adjusted": evaluated.prior_id_adjusted,
            "test_recomputed": evaluated.test_recomputed,
            "code_version": _CODE_VERSION,
            "snapshot_id": snapshot_id(
                evaluated.as_of,
                evaluated.window,
                evaluated_on=evaluated.evaluated_on,
                rules_hash=self._rules_hash,
                policy_hash=self._policy_hash,
                prior_id=evaluated.prior_id,
                prior_id_adjusted=evaluated.prior_id_adjusted,
                tested_through=evaluated.tested_through,
                strata=evaluated.strata,
                code_version=_CODE_VERSION,
            ),
        }

    def _alert(
        self,
        row: Mapping[str, Any],
        statistics: Statistics,
        unbounded: tuple[str, ...],
        revision: _Revision,
        summary: PairSummary,
        shared: Mapping[str, Any],
        thresholds: Mapping[str, float] | None,
    ) -> Alert:
        drug, event, found = row["drug"], row["event"], summary.found
        previous, on = revision.previous, revision.on
        number = 1 if previous is None else previous.revision + 1
        key = signal_key(drug, event, shared["window"].label)
        held = on & ~row["entered"]
        fields = {
            "alert_id": alert_id(key, self._rules_hash, self._policy_hash, number),
            "signal_key": key,
            "revision": number,
            "kind": revision.kind,
            "reasons": _reasons(revision.reasons),
            "drug": row["drug_label"],
            "event": row["event_label"],
            "level": level_of(drug, event),
            "grade": revision.grade,
            "counts": Counts.model_construct(**{name: row[name] for name in MARGINS}),
            "statistics": statistics,
            "unbounded": unbounded,
            "rules": self._outcomes.of(
                {**statistics.__dict__, **dict.fromkeys(unbounded, math.inf), **row},
                on=on,
                held=held,
                previous=previous,
                fragility=summary.fragility,
            ),
            "rules_fired": self._on(on),
            "previous": previous,
            "first_alert_on": revision.first_alert_on,
            "first_alarm_on": revision.first_alarm_on,
            **{name: row[name] for name in _OF_CASES},
            **{name: tuple(row[name]) for name in _LISTS},
            "regions": _regions(row["facets"]),
            "burst": found.burst,
            "indication_confounding": found.indication_confounding,
            "restricted": found.restricted,
            "explained_by": found.explained_by,
        }
        todo = self._todo(row, revision, summary, shared["evaluated_on"])
        facts = {**summary.fields, **shared, **fields, **todo}
        without = Alert.model_construct(**facts)  # its texts and priority
        texts = signal_texts(without)
        return Alert.model_construct(
            **facts,
            priority=priority_on(without, without.evaluated_on, thresholds),
            headline=texts.headline,
            reason=texts.reason,
            sentence=texts.sentence,
            next_step=texts.next_step,
        )

    def _todo(
        self,
        row: Mapping[str, Any],
        revision: _Revision,
        summary: PairSummary,
        evaluated_on: date,
    ) -> dict[str, Any]:
        """Return the context, urgency and due days of a revision."""
        context, kind, event = summary.context, revision.kind, row["event"]
        urgent = is_urgent(
            kind,
            _reasons(revision.reasons),
            row["n_fatal"],
            designated=event in self._designated or bool(context and context.designated),
        )
        own_due = due_day(
            kind, _reasons(revision.reasons), urgent=urgent, evaluated_on=evaluated_on
        )
        return {
            "context": context,
            "urgent": urgent,
            "due": running_due(own_due, revision.previous, is_on=revision.on != 0),
            "own_due": own_due,
        }

    def _names_on(self, mask: int) -> tuple[str, ...]:
        return tuple(sorted(rule.name for bit, rule in enumerate(self._rules) if mask >> bit & 1))

    def _previous(
        self, was: Mapping[str, Any], dropped: Mapping[int, tuple[str, ...]]
    ) -> Previous | None:
        if was["revision"] == 0:
            return None
        names = self._on(was["on"]) + dropped.get(was["key"], ())
        return Previous.model_construct(
            revision=was["revision"],
            kind=KINDS[was["kind"]],
            grade=GRADES[was["grade"]],
            evaluated_on=_EPOCH + timedelta(days=was["evaluated_on"]),
            n_observed=was["n_observed"],
            ror_lower=_finite(was["ror_lower"]),
            ic_lower=_finite(was["ic_lower"]),
            rules_fired=tuple(sorted(names)),
            any_fatal=bool(was["facets"] & FATAL),
            any_paediatric=bool(was["facets"] & PAEDIATRIC_BIT),
            regions=_regions(was["facets"]),
            due=_EPOCH + timedelta(days=was["due"]) if was["due"] else None,
        )


def _unbounded(rows: pl.DataFrame) -> list[tuple[str, ...]]:
    """Return the names of the infinite statistics of each row, in the order of the schema."""
    columns = {name: rows[name] for name in _STATISTICS if rows.schema[name] == pl.Float64}
    infinite = {name: column.is_infinite().fill_null(False) for name, column in columns.items()}
    named = [(name, flags.to_list()) for name, flags in infinite.items() if flags.any()]
    return [tuple(name for name, flags in named if flags[at]) for at in range(rows.height)]


@lru_cache
def _reasons(mask: int) -> tuple[AlertReason, ...]:
    return tuple(reason for bit, reason in enumerate(REASONS) if mask >> bit & 1)


@lru_cache
def _regions(mask: int) -> tuple[str, ...]:
    return tuple(name for name, bit in REGION_BITS.items() if mask & bit)


def _first_days(
    was: Mapping[str, Any], grade: SignalGrade, today: date
) -> tuple[date | None, date | None]:
    """Return the days of the first revision of a signal, and of the first that was an alarm."""
    first, alarm = (
        _EPOCH + timedelta(days=was[name]) if was[name] else None
        for name in ("first_alert", "first_alarm")
    )
    if was["revision"] == 0:
        first = today
    if alarm is None and grade is SignalGrade.ALARM and first is not None:
        alarm = today
    return first, alarm


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
