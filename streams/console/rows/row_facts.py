"""Cells of a row, from the copy of its latest revision and the one that the reader knows."""

from dataclasses import dataclass
from datetime import date
from math import inf
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from schemas.subscription import Tier
from streams.console.frame import formats
from streams.console.frame.texts import Texts, texts_in
from streams.console.rows.products import What, what_of
from streams.console.rows.row_words import (
    RuleBox,
    bar_of,
    duty_words,
    priority_parts,
    rule_boxes,
    state_counts,
    why_changed,
)
from streams.core.wording.catalogue import Language
from streams.delivery.matching import category_of, is_on
from streams.delivery.tiers import Copy
from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.drawing.patterns import state_label
from streams.figures.drawing.texts import figure_texts
from streams.figures.marks.interval_cell import IntervalCellFacts, interval_cell
from streams.figures.marks.priority_bar import priority_bar
from streams.figures.marks.verified_bar import verified_bar

__all__ = ["PATTERNS", "Kin", "RowFacts", "Standing", "estimate_of", "row_facts", "signal_address"]

PATTERNS = "st"
"""Name of the patterns that the verified bars of a page share."""


@dataclass(frozen=True, slots=True)
class Kin:
    """Why a row is folded: of so many cases named, so many name the leader's product too."""

    n_shared: int
    n_named: int
    leader: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the frame says of a row on the day of the page.

    Attributes
    ----------
    place
        Place in the list, from 0.
    total, level
        Priority on the day.
    due
        Day that the next step is due, after decisions.
    """

    place: int
    total: float | None
    level: str | None
    due: date | None
    is_overdue: bool
    is_changed: bool


@dataclass(frozen=True, slots=True)
class RowFacts:
    """The cells of one row, as the template places them."""

    key: str
    alert_id: str
    revision: int
    address: str
    place: int
    kind: str
    category: str
    urgent: bool
    is_on: bool
    is_changed: bool
    what: What
    kin: Kin | None
    why: str
    total: str
    level: str
    parts: str
    bar: Markup
    n_new: int | None
    n_cases: str
    expected: str
    adjusted: str
    has_statistics: bool
    interval: Markup
    ic: str
    bounds: str
    n_serious: str
    n_fatal: str
    any_fatal: bool
    verified: Markup
    verified_words: str
    rules: tuple[RuleBox, ...]
    duty: str
    due: str
    is_overdue: bool
    day: date | None


def signal_address(key: str) -> str:
    """Return the address of a signal's page."""
    return f"/desk/signals/{quote(key, safe='')}"


def row_facts(
    copy: Copy,
    before: Copy | None,
    standing: Standing,
    *,
    kin: Kin | None,
    day: date,
    language: Language,
) -> RowFacts:
    """Return the cells of a row.

    Parameters
    ----------
    copy
        The latest revision.
    before
        The revision that the reader knows; None if none.
    day
        Day of the page.
    """
    t = texts_in(language)
    parts = priority_parts(copy, day, t)
    total = standing.total
    return RowFacts(
        key=copy["signal_key"],
        alert_id=copy["alert_id"],
        revision=copy["revision"],
        address=signal_address(copy["signal_key"]),
        place=standing.place,
        kind=copy["kind"],
        category=category_of(copy),
        urgent=copy["urgent"],
        is_on=is_on(copy),
        is_changed=standing.is_changed,
        what=what_of(copy, language),
        kin=kin,
        why=t("worklist.comma").join(why_changed(copy, before, t)),
        total="" if total is None else formats.logarithm(total),
        level=standing.level or "",
        parts=t("worklist.semicolon").join(
            f"{part.label} {'×' if part.is_factor else '+'}{formats.three_digits(part.value)}"
            for part in parts
        ),
        bar=Markup("" if total is None else priority_bar(bar_of(parts, total), language=language)),
        due="" if standing.due is None else _due(standing.due, day, language),
        is_overdue=standing.is_overdue,
        duty=duty_words(copy, t),
        day=date.fromisoformat(copy["evaluated_on"]) if "evaluated_on" in copy else None,
        rules=tuple(rule_boxes(copy.get("rules", ()), t)),
        **_counts(copy, before, t),
        **_statistics(copy, before, language),
        **_verification(copy, language, t),
    )


def _due(due: date, day: date, language: Language) -> str:
    form = formats.short_day if due.year == day.year else formats.day
    return form(due, language)


def _counts(copy: Copy, before: Copy | None, t: Texts) -> dict[str, Any]:
    n, n_before = _cases(copy), _cases(before) if before else 0
    if isinstance(n, int):
        known = n_before if isinstance(n_before, int) else 0
        return {
            "n_new": n - known,
            "n_cases": formats.count(n),
            "n_serious": formats.count(copy.get("n_serious", 0)),
            "n_fatal": formats.count(copy.get("n_fatal", 0)),
            "any_fatal": bool(copy.get("n_fatal")),
        }
    withheld = t("worklist.withheld")
    return {
        "n_new": None,
        "n_cases": withheld if n is None else n,
        "n_serious": withheld,
        "n_fatal": withheld,
        "any_fatal": False,
    }


def _cases(copy: Copy) -> int | str | None:
    """Return the number of cases, or their band on the public tier."""
    if "counts" in copy:
        return int(copy["counts"]["n_observed"])
    if copy.get("tier") == Tier.PUBLIC:
        return copy.get("n_observed") or copy.get("n_patients")
    return int(copy["n_cases"])


def estimate_of(copy: Copy) -> IntervalEstimate:
    """Return the information component of a copy; what is unbounded is infinite."""
    statistics, unbounded = copy["statistics"], copy.get("unbounded") or ()

    def bound(name: str, end: float) -> float | None:
        value = statistics[name]
        return end if value is None and name in unbounded else value

    return IntervalEstimate(bound("ic", inf), bound("ic_lower", -inf), bound("ic_upper", inf))


def _statistics(copy: Copy, before: Copy | None, language: Language) -> dict[str, Any]:
    if "statistics" not in copy:
        empty = dict.fromkeys(("expected", "adjusted", "ic", "bounds"), "")
        return {**empty, "interval": Markup(), "has_statistics": False}
    statistics, words = copy["statistics"], figure_texts(language)
    now = estimate_of(copy)
    is_same = before is None or before["revision"] == copy["revision"]
    ghost = None if before is None or is_same else estimate_of(before)
    adjusted = statistics.get("expected_adjusted")
    if adjusted is None:
        adjusted = statistics.get("expected_stratified")
    cell = interval_cell(IntervalCellFacts(now, ghost, is_on(copy)), language=language)
    undefined = words.text("number.undefined")
    return {
        "has_statistics": True,
        "expected": _expected(statistics["expected"], undefined),
        "adjusted": _expected(adjusted, undefined),
        "interval": Markup(cell),
        "ic": words.decimal(now.value),
        "bounds": formats.interval(words.decimal(now.lower), words.decimal(now.upper)),
    }


def _expected(value: float | None, undefined: str) -> str:
    return undefined if value is None else formats.three_digits(value)


def _verification(copy: Copy, language: Language, t: Texts) -> dict[str, Any]:
    if copy.get("tier") == Tier.PUBLIC and "category" not in copy:
        return {"verified": Markup(), "verified_words": ""}
    counts, words = state_counts(copy), figure_texts(language)
    bar = verified_bar(counts, patterns=PATTERNS, language=language)
    if len(counts) == 1:
        text = state_label(counts[0].state, words)
    elif counts[0].n:
        n = counts[0].n + counts[1].n
        text = t("worklist.by_professional", m=counts[0].n, n=n)
    else:
        text = state_label(None, words)
    return {"verified": Markup(bar), "verified_words": text}
