"""Rows of the table of measures: estimate, interval and the last revision, by comparator."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from schemas.alert import Alert
from schemas.tables import Counts, RestrictedStatistics, Statistics
from streams.console.frame import formats
from streams.console.signal.changes import Interval

__all__ = ["Comparator", "ComparedWith", "MeasureRow", "compared_with"]

_FEW_IN_CELL = 5  # cases; below it, that the ratio rests on few is written beside it


class Comparator(StrEnum):
    """What a table compares the pair with."""

    ALL = "all"
    INDICATION = "indication"
    STRATA = "strata"


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure.

    Attributes
    ----------
    name
        Name of the text that names it.
    now, before
        Its values; None where it has none.
    why
        Name of the text that says why there is no value, or no bound.
    level
        Mass of its interval [%].
    """

    name: str
    now: Interval | None
    before: Interval | None
    why: str
    level: int = 95


@dataclass(frozen=True, slots=True)
class ComparedWith:
    """The pair against one comparator.

    Attributes
    ----------
    counts
        The 2x2 table; None within strata, which are many tables.
    few
        The smallest cell without the pair's own, if it is so small that ratios rest on it.
    n_comparators
        Cases without the drug in the strata with a case of the pair; None elsewhere.
    missing
        Name of the text that says why there is nothing to show; empty if there is.
    """

    comparator: Comparator
    rows: tuple[MeasureRow, ...]
    counts: Counts | None = None
    few: int | None = None
    n_comparators: int | None = None
    missing: str = ""


def compared_with(comparator: Comparator, alert: Alert, before: Alert | None) -> ComparedWith:
    """Return every measure of a revision that uses a comparator, beside the last revision."""
    if comparator is Comparator.INDICATION:
        return _within_indication(alert, before)
    if comparator is Comparator.STRATA:
        return _within_strata(alert, before)
    was = None if before is None else before.statistics
    return ComparedWith(
        comparator,
        (
            *_ratios(alert.statistics, was, alert.counts),
            _bayes("ebgm", "", alert.statistics, was),
            *_sequential("", alert.statistics, was),
        ),
        counts=alert.counts,
        few=_few(alert.counts),
    )


def _within_strata(alert: Alert, before: Alert | None) -> ComparedWith:
    now, was = alert.statistics, None if before is None else before.statistics
    if now.expected_adjusted is None and now.expected_stratified is None:
        return ComparedWith(Comparator.STRATA, (), missing="strata_missing")
    rows = [
        MeasureRow(
            "measure_ic_adjusted",
            _interval(now, "ic{}_adjusted", logarithmic=True),
            _interval(was, "ic{}_adjusted", logarithmic=True),
            "why_no_case",
        ),
        _bayes("ebgm_adjusted", "_adjusted", now, was),
        *_sequential("_blocked", now, was),
    ]
    return ComparedWith(Comparator.STRATA, tuple(rows), n_comparators=alert.n_comparators)


def _within_indication(alert: Alert, before: Alert | None) -> ComparedWith:
    if alert.restricted is None:
        known = alert.indication_confounding
        missing = "indication_not_treated" if known is False else "indication_not_stated"
        return ComparedWith(Comparator.INDICATION, (), missing=missing)
    found = alert.restricted
    was = None if before is None or before.restricted is None else before.restricted.statistics
    return ComparedWith(
        Comparator.INDICATION,
        _ratios(found.statistics, was, found.counts),
        counts=found.counts,
        few=_few(found.counts),
    )


def _few(counts: Counts) -> int | None:
    others = (
        counts.n_event - counts.n_observed,
        counts.n_drug - counts.n_observed,
        counts.n_total - counts.n_drug - counts.n_event + counts.n_observed,
    )
    fewest = min(others)
    return fewest if fewest < _FEW_IN_CELL else None


_AnyStatistics = Statistics | RestrictedStatistics


def _ratios(
    now: _AnyStatistics, was: _AnyStatistics | None, counts: Counts
) -> tuple[MeasureRow, ...]:
    rows = [
        MeasureRow(
            "measure_ic",
            _interval(now, "ic{}", logarithmic=True),
            _interval(was, "ic{}", logarithmic=True),
            "why_no_case",
        )
    ]
    rows += [
        MeasureRow(
            f"measure_{name}",
            _interval(now, f"{name}{{}}"),
            _interval(was, f"{name}{{}}"),
            _why_no_ratio(name, counts),
        )
        for name in ("ror", "prr")
    ]
    rows += [
        MeasureRow(f"measure_{name}", _single(now, name), _single(was, name), "why_no_bound")
        for name in ("chi2_yates", "chi2")
    ]
    return tuple(rows)


def _why_no_ratio(name: str, counts: Counts) -> str:
    """Return why an odds ratio or proportional ratio of a table has no value."""
    if counts.n_drug == counts.n_total:
        return "why_all_product"
    if counts.n_observed == 0:
        return "why_no_case"
    if counts.n_event == counts.n_observed:
        return "why_no_other"
    return "why_all_event" if name == "ror" else "why_no_case"


def _bayes(name: str, suffix: str, now: Statistics, was: Statistics | None) -> MeasureRow:
    def of(statistics: Statistics | None) -> Interval | None:
        if statistics is None or (value := getattr(statistics, name)) is None:
            return None
        ends = (getattr(statistics, f"eb{end}{suffix}") for end in ("05", "95"))
        lower, upper = (None if end is None else formats.three_digits(end) for end in ends)
        return Interval(formats.three_digits(value), lower, upper)

    return MeasureRow(f"measure_{name}", of(now), of(was), "why_no_prior", level=90)


def _sequential(suffix: str, now: Statistics, was: Statistics | None) -> list[MeasureRow]:
    return [
        MeasureRow(f"measure_{name}", _single(now, name), _single(was, name), "why_not_asked")
        for name in (f"e_value{suffix}", f"e_bh_level{suffix}")
    ]


def _interval(
    statistics: _AnyStatistics | None, name: str, *, logarithmic: bool = False
) -> Interval | None:
    """Return a measure with its bounds by the pattern of their names; None without a value."""
    value = _value(statistics, name.format(""))
    if value is None:
        return None
    printed = formats.logarithm if logarithmic else formats.three_digits
    ends = (_value(statistics, name.format(f"_{end}")) for end in ("lower", "upper"))
    lower, upper = (None if end is None else printed(end) for end in ends)
    return Interval(printed(value), lower, upper)


def _single(statistics: _AnyStatistics | None, name: str) -> Interval | None:
    value = _value(statistics, name)
    return None if value is None else Interval(formats.three_digits(value), None, None)


def _value(statistics: Any, name: str) -> float | None:
    found: float | None = getattr(statistics, name, None)
    return found
