"""Values that the templates of the worklist name."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from schemas.alert import AlertKind, SignalGrade
from schemas.priority import PriorityLevel
from schemas.subscription import Tier
from schemas.vocabulary import VerificationState
from streams.console.desk import Desk
from streams.console.frame.rendering import Frame
from streams.console.rows.inside import inside_of
from streams.console.rows.row_facts import PATTERNS, RowFacts
from streams.console.rows.row_words import RuleBox
from streams.console.worklist.baseline import FIRST_DAYS
from streams.console.worklist.listing import sort_of
from streams.console.worklist.view import (
    COLUMNS,
    Density,
    DueFilter,
    Sort,
    Tab,
    VerifiedFilter,
    View,
)
from streams.console.worklist.worklist import WINDOW_ROWS, AskedListing, Worklist
from streams.figures.marks.interval_cell import interval_axis
from streams.figures.marks.verified_bar import shared_patterns, state_key

__all__ = ["KEYS_COOKIE", "page_values", "row_values"]

KEYS_COOKIE = "tocsin_desk_keys"
"""Holds `off` in the browser of who turned the keys off."""
_PUBLIC_COLUMNS = {"change", "what", "cases"}
_PUBLIC_TABS = (Tab.CHANGED, Tab.ON)
_SORTS = {
    "priority": Sort.PRIORITY,
    "change": Sort.DAY,
    "what": Sort.EVENT,
    "cases": Sort.CASES,
    "expected": Sort.EXPECTED,
    "ic": Sort.IC,
    "serious": Sort.SERIOUS,
    "due": Sort.DUE,
}
_KEY_STATES = (
    VerificationState.HCP_CONFIRMED,
    VerificationState.VALID_ICSR,
    None,
    VerificationState.RUMOUR,
    VerificationState.CONTESTED,
    VerificationState.REFUTED,
)
_PUBLIC_SORTS = {"what": Sort.EVENT}


def row_values(frame: Frame, asked: AskedListing) -> dict[str, Any]:
    """Return what rows need beside themselves."""
    return {
        "columns": _columns(asked.view, frame.tier),
        "view": asked.view,
        "one_line": asked.view.density is Density.ONE_LINE,
    }


def page_values(
    worklist: Worklist, frame: Frame, asked: AskedListing, first: int
) -> dict[str, Any]:
    """Return what the page needs.

    Parameters
    ----------
    first
        Place of the first row, from 0.
    """
    view, listing, tier = asked.view, asked.listing, frame.tier
    rows = worklist.rows(asked, first, WINDOW_ROWS, frame.language)
    reader = frame.who.reader
    with frame.desk.service.model() as model:
        inside = None if view.open is None else inside_of(model, tier, view.open, frame.language)
    with worklist.readers() as readers:
        saved = readers.views(reader) if reader else {}
    last = rows[-1].place + 1 if rows else first
    sort, up = sort_of(view)
    return {
        **row_values(frame, asked),
        "rows": rows,
        "opened": inside,
        "n_rows": len(listing.rows),
        "n_stories": listing.n_stories,
        "tally": listing.tally,
        "tabs": _tabs(asked, frame.desk),
        "baseline": asked.baseline,
        "first_days": FIRST_DAYS,
        "page_day": asked.day,
        "position": asked.signals.position,
        "sort": sort,
        "up": up,
        "sorts": _sorts(view, tier),
        "options": _options(view, tier),
        "column_tools": _column_tools(view, tier),
        "saved": saved,
        "axis": Markup(interval_axis(language=frame.language)),
        "patterns": Markup(shared_patterns(PATTERNS)),
        "keys_of_states": _state_keys(),
        "rules_legend": _rules_legend(rows),
        "first": first,
        "next_address": view.address(after=rows[-1].key, open=None)
        if last < len(listing.rows)
        else None,
        "back": view.address(),
        "keys": frame.request.cookies.get(KEYS_COOKIE) != "off",
    }


def _columns(view: View, tier: Tier) -> tuple[str, ...]:
    shown = view.shown_columns()
    return tuple(c for c in shown if c in _PUBLIC_COLUMNS) if tier is Tier.PUBLIC else shown


def _tabs(asked: AskedListing, desk: Desk) -> list[tuple[Tab, int | None, str]]:
    tier = asked.tier
    tabs = _PUBLIC_TABS if tier is Tier.PUBLIC else tuple(Tab)
    if tier is not Tier.AUTHORITY:
        tabs = tuple(tab for tab in tabs if tab not in (Tab.DECIDED, Tab.SUPPRESSED))
    view = asked.view
    suppressed = desk.suppressed
    n_suppressed = None if suppressed is None else len(suppressed)
    counts: dict[Tab, int | None] = {**asked.counts, Tab.SUPPRESSED: n_suppressed}
    return [
        (tab, counts[tab], View(tab, since=view.since, columns=view.columns,
                                      density=view.density).address())
        for tab in tabs
    ]  # fmt: skip


def _sorts(view: View, tier: Tier) -> dict[str, tuple[str, str | None]]:
    """Return the address and `aria-sort` of each column that sorts."""
    sort, up = sort_of(view)
    found = {}
    for column, by in (_PUBLIC_SORTS if tier is Tier.PUBLIC else _SORTS).items():
        is_now = by is sort
        turned = not up if is_now else None
        now = ("ascending" if up else "descending") if is_now else None
        found[column] = (view.address(sort=by, up=turned, open=None, after=None), now)
    return found


def _options(view: View, tier: Tier) -> list[tuple[str, Sequence[str], str | None]]:
    """Return the filters by choice: parameter, choices, and the one chosen."""
    every: Mapping[str, type[Any]] = {
        "kind": AlertKind,
        "priority": PriorityLevel,
        "verification": VerifiedFilter,
        "due": DueFilter,
        "grade": SignalGrade,
    }
    names = ("kind",) if tier is Tier.PUBLIC else tuple(every)
    return [(name, [each.value for each in every[name]], getattr(view, name)) for name in names]


def _column_tools(view: View, tier: Tier) -> list[tuple[str, bool, str, str | None]]:
    """Return each column: whether it is shown, the address that turns it, and that moves it."""
    shown = list(_columns(view, tier))
    known = [c for c in COLUMNS if tier is not Tier.PUBLIC or c in _PUBLIC_COLUMNS]
    found = []
    for place, column in enumerate(shown):
        without = [c for c in shown if c != column]
        moved = [*shown[: place - 1], column, shown[place - 1], *shown[place + 1 :]]
        move = _with_columns(view, moved) if place else None
        found.append((column, True, _with_columns(view, without), move))
    for column in known:
        if column not in shown:
            found.append((column, False, _with_columns(view, [*shown, column]), None))
    return found


def _with_columns(view: View, columns: list[str]) -> str:
    return view.address(columns=None if tuple(columns) == COLUMNS else ",".join(columns))


def _state_keys() -> list[tuple[str, Markup]]:
    return [
        (
            "not_stated" if state is None else state.value,
            Markup(state_key(state, name=f"key{place}", patterns=PATTERNS)),
        )
        for place, state in enumerate(_KEY_STATES)
    ]


def _rules_legend(rows: Sequence[RowFacts]) -> list[RuleBox]:
    found: dict[str, RuleBox] = {}
    for row in rows:
        for rule in row.rules:
            found.setdefault(rule.name, rule)
    return list(found.values())
