"""Recomputes the numbers of an alert in one pass over its input messages.

The counts share no code with those of the stream: versions are sorted, the last of each case is
selected, linked duplicates are removed, and the drug and event of an alert are counted among the
rest. The estimators are the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

import polars as pl

from detectors.alarm_budget import FLOOR
from detectors.gamma_mixture import GammaMixture
from detectors.rules import RuleSet
from detectors.scoring import METHODS, methods_for, score
from schemas.alert import Alert, SignalGrade, Statistics, WindowKind
from schemas.counts import COUNTS, MARGINS
from schemas.errors import InputError
from streams.core.cases.link_decisions import LinkDecision
from streams.core.cases.transitions import CaseVersion
from streams.core.recount.anytime_test import (
    BLOCKED,
    BUDGETED,
    TESTED,
    anytime_statistics,
    budgeted_threshold,
)
from streams.core.recount.bystanders import explained_values
from streams.core.recount.clinical import (
    clinical_values,
    removed_cases,
    removed_values,
)
from streams.core.recount.comparison import Recounted, compared_with, unbounded_of, values_of
from streams.core.recount.due_days import DueDays
from streams.core.recount.evidence import (
    evidence_values,
    facts,
    named,
)
from streams.core.recount.exclusions import link_states, withdrawn_cases
from streams.core.recount.fragility import Removed, fragility_values
from streams.core.recount.labels import label_values
from streams.core.recount.priority import Priorities
from streams.core.recount.strata import (
    expected_over,
    with_blocks,
    with_expected,
    within_window,
)
from streams.core.recount.texts import text_values
from streams.core.signals.scorer import NOT_OF_A_TABLE
from streams.core.signals.signal_key import names_of_key

__all__ = ["Recount", "version_frame"]

_UNIT = "\x1f"  # separates the names of a case; no name contains it
_EPOCH = date(1970, 1, 1)
_MARKER = -2  # the `version` of a release marker
_KEPT = ("links", "voided", "withdrawn")  # stored with a case; no single message states them
_ORDER = tuple(name for name in CaseVersion.__struct_fields__ if name not in _KEPT)  # of versions
_STRATUM = ("age_group", "sex", "region")
_TYPES = {str: pl.String, int: pl.Int64, bool: pl.Boolean, float: pl.Float64}
_FIELDS = {name: _TYPES[CaseVersion.__annotations__[name]] for name in _ORDER}
_DECISION = {name: _TYPES[kind] for name, kind in LinkDecision.__annotations__.items()}


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
        The priors of EBGM, and of EBGM within strata, that alerts may name, by id.
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
        self._due_days = DueDays()
        self._priorities = Priorities()
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
                *("age_years", "age_group", "sex"),
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
            priors = (alert.prior_id, alert.prior_id_adjusted)
            key = (alert.as_of, alert.evaluated_on, alert.window, *priors)
            evaluations.setdefault(key, []).append(alert)
        for of_evaluation in evaluations.values():
            yield from self._of_evaluation(of_evaluation)

    def _of_evaluation(self, alerts: list[Alert]) -> Iterator[Recounted]:
        first = alerts[0]
        current, removed = self._current(first)
        within = within_window(current, first.window)
        pair_of = {alert.signal_key: names_of_key(alert.signal_key) for alert in alerts}
        pairs = list(dict.fromkeys(pair_of.values()))
        of_pairs = {pair: facts(within, *pair) for pair in pairs}
        rows = [{"drug": drug, "event": event, **of_pairs[drug, event][0]} for drug, event in pairs]
        current, expected = with_expected(current, first, pairs)
        within = within_window(current, first.window)  # with age bands
        counts = pl.DataFrame(rows, schema=dict(COUNTS)).with_columns(expected)
        scored = self._scored(counts, first)
        by_region = pl.col("stratum").cast(pl.String)
        stratified = [expected_over(within, by_region, *pair) for pair in pairs]
        scored = scored.with_columns(pl.Series("expected_stratified", stratified, pl.Float64))
        scored = self._tested(scored, current, alerts)
        masks = scored.select(self._rules.masks()).rows()
        for alert in alerts:
            pair = pair_of[alert.signal_key]
            row = pairs.index(pair)
            known = alert.rules_hash == self._rules.rules_hash
            statistics = scored.row(row, named=True)
            asked_of_test = _asked_of_test(alert, self._rules, known=known)
            statistics |= dict.fromkeys({*TESTED, *BLOCKED, BUDGETED} - asked_of_test)
            values = values_of(statistics, of_pairs[pair][1])
            if alert.unbounded is not None:
                values["unbounded"] = unbounded_of(statistics)
            values |= label_values(current, *pair)
            if known:
                values["rules_fired"] = on = self._on(alert, *masks[row])
                values["grade"] = self._grade(alert, on)
            asked = partial(self._asked, alert)
            alike, both = named(within, alert)
            values |= evidence_values(alert, alike, both, asked, rules_known=known)
            values |= clinical_values(alert, both)
            values |= removed_values(alert, named(removed, alert)[1])
            values |= self._due_days.values(alert)
            values |= text_values(alert)
            explained = explained_values(alert, current)
            values |= explained
            grade = self._grade(alert, on) if known else alert.grade
            values |= self._priorities.values(
                alert,
                within,
                statistics,
                of_pairs[pair][1]["n_serious"],
                grade,
                explained.get("explained_by"),
            )
            if known and alert.strata is not None:
                values |= fragility_values(
                    alert,
                    self._rules,
                    within.with_columns(block=pl.lit(0)),
                    self._in_test(current, alert),
                    partial(self._held, alert, statistics),
                )
            yield compared_with(alert, values, rules_known=known)

    def _current(self, first: Alert) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the cases counted by the offsets of an alert, and those of its window removed."""
        before = self._before(self._versions, first)
        # Of the rows of a case the last is the greatest.
        last = pl.col("case_id") != pl.col("case_id").shift(-1)
        current = before.filter(last.fill_null(True)).filter("counted")
        decided = link_states(self._before(self._links, first))
        linked_away = decided.filter("away").select("case_id")
        withdrawn = withdrawn_cases(current, self._before(self._markers, first))
        for out in (linked_away, withdrawn):
            current = current.join(out, on="case_id", how="anti", maintain_order="left")
        removed = within_window(removed_cases(before, linked_away, withdrawn), first.window)
        doubted = decided.filter("suspected")["case_id"].implode()
        return current.with_columns(pl.col("case_id").is_in(doubted).alias("suspected")), removed

    def _tested(
        self, scored: pl.DataFrame, current: pl.DataFrame, alerts: Sequence[Alert]
    ) -> pl.DataFrame:
        """Add the statistics of the anytime-valid tests; null outside the cumulative window."""
        first = alerts[0]
        closed = (first.evaluated_on - _EPOCH).days - self._test_lag
        past = current.filter(pl.col("day") <= closed)
        tested = any(alert.test_recomputed is not None for alert in alerts)
        for names in (TESTED, BLOCKED):
            blocked = names is BLOCKED
            asked = tested and (not blocked or first.strata is not None)
            if asked and first.window.kind is WindowKind.CUMULATIVE:
                rows = with_blocks(past, first.strata) if blocked and first.strata else past
                found = anytime_statistics(rows, blocked=blocked)
                scored = scored.join(found, on=["drug", "event"], how="left", maintain_order="left")
            else:
                nothing = pl.lit(None, dtype=pl.Float64)
                scored = scored.with_columns(nothing.alias(name) for name in names)
        threshold = budgeted_threshold(past, closed) if scored[BLOCKED[0]].count() else FLOOR
        return scored.with_columns((pl.col(BLOCKED[0]) * (FLOOR / threshold)).alias(BUDGETED))

    def _in_test(self, current: pl.DataFrame, alert: Alert) -> pl.DataFrame:
        """Return the cases that the tests of an alert are of, with their blocks."""
        closed = (alert.evaluated_on - _EPOCH).days - self._test_lag
        tested = alert.test_recomputed is not None and alert.window.kind is WindowKind.CUMULATIVE
        past = current.filter((pl.col("day") <= closed) & tested)
        return with_blocks(past, alert.strata) if alert.strata else past

    def _held(
        self, alert: Alert, published: Mapping[str, Any], removals: Sequence[Removed]
    ) -> list[int]:
        """Return the bits of the rules that hold for the pair of an alert after removals."""
        pair = dict(zip(("drug", "event"), names_of_key(alert.signal_key), strict=True))
        counts = [
            pair | {name: published[name] - removed.n for name in MARGINS} for removed in removals
        ]
        rows = pl.DataFrame(counts, schema=dict(COUNTS)).with_columns(
            pl.int_range(pl.len()).cast(pl.String).alias("drug"),  # a pair has one row
            pl.Series("expected_adjusted", [each.expected for each in removals], pl.Float64),
        )
        scored = self._scored(rows, alert).with_columns(pl.lit(pair["drug"]).alias("drug"))
        for names, found in (
            (TESTED, [each.whole for each in removals]),
            (BLOCKED, [each.blocked for each in removals]),
        ):
            e = pl.Series(found, dtype=pl.Float64)
            level = published[names[2]]
            scored = scored.with_columns(
                e.alias(names[0]),
                e.log().alias(names[1]),
                pl.when(e.is_not_null()).then(pl.lit(level, pl.Float64)).alias(names[2]),
            )
        scale = (published[BUDGETED] or 0.0) / (published[BLOCKED[0]] or 1.0)
        scored = scored.with_columns((pl.col(BLOCKED[0]) * scale).alias(BUDGETED))
        return scored.select(self._rules.masks()[1])["held"].to_list()

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
        row = row.with_columns(nothing.alias("expected_adjusted"))
        scored = self._scored(row, alert).with_columns(
            nothing.alias(name) for name in (*TESTED, *BLOCKED, BUDGETED)
        )
        ((entered, _),) = scored.select(self._rules.masks()).rows()
        rules = self._rules.rules
        fires = {rule.name for bit, rule in enumerate(rules) if entered >> bit & 1}
        unasked = {rule.name for rule in rules if rule.statistics & NOT_OF_A_TABLE} - fires
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

    def _grade(self, alert: Alert, on: tuple[str, ...]) -> SignalGrade:
        if not on and alert.previous is not None:
            return alert.previous.grade
        grades = {rule.grade for rule in self._rules.rules if rule.name in on}
        return SignalGrade.ALARM if SignalGrade.ALARM in grades else SignalGrade.SCREENING

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

    def _scored(self, counts: pl.DataFrame, alert: Alert) -> pl.DataFrame:
        """Score counts with the priors of an alert; null where it names none."""
        prior = self._prior(alert.prior_id)
        adjusted_prior = self._prior(alert.prior_id_adjusted)
        without = {
            method: METHODS[method].columns
            for method, given in (("ebgm", prior), ("ebgm_adjusted", adjusted_prior))
            if given is None
        }
        scored = score(
            counts,
            [name for name in self._methods if name not in without],
            prior=prior,
            adjusted_prior=adjusted_prior,
        )
        missing = {name for names in without.values() for name in names} - set(scored.columns)
        nothing = pl.lit(None, dtype=pl.Float64)
        return scored.with_columns(nothing.alias(name) for name in sorted(missing))

    def _prior(self, prior_id: str | None) -> GammaMixture | None:
        if prior_id is None:
            return None
        if prior_id not in self._priors:
            msg = (
                f"recount: the prior of every alert must be known; got {prior_id}, which is "
                "neither on the topic of priors nor given"
            )
            raise InputError(msg)
        return self._priors[prior_id]


def _asked_of_test(alert: Alert, rules: RuleSet, *, known: bool) -> set[str]:
    """Return the statistics of the tests that the rules of an alert need, as far as known."""
    if alert.test_recomputed is None:
        return set()
    stated = alert.statistics
    asked: set[str] = set()
    for names in (TESTED, BLOCKED):
        needing = {*names, BUDGETED} if names is BLOCKED else set(names)
        is_needed = rules.statistics & needing if known else getattr(stated, names[1])
        asked.update(names if is_needed else ())
    # Alerts of earlier versions state no scaled e-value; a rule that asks for it is no older.
    if stated.e_value_budgeted is not None or (known and BUDGETED in rules.statistics):
        asked.add(BUDGETED)
    return asked
