"""Why each rule fires or not, the bound calibrated by negative controls, and what was published."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from detectors.empirical_calibration import calibrated_lower, fit_empirical_null
from detectors.expected import expected_stratified
from detectors.rules import RuleSet
from schemas.alert import Alert
from streams.core.explanation.population import STRATUM_COLUMN, Population
from streams.core.explanation.section import Section

__all__ = ["decision_sections"]

_FEWEST_CONTROLS = 10  # with a case; of fewer the spread is off by a quarter and more
_OUTCOMES = {True: "met", False: "not met"}


def decision_sections(
    population: Population,
    statistics: Mapping[str, Any],
    rules: RuleSet,
    alerts: Sequence[Alert],
    controls: Iterable[tuple[str, str]],
) -> Iterator[Section]:
    """Yield the sections on the decisions.

    Parameters
    ----------
    population
        The cases.
    statistics
        Counts and statistics of the pair that the rules compare, and its `drug` and `event`.
    rules
        The rules of the run.
    alerts
        Revisions of the pair's signal in the cumulative window, in order.
    controls
        Negative controls, by normal forms.
    """
    yield _rules(statistics, rules, alerts)
    yield _fragility(alerts)
    yield _calibrated(population, sorted(set(controls)))
    yield _published(alerts)


def _rules(statistics: Mapping[str, Any], rules: RuleSet, alerts: Sequence[Alert]) -> Section:
    table = pl.DataFrame([dict(statistics)])
    fires = rules.evaluate(table).row(0, named=True)
    on = set(alerts[-1].rules_fired) if alerts else set()
    rows = [
        {
            "rule": rule.name,
            "grade": rule.grade.value,
            "fires": fires[rule.name],
            "on": rule.name in on,
            "condition": f"{part.statistic} {part.op} {part.value:g}",
            "value": statistics[part.statistic],
            "outcome": _OUTCOMES[table.select(part.expression()).item()],
            "exit": part.exit_bound,
        }
        for rule in rules.rules
        for part in rule.comparisons
    ]
    in_words = [
        f"{rule.name} is {rule.sentence}."
        for rule in rules.rules
        if fires[rule.name]
        != all(row["outcome"] == _OUTCOMES[True] for row in rows if row["rule"] == rule.name)
    ]
    return Section(
        "rules",
        "Rules, and why each fires or not",
        "A rule that fired stays on until a value is past its exit.",
        rows,
        remark=" ".join(in_words) or None,
        shown=60,
    )


def _fragility(alerts: Sequence[Alert]) -> Section:
    title = "What would turn each rule off"
    says = "The fewest cases, sources, lots or suspected duplicates whose removal ends the rule."
    rows = [
        {
            "rule": rule.name,
            **{
                name: _number(getattr(rule.fragility, name), name in rule.fragility.at_most)
                for name in ("cases", "sources", "lots", "links")
            },
        }
        for rule in (alerts[-1].rules if alerts else ())
        if rule.fragility is not None
    ]
    remark = (
        f"Of the revision of {alerts[-1].evaluated_on}. `all` says that the removal of all of them "
        "does not end it, or that none is stated."
        if rows
        else "No rule is on."
    )
    return Section("fragility", title, says, rows, remark=remark)


def _number(fewest: int | None, is_bound: bool) -> int | str:
    """Return the number, an upper bound as a text, and `all` if there is none."""
    if fewest is None:
        return "all"
    return f"at most {fewest}" if is_bound else fewest


def _calibrated(population: Population, controls: Sequence[tuple[str, str]]) -> Section:
    title = "Lower bound calibrated by negative controls"
    says = "The log ratio within strata, less the bias and wider by the spread of the controls."
    if not controls:
        remark = "No negative controls are given (--negative-controls FILE.csv)."
        return Section("calibrated", title, says, [], remark=remark)
    pairs = pl.DataFrame([*controls], schema=["drug", "event"], orient="row")
    known = pairs.join(population.frames.drugs, on="drug", how="semi").join(
        population.frames.events, on="event", how="semi"
    )
    asked = pl.concat([known, population.pair]).unique(maintain_order=True)
    strata = population.frames.counts_by(STRATUM_COLUMN)
    expected = expected_stratified(
        asked, strata.drug_margins, strata.event_margins, strata.totals
    ).with_columns(population.frames.counts(asked)["n_observed"])
    seen = expected.filter(pl.col("n_observed") > 0).with_columns(
        estimate=(pl.col("n_observed") / pl.col("expected")).log(),
        error=1 / pl.col("n_observed").cast(pl.Float64).sqrt(),
    )
    of_pair = (pl.col("drug") == population.drug) & (pl.col("event") == population.event)
    others, own = seen.join(known, on=["drug", "event"], how="semi"), seen.filter(of_pair)
    remark = f"{len(controls):,} controls, {others.height:,} of them with a case."
    if others.height < _FEWEST_CONTROLS or own.is_empty():
        few = f" At least {_FEWEST_CONTROLS} with a case, and a case of the pair, are needed."
        return Section("calibrated", title, says, [], remark=remark + few)
    null = fit_empirical_null(others["estimate"].to_numpy(), others["error"].to_numpy())
    lower = calibrated_lower(own["estimate"].to_numpy(), own["error"].to_numpy(), null)
    row = {
        "log2_ratio": float(own["estimate"].item() / np.log(2)),
        "log2_lower_calibrated": float(lower[0] / np.log(2)),
        "log2_mean_of_controls": null.mean / float(np.log(2)),
        "log2_sd_of_controls": null.sd / float(np.log(2)),
    }
    return Section("calibrated", title, says, [row], remark=remark)


def _published(alerts: Sequence[Alert]) -> Section:
    rows = [
        {
            "revision": alert.revision,
            "day": alert.evaluated_on,
            "kind": alert.kind.value,
            "n_observed": alert.counts.n_observed,
            "expected": alert.statistics.expected,
            "in_strata": alert.statistics.expected_adjusted,
            "rules": ", ".join(alert.rules_fired),
            "priority": alert.priority.total if alert.priority else None,
        }
        for alert in alerts
    ]
    return Section(
        "alerts",
        "Published revisions of the signal",
        "What was published, and on which day; expected without strata and in them.",
        rows,
        remark=alerts[-1].headline or alerts[-1].sentence
        if alerts
        else "None: no rule was on at any evaluation.",
        shown=30,
    )
