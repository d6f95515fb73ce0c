"""Measures of a signal in words: counts, expected counts, statistics, and their changes."""

import math
from collections.abc import Iterable, Mapping
from typing import Final

from schemas.alert import Alert
from schemas.rule_outcome import RuleOutcome
from schemas.tables import Counts, RestrictedStatistics, Statistics
from streams.core.wording.catalogue import Catalogue
from streams.core.wording.numbers import expected_cases, logarithm, rate, ratio

__all__ = ["Printed", "cases_clause", "change_clause", "is_sequential", "stratified"]

FEWEST_FOR_STRATA: Final = 20
"""Cases from which on it is said that no excess remains within the strata: of fewer, the product's
own cases may be most of their expectation."""
_LOGARITHMS = frozenset(
    f"{name}{part}{strata}"
    for name in ("ic", "bcpnn")
    for part in ("", "_lower", "_upper")
    for strata in ("", "_adjusted")
) | {"log_e_value", "log_e_value_blocked"}
_RATES = frozenset({"e_bh_level", "e_bh_level_blocked"})
_SEQUENTIAL = _RATES | {
    *("e_value", "log_e_value", "e_value_blocked", "log_e_value_blocked", "e_value_budgeted")
}
_COUNTED = frozenset(Counts.model_fields)
# Statistics that one measure prints together, in the order of the sentence.
_MEASURES: Mapping[str, frozenset[str]] = {
    "prr_interval": frozenset({"prr_lower", "prr_upper"}),
    "prr": frozenset({"prr"}),
    "chi2_yates": frozenset({"chi2_yates"}),
    "chi2": frozenset({"chi2"}),
    "rrr": frozenset({"rrr"}),
    "ic_adjusted": frozenset({"ic_adjusted", "ic_lower_adjusted", "ic_upper_adjusted"}),
    "ebgm": frozenset({"ebgm", "eb05", "eb95"}),
    "ebgm_adjusted": frozenset({"ebgm_adjusted", "eb05_adjusted", "eb95_adjusted"}),
    **{name: frozenset({name}) for name in sorted(_SEQUENTIAL)},
}
_AFTER_IC = ("ic_adjusted", "ebgm", "ebgm_adjusted", *sorted(_SEQUENTIAL))
_OLD_STRATA: Final = "age group, sex and region"


class Printed:
    """The numbers of an alert as its texts print them: on their side of the rules' thresholds.

    Parameters
    ----------
    rules
        The rules of the alert, with their thresholds.
    """

    def __init__(self, rules: Iterable[RuleOutcome], words: Catalogue) -> None:
        self._words = words
        self._thresholds: dict[str, set[float]] = {}
        for rule in rules:
            for each in rule.thresholds:
                self._thresholds.setdefault(each.statistic, set()).update((each.value, each.exit))

    def value(self, statistic: str, value: float) -> str:
        """Return a value of a statistic."""
        limits = self._thresholds.get(statistic, set())
        if statistic in _COUNTED:
            return f"{value:,.0f}"
        if statistic in _LOGARITHMS:
            return logarithm(value, limits | {0.0})
        if statistic in _RATES:
            return rate(value, self._words, limits | {1.0})
        return ratio(value, self._words, limits | {1.0})

    def threshold(self, statistic: str, value: float) -> str:
        """Return an exit of a statistic, as its rule states it."""
        return f"{value:,g}" if statistic in _COUNTED else f"{value:g}"


def is_sequential(rule: RuleOutcome) -> bool:
    """Return whether a rule compares nothing but the anytime-valid test, and the cases."""
    compared = {each.statistic for each in rule.thresholds}
    if not compared:
        return rule.name == "safe"  # alerts of older versions have no thresholds
    return bool(compared & _SEQUENTIAL) and compared <= _SEQUENTIAL | _COUNTED


def stratified(alert: Alert) -> tuple[float, str] | None:
    """Return the cases expected within strata, and the strata in words; None without any."""
    statistics = alert.statistics
    if statistics.expected_adjusted is not None and alert.strata is not None:
        return statistics.expected_adjusted, alert.strata.expected
    if statistics.expected_stratified is not None:
        return statistics.expected_stratified, _OLD_STRATA
    return None


def cases_clause(alert: Alert, words: Catalogue) -> str:
    """Return the cases, of them the fatal ones, and the expected number, crude and stratified."""
    n, expected = alert.counts.n_observed, alert.statistics.expected
    text = words.count("count.case", n)
    if alert.n_fatal:
        text += words.text("count.fatal", n=f"{alert.n_fatal:,}")
    if expected is None:
        return text
    found = stratified(alert)
    within = ""
    if found is not None:
        name = words.find(f"strata.{found[1]}") or found[1]
        number = expected_cases(found[0], n, words)
        within = words.text("count.stratified", number=number, strata=name)
    number = expected_cases(expected, n, words)
    return words.text("count.expected", cases=text, number=number, within=within)


def excess_clause(alert: Alert, words: Catalogue) -> str:
    """Return the sentence on an excess that is not plain; empty if cases exceed both expected."""
    n, expected, found = alert.counts.n_observed, alert.statistics.expected, stratified(alert)
    if expected is None:
        return ""
    if n > expected:
        remains = found is None or n > found[0] or n < FEWEST_FOR_STRATA
        return "" if remains else words.text("excess.none_within")
    if found is None:
        return words.text("excess.none")
    return words.text("excess.only_within" if n > found[0] else "excess.neither")


def measures_clause(alert: Alert, printed: Printed, words: Catalogue) -> str:
    """Return the measures: ROR, IC, and those of every rule that is on or went off."""
    was = set() if alert.previous is None else set(alert.previous.rules_fired)
    compared = {
        each.statistic
        for rule in alert.rules
        if rule.fired or rule.name in was
        for each in rule.thresholds
    }
    asked = [name for name, parts in _MEASURES.items() if parts & compared]
    before = [name for name in asked if name not in _AFTER_IC]
    if "prr_interval" in before and "prr" in before:
        before.remove("prr")
    found = [
        *_ratios(alert, printed, [name for name in before if name.startswith("prr")], words),
        *(_measure(name, alert.statistics, printed, words) for name in before if name[:3] != "prr"),
        _component("ic", alert.statistics, printed, words),
        *(
            _component("ic_adjusted", alert.statistics, printed, words)
            if name == "ic_adjusted"
            else _measure(name, alert.statistics, printed, words)
            for name in asked
            if name in _AFTER_IC
        ),
    ]
    return words.clauses(filter(None, found))


def odds_ratio(
    counts: Counts,
    statistics: Statistics | RestrictedStatistics,
    printed: Printed,
    words: Catalogue,
) -> str:
    """Return the reporting odds ratio with its interval, or why it has no value."""
    why = _without_value("ror", counts, statistics.ror, words)
    return why or _interval("ror", statistics, printed, words)


def change_clause(alert: Alert, printed: Printed, words: Catalogue) -> str:
    """Return what changed since the published revision; empty in the first."""
    previous = alert.previous
    if previous is None:
        return ""
    n, statistics = alert.counts.n_observed, alert.statistics
    parts = [_cases_changed(previous.n_observed, n, words)]
    for name, was, now in (
        ("ic_lower", previous.ic_lower, statistics.ic_lower),
        ("ror_lower", previous.ror_lower, statistics.ror_lower),
    ):
        if was is not None and now is not None:
            parts.append(_measure_changed(name, was, now, printed, words))
    return words.text(
        "change.since" if previous.rules_fired else "change.since_end",
        revision=previous.revision,
        day=previous.evaluated_on.isoformat(),
        changes=words.listed(parts),
    )


def _cases_changed(was: int, now: int, words: Catalogue) -> str:
    if was == now:
        return words.text("change.cases_unchanged")
    name = "change.cases_up" if now > was else "change.cases_down"
    return words.text(name, was=f"{was:,}", now=f"{now:,}")


def _measure_changed(name: str, was: float, now: float, printed: Printed, words: Catalogue) -> str:
    before, after = printed.value(name, was), printed.value(name, now)
    measure = words.text(f"measure.{name}")
    if before == after:
        return words.text("change.still", measure=measure, now=after)
    form = "change.up" if now > was else "change.down"
    return words.text(form, measure=measure, was=before, now=after)


def _ratios(alert: Alert, printed: Printed, others: Iterable[str], words: Catalogue) -> list[str]:
    """Return the ROR, and the PRR if asked for; together where neither has a value for one reason.

    Where every rule is met by the PRR alone, the reason is said once for both.
    """
    counts, statistics = alert.counts, alert.statistics
    ror = odds_ratio(counts, statistics, printed, words)
    prr_name = next(iter(others), None)
    if prr_name is None:
        return [ror]
    why = _without_value("prr", counts, statistics.prr, words)
    if not why:
        shown = (
            _interval("prr", statistics, printed, words)
            if prr_name == "prr_interval"
            else words.text("measure.prr", value=printed.value("prr", statistics.prr or 0.0))
        )
        return [ror, shown]
    both = _without_value("both", counts, statistics.ror, words)
    return [both] if both else [ror, why]


def _without_value(name: str, counts: Counts, value: float | None, words: Catalogue) -> str:
    """Return that a ratio has no value, and why; empty if it has one."""
    if value is not None:
        return ""
    ratio_name = words.text(f"measure.name_{name}")
    if counts.n_drug == counts.n_total:
        return words.text("measure.undefined", ratio=ratio_name, why=words.text("why.all_product"))
    if counts.n_observed == 0:
        return words.text("measure.undefined", ratio=ratio_name, why=words.text("why.no_case"))
    if counts.n_event == counts.n_observed:
        return words.text("measure.unbounded", ratio=ratio_name, why=words.text("why.no_other"))
    return words.text("measure.unbounded", ratio=ratio_name, why=words.text("why.all_event"))


def _interval(
    name: str,
    statistics: Statistics | RestrictedStatistics,
    printed: Printed,
    words: Catalogue,
) -> str:
    value, lower, upper = (
        getattr(statistics, f"{name}{part}") for part in ("", "_lower", "_upper")
    )
    shown = printed.value(name, value)
    if lower is None:
        return words.text("measure.ratio", ratio=words.text(f"measure.name_{name}"), value=shown)
    return words.text(
        "measure.interval",
        ratio=words.text(f"measure.name_{name}"),
        value=shown,
        lower=printed.value(f"{name}_lower", lower),
        upper=words.text("measure.no_bound")
        if upper is None
        else printed.value(f"{name}_upper", upper),
    )


def _component(name: str, statistics: Statistics, printed: Printed, words: Catalogue) -> str:
    """Return an information component with its IC025; empty without one."""
    lower_name = name.replace("ic", "ic_lower", 1)
    value, lower = getattr(statistics, name), getattr(statistics, lower_name)
    if value is None or lower is None:
        return ""
    return words.text(
        f"measure.{name}", value=printed.value(name, value), lower=printed.value(lower_name, lower)
    )


def _measure(name: str, statistics: Statistics, printed: Printed, words: Catalogue) -> str:
    """Return a measure by its name in `_MEASURES`; empty if it has no value."""
    value = getattr(statistics, name, None)
    if value is None or not math.isfinite(value):
        return ""
    if not name.startswith("ebgm"):
        return words.text(f"measure.{name}", value=printed.value(name, value))
    parts = {part: name.replace("ebgm", part) for part in ("eb05", "eb95")}
    ends = {part: getattr(statistics, column) for part, column in parts.items()}
    if None in ends.values():
        return ""
    return words.text(
        f"measure.{name}",
        value=printed.value(name, value),
        **{part: printed.value(parts[part], end) for part, end in ends.items()},
    )
