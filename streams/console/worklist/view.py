"""The view of a worklist: tab, filters, sort, columns and density, as its address holds them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request

from schemas.alert import AlertKind, SignalGrade
from schemas.errors import InputError
from schemas.priority import PriorityLevel

__all__ = ["COLUMNS", "AskedView", "Density", "Due", "Sort", "Tab", "Verified", "View"]

COLUMNS = (
    "priority", "change", "what", "cases", "expected", "interval", "ic", "serious", "verified",
    "rules", "duty", "due",
)  # fmt: skip
"""Columns in their usual order. A reader may order them, and hide all but event and product."""
_MOST_FIND = 100  # characters


class Tab(StrEnum):
    """Which signals are listed."""

    CHANGED = "changed"
    SCREENING = "screening"
    OVERDUE = "overdue"
    ON = "on"
    DECIDED = "decided"
    SUPPRESSED = "suppressed"


class Sort(StrEnum):
    """Column that the list is sorted by; equal rows are in the order of priority, then of key."""

    PRIORITY = "priority"
    EVENT = "event"
    CASES = "cases"
    EXPECTED = "expected"
    IC = "ic"
    SERIOUS = "serious"
    DUE = "due"
    DAY = "day"


class Due(StrEnum):
    """When the next step is due."""

    OVERDUE = "overdue"
    WEEK = "week"  # overdue, or within 7 days


class Verified(StrEnum):
    """Verification of the reports of a row."""

    BY_PROFESSIONAL = "by_professional"
    NOT_STATED = "not_stated"
    RUMOUR = "rumour"
    REPORTED = "reported"
    CONTESTED = "contested"
    VALID_ICSR = "valid_icsr"
    HCP_CONFIRMED = "hcp_confirmed"
    AUTHORITY_CONFIRMED = "authority_confirmed"
    REFUTED = "refuted"
    UNRESOLVABLE = "unresolvable"


class Density(StrEnum):
    """Height of the rows."""

    TWO_LINES = "two"
    ONE_LINE = "one"


@dataclass(frozen=True, slots=True)
class View:
    """One view. Its fields are the parameters of the address; None is not stated there.

    Attributes
    ----------
    q
        Text to find in event, product and subject.
    up
        Whether the sort is ascending; None is the natural direction of the column.
    since
        Day up to which all is known to the reader, in place of the reader's sign-offs.
    columns
        Names of the shown columns in order, joined by commas; None shows all.
    open
        Key of the row that is open.
    after
        Key of the row before the first shown one.
    """

    tab: Tab = Tab.CHANGED
    q: str | None = None
    kind: AlertKind | None = None
    priority: PriorityLevel | None = None
    verification: Verified | None = None
    due: Due | None = None
    grade: SignalGrade | None = None
    sort: Sort | None = None
    up: bool | None = None
    since: date | None = None
    columns: str | None = None
    density: Density | None = None
    open: str | None = None
    after: str | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "View":
        """Return the view of an address; other parameters and empty ones are left out.

        Raises
        ------
        InputError
            If a parameter has a value that it cannot have.
        """
        values: dict[str, Any] = {}
        for name, parsed in _PARSED.items():
            text = parameters.get(name, "").strip()
            if not text:
                continue
            try:
                values[name] = parsed(text)
            except ValueError as error:
                msg = f"address: {name} must be {_wanted(parsed)}; got {text[:_MOST_FIND]!r}"
                raise InputError(msg) from error
        return cls(**values)

    def shown_columns(self) -> tuple[str, ...]:
        """Return the names of the shown columns, in order; unknown ones are left out."""
        if self.columns is None:
            return COLUMNS
        named = list(dict.fromkeys(name for name in self.columns.split(",") if name in COLUMNS))
        return tuple(named if "what" in named else ["what", *named])

    def filters(self) -> "View":
        """Return what decides which rows are listed, and in which order."""
        return replace(self, columns=None, density=None, open=None, after=None)

    def is_filtered(self) -> bool:
        """Return whether a filter is set."""
        asked = (self.q, self.kind, self.priority, self.verification, self.due, self.grade)
        return any(value is not None for value in asked)

    def query(self, **changes: Any) -> str:
        """Return the query of the address of this view, with changes; those None are left out."""
        values = {each.name: getattr(self, each.name) for each in fields(self)} | changes
        stated = {
            name: str(int(value)) if isinstance(value, bool) else str(value)
            for name, value in values.items()
            if value is not None and not (name == "tab" and value is Tab.CHANGED)
        }
        return urlencode(stated)

    def address(self, **changes: Any) -> str:
        """Return the address of the page with this view."""
        query = self.query(**changes)
        return f"/desk?{query}" if query else "/desk"


def _flag(text: str) -> bool:
    if text not in {"0", "1"}:
        msg = "flag: must be 1 or 0"
        raise ValueError(msg)
    return text == "1"


def _cut(text: str) -> str:
    return text[:_MOST_FIND]


def _wanted(parsed: Callable[[str], Any]) -> str:
    if isinstance(parsed, type) and issubclass(parsed, StrEnum):
        return " or ".join(parsed)
    return "a day such as 1999-06-15" if parsed is _day else "1 or 0"


def _day(text: str) -> date:
    return date.fromisoformat(text)


_PARSED: Mapping[str, Callable[[str], Any]] = {
    "tab": Tab, "q": _cut, "kind": AlertKind, "priority": PriorityLevel, "verification": Verified,
    "due": Due, "grade": SignalGrade, "sort": Sort, "up": _flag, "since": _day, "columns": str,
    "density": Density, "open": str, "after": str,
}  # fmt: skip


def _asked(request: Request) -> View:
    return View.of(request.query_params)


AskedView = Annotated[View, Depends(_asked)]
"""The view of the address of a request."""
