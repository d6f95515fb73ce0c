"""Recomputes the numbers of an alert in one pass over its input messages.

The counts share no code with those of the stream: versions are sorted, the last of each case is
selected, linked duplicates are removed, and the drug and event of an alert are counted among the
rest. The estimators are the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from math import isfinite
from typing import Any

import polars as pl

from detectors.expected import expected_stratified
from detectors.gamma_mixture import GammaMixture
from detectors.rules import RuleSet
from detectors.scoring import methods_for, score
from schemas.alert import Alert, Counts, Statistics, Window, WindowKind
from schemas.counts import COUNTS
from schemas.errors import InputError
from streams.core.cases.link_decisions import LinkDecision
from streams.core.cases.transitions import CaseVersion
from streams.core.recount.anytime_test import TESTED, anytime_statistics
from streams.core.recount.clinical import (
    CLINICAL,
    REMOVED,
    clinical_values,
    removed_cases,
    removed_values,
)
from streams.core.recount.evidence import (
    EVIDENCE,
    OF_PAIR,
    evidence_values,
    facts,
    named,
    naming,
)
from streams.core.recount.exclusions import link_states, withdrawn_cases
from streams.core.recount.labels import LABELS, label_values
from streams.core.signals.scorer import NEEDS_SAFE_TEST
from streams.core.signals.signal_key import names_of_key

__all__ = ["COMPARED", "Difference", "Recount", "Recounted", "version_frame"]

_UNIT = "\x1f"  # separates the names of a case; no name contains it
_EPOCH = date(1970, 1, 1)
_MARKER = -2  # the `version` of a release marker
_KEPT = ("links", "voided", "withdrawn")  # stored with a case; no single message states them
_ORDER = tuple(name for name in CaseVersion.__struct_fields__ if name not in _KEPT)  # of versions
_STRATUM = ("age_group", "sex", "region")
_TYPES = {str: pl.String, int: pl.Int64, bool: pl.Boolean, float: pl.Float64}
_FIELDS = {name: _TYPES[CaseVersion.__annotations__[name]] for name in _ORDER}
_DECISION = {name: _TYPES[kind] for name, kind in LinkDecision.__annotations__.items()}

COMPARED = (
    *LABELS,
    *(f"counts.{name}" for name in Counts.model_fields),
    *(f"statistics.{name}" for name in Statistics.model_fields),
    *OF_PAIR,
    *EVIDENCE,
    *(*CLINICAL, *REMOVED),
    "rules_fired",
)
"""Fields that a recount compares; `rules_fired` only with the rules of the alert's `rules_hash`.

A rule is on if it fires, or was on in `previous` and is not past its exit. Other fields cannot be
recomputed from the input alone: kind, reason, revision, `previous` and `n_new` depend on the alerts
published before, `test_recomputed` on the time when a correction arrived, `calibration` on the list
of negative controls and on which of them were on.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs between alert and recount."""

    name: str
    published: object
    recounted: object


@dataclass(frozen=True, slots=True)
class Recounted:
    """Result of the recount of one alert.

    Attributes
    ----------
    messages
        Messages of its input, transaction markers included.
    compared
        Number of values compared, to the last bit.
    differences
        Those that differ.
    rules_known
        Whether the rules are those of the alert, so that `rules_fired` was compared.
    """

    alert: Alert
    messages: int
    compared: int
    differences: tuple[Difference, ...]
    rules_known: bool


def version_frame(partition: int, versions: Sequence[tuple[int, CaseVersion]]) -> pl.DataFrame:
    """Return versions, each with its offset in a partition, as a frame."""
    columns = {name: [getattr(version, name) for _, version in versions] for name in _ORDER}
    # A link is a version with one decision and nothing else (`streams.core.cases.transitions`).
    decided = [version.links[0] if version.links else None for _, version in versions]
    columns |= {name: [link and getattr(link, name) for link in decided] for name in _DECISION}
    return pl.DataFrame(columns, schema=_FIELDS | _DECISION).with_columns(
        pl.Series("offset", [offset for offset, _ in versions], dtype=pl.Int64),
        pl.lit(partition, dtype=pl.Int32).alias("partition"),
    )


class Recount:
    """Recounts alerts from all versions of all cases.

    Parameters
    ----------
    versions
        Frames of `version_frame`, of every message that could be read, in any order.
    rules
        Evaluated for alerts with their hash.
    priors
        The priors of EBGM that alerts may name, by id.
    test_lag
        Days by which the anytime-valid test is behind the day of evaluation: 1 in a live run, as
        that day is not over; 0 in a replay, which evaluates at the ends of days.
    until_evaluated
        Whether messages received after the day of evaluation are left out. A replay with `--until`
        skips them; otherwise there are none.
    """

    def __init__(
        self,
        versions: Iterable[pl.DataFrame],
        rules: RuleSet,
        *,
        priors: Mapping[str, GammaMixture],
        test_lag: int,
        until_evaluated: bool,
    ) -> None:
        self._rules = rules
        self._priors = priors
        self._test_lag = test_lag
        self._until_evaluated = until_evaluated
        self._methods = methods_for(frozenset(Statistics.model_fields) | rules.statistics)
        everything = pl.concat([version_frame(0, ()), *versions])
        is_link = pl.col("decider").is_not_null()
        self._links = everything.filter(is_link).select(
            "partition", "offset", "case_id", "latest_received", *_DECISION
        )
        is_marker = pl.col("version") == _MARKER
        self._markers = everything.filter(is_marker).select(
            "partition", "offset", "scope", "release", "latest_received"
        )
        self._versions = (
            everything.lazy()
            .filter(~is_link & ~is_marker)
            .sort(_ORDER)
            .select(
                "partition",
                "offset",
                "case_id",
                *("scope", "release"),
                *("latest_received", "day", "serious", "fatal", "nullified"),
                pl.concat_str(_STRATUM, separator=_UNIT).cast(pl.Categorical).alias("stratum"),
                (pl.col("excluded") == "").alias("counted"),
                # A separator on both sides of every name: only whole names are found.
                *((_UNIT + pl.col(name) + _UNIT).alias(name) for name in ("drugs", "events")),
                *("origin", "indications", "completeness"),
                *("life_threatening", "courses", "onsets"),
                *("drug_spellings", "event_spellings"),
            )
            .collect()
        )

    def recount(self, alerts: Iterable[Alert]) -> Iterator[Recounted]:
        """Recount alerts, grouped by evaluation.

        Raises
        ------
        InputError
            If the prior of an alert is not given.
        """
        evaluations: dict[tuple[object, ...], list[Alert]] = {}
        for alert in alerts:
            key = (alert.as_of, alert.evaluated_on, alert.window, alert.prior_id)
            evaluations.setdefault(key, []).append(alert)
        for of_evaluation in evaluations.values():
            yield from self._of_evaluation(of_evaluation)

    def _of_evaluation(self, alerts: list[Alert]) -> Iterator[Recounted]:
        first = alerts[0]
        before = self._before(self._versions, first)
        # Of the rows of a case the last is the greatest.
        last = pl.col("case_id") != pl.col("case_id").shift(-1)
        current = before.filter(last.fill_null(True)).filter("counted")
        decided = link_states(self._before(self._links, first))
        linked_away = decided.filter("away").select("case_id")
        withdrawn = withdrawn_cases(current, self._before(self._markers, first))
        for out in (linked_away, withdrawn):
            current = current.join(out, on="case_id", how="anti", maintain_order="left")
        removed = _within(removed_cases(before, linked_away, withdrawn), first.window)
        doubted = decided.filter("suspected")["case_id"].implode()
        current = current.with_columns(pl.col("case_id").is_in(doubted).alias("suspected"))
        within = _within(current, first.window)
        strata = before["stratum"].unique().cast(pl.String).sort()
        pair_of = {alert.signal_key: names_of_key(alert.signal_key) for alert in alerts}
        pairs = list(dict.fromkeys(pair_of.values()))
        of_pairs = {pair: facts(within, *pair) for pair in pairs}
        rows = [{"drug": drug, "event": event, **of_pairs[drug, event][0]} for drug, event in pairs]
        scored = self._scored(pl.DataFrame(rows, schema=dict(COUNTS)), first.prior_id)
        stratified = [_expected(within, strata, *pair) for pair in pairs]
        scored = scored.with_columns(pl.Series("expected_stratified", stratified, pl.Float64))
        tested = any(alert.test_recomputed is not None for alert in alerts)
        if tested and first.window.kind is WindowKind.CUMULATIVE:
            closed = (first.evaluated_on - _EPOCH).days - self._test_lag
            scored = scored.join(
                anytime_statistics(current.filter(pl.col("day") <= closed)),
                on=["drug", "event"],
                how="left",
                maintain_order="left",
            )
        else:
            nothing = pl.lit(None, dtype=pl.Float64)
            scored = scored.with_columns(nothing.alias(name) for name in TESTED)
        masks = scored.select(self._rules.masks()).rows()
        for alert in alerts:
            pair = pair_of[alert.signal_key]
            row = pairs.index(pair)
            known = alert.rules_hash == self._rules.rules_hash
            values = _values(scored.row(row, named=True), of_pairs[pair][1])
            values |= label_values(current, *pair)
            if alert.test_recomputed is None:
                values |= {f"statistics.{name}": None for name in TESTED}
            if known:
                values["rules_fired"] = self._on(alert, *masks[row])
            asked = partial(self._asked, alert)
            alike, both = named(within, alert)
            values |= evidence_values(alert, alike, both, asked, rules_known=known)
            values |= clinical_values(alert, both)
            values |= removed_values(alert, named(removed, alert)[1])
            yield _compared(alert, values, rules_known=known)

    def _asked(
        self, alert: Alert, counts: Mapping[str, int]
    ) -> tuple[Mapping[str, Any], frozenset[str], frozenset[str]]:
        """Score another table: see `streams.core.recount.evidence.Asked`."""
        drug, event = names_of_key(alert.signal_key)
        row = pl.DataFrame(
            {"drug": [drug], "event": [event], **{n: [c] for n, c in counts.items()}},
            schema=dict(COUNTS),
        )
        nothing = pl.lit(None, dtype=pl.Float64)
        scored = self._scored(row, alert.prior_id).with_columns(nothing.alias(n) for n in TESTED)
        ((entered, _),) = scored.select(self._rules.masks()).rows()
        rules = self._rules.rules
        fires = {rule.name for bit, rule in enumerate(rules) if entered >> bit & 1}
        unasked = {rule.name for rule in rules if rule.statistics & NEEDS_SAFE_TEST} - fires
        return scored.row(0, named=True), frozenset(fires), frozenset(unasked)

    def _on(self, alert: Alert, entered: int, held: int) -> tuple[str, ...]:
        was = () if alert.previous is None else alert.previous.rules_fired
        return tuple(
            sorted(
                rule.name
                for bit, rule in enumerate(self._rules.rules)
                if entered >> bit & 1 or (held >> bit & 1 and rule.name in was)
            )
        )

    def _before(self, messages: pl.DataFrame, alert: Alert) -> pl.DataFrame:
        """Return the messages before the offsets of an alert."""
        ends = {end.partition: end.next_offset for end in alert.as_of}
        end = pl.col("partition").replace_strict(
            list(ends), list(ends.values()), default=0, return_dtype=pl.Int64
        )
        before = pl.col("offset") < end
        if self._until_evaluated:
            before &= pl.col("latest_received") <= (alert.evaluated_on - _EPOCH).days
        return messages.filter(before)

    def _scored(self, counts: pl.DataFrame, prior_id: str | None) -> pl.DataFrame:
        if prior_id is None:
            scored = score(counts, [name for name in self._methods if name != "ebgm"])
            nothing = pl.lit(None, dtype=pl.Float64)
            return scored.with_columns(nothing.alias(name) for name in ("ebgm", "eb05", "eb95"))
        if prior_id not in self._priors:
            msg = (
                f"recount: the prior of every alert must be known; got {prior_id}, which is "
                "neither on the topic of priors nor given"
            )
            raise InputError(msg)
        return score(counts, self._methods, prior=self._priors[prior_id])


def _within(cases: pl.DataFrame, window: Window) -> pl.DataFrame:
    last = (window.last_day - _EPOCH).days
    inside = pl.col("day") <= last
    if window.first_day is not None:
        inside &= pl.col("day") >= (window.first_day - _EPOCH).days
    return cases if window.kind is WindowKind.CUMULATIVE else cases.filter(inside)


def _expected(cases: pl.DataFrame, strata: pl.Series, drug: str, event: str) -> float:
    """Return the stratified expectation of a pair; strata without a case add nothing."""
    sums = cases.group_by(pl.col("stratum").cast(pl.String)).agg(
        pl.len().alias("n_total"),
        naming("drugs", drug).sum().alias("n_drug"),
        naming("events", event).sum().alias("n_event"),
    )
    table = pl.DataFrame({"stratum": strata}).join(sums, on="stratum", how="left").fill_null(0)
    expected: float = expected_stratified(
        pl.DataFrame({"drug": [drug], "event": [event]}),
        table.select("stratum", pl.lit(drug).alias("drug"), n="n_drug"),
        table.select("stratum", pl.lit(event).alias("event"), n="n_event"),
        table.select("stratum", n="n_total"),
    )["expected"].item()
    return expected


def _values(row: Mapping[str, Any], of_pair: Mapping[str, Any]) -> dict[str, object]:
    statistics = {name: row[name] for name in Statistics.model_fields}
    return {
        **{f"counts.{name}": row[name] for name in Counts.model_fields},
        **{
            # As in alerts: undefined and unbounded are null.
            f"statistics.{name}": value if value is not None and isfinite(value) else None
            for name, value in statistics.items()
        },
        **of_pair,
    }


def _compared(alert: Alert, values: Mapping[str, object], *, rules_known: bool) -> Recounted:
    differences = []
    for name, recounted in values.items():
        published: Any = alert
        for part in name.split("."):
            published = getattr(published, part)
        # Equal `repr` means equal to the last bit: a float is written by its shortest digits.
        if repr(published) != repr(recounted):
            differences.append(Difference(name, published, recounted))
    return Recounted(
        alert=alert,
        messages=sum(end.next_offset for end in alert.as_of),
        compared=len(values),
        differences=tuple(differences),
        rules_known=rules_known,
    )
