"""Form of the filters of a subscription: read from an address, checked, and shown again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from starlette.datastructures import QueryParams

from schemas.alert_reason import AlertKind, SignalGrade, SignalLevel
from schemas.domain import domain_vocabulary
from schemas.errors import InputError
from schemas.priority import PriorityLevel
from schemas.safety_alert import AlertCategory, SafetyAlertKind
from schemas.subscription import SDR, Filters, Tier
from streams.delivery.matching import require_askable

__all__ = ["CHOICES", "LISTS", "WITHHELD", "FiltersForm", "canonical", "filters_from"]

CHOICES: Mapping[str, tuple[str, ...]] = {
    "categories": (SDR, *(category.value for category in AlertCategory)),
    "kinds": tuple(dict.fromkeys(map(str, (*AlertKind, *SafetyAlertKind)))),
    "levels": tuple(level.value for level in SignalLevel),
    "grades": tuple(grade.value for grade in SignalGrade),
    "families": tuple(domain_vocabulary().families),
}
"""Filters with a closed vocabulary: ticked."""
LISTS = ("products", "terms", "classes", "jurisdictions", "rules", "windows")
"""Filters with names: a line each."""
WITHHELD = frozenset({"grades", "rules", "min_priority"})
"""Filters that the public tier may not ask by, since they reveal small counts."""
_MOST_CHARACTERS = 20_000
_RULES = {"jurisdictions": "must be countries as two letters, such as JP"}


@dataclass(frozen=True, slots=True)
class FiltersForm:
    """Filters as a form has them.

    Attributes
    ----------
    ticked
        Chosen values by filter.
    lines
        Text by filter, a value a line.
    filters
        The filters; None if they are refused.
    error
        The rule that was broken, in English; None if none was.
    field
        Filter that the error is about; empty if it is about none alone.
    """

    ticked: Mapping[str, tuple[str, ...]]
    lines: Mapping[str, str]
    urgent_only: bool
    min_priority: str
    filters: Filters | None
    error: str | None
    field: str


def filters_from(query: QueryParams, tier: Tier) -> FiltersForm:
    """Return the form of an address; without filters in it, the usual ones."""
    ticked = {name: tuple(query.getlist(name)) for name in CHOICES}
    if not ticked["grades"]:
        ticked["grades"] = (SignalGrade.ALARM.value,)
    lines = {name: query.get(name, "") for name in LISTS}
    urgent_only = "urgent_only" in query
    min_priority = query.get("min_priority", "")
    filters: Filters | None = None
    error: str | None = None
    field = ""
    try:
        _require_size(lines)
        filters = Filters.asked(
            urgent_only=urgent_only,
            min_priority=PriorityLevel(min_priority) if min_priority else None,
            grades=_grades(ticked["grades"]),
            **{name: ticked[name] for name in CHOICES if name != "grades"},
            **{name: _values(text) for name, text in lines.items() if name != "jurisdictions"},
            jurisdictions=_values(lines["jurisdictions"].upper()),
        )
        require_askable(tier, filters)
    except ValidationError as refused:
        first = refused.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        filters, error = None, f"{field}: {_RULES.get(field, first['msg'])}"
    except (InputError, ValueError) as refused:
        filters, error = None, str(refused)
        field = next((name for name in (*CHOICES, *LISTS) if name in error), "")
    return FiltersForm(ticked, lines, urgent_only, min_priority, filters, error, field)


def _grades(ticked: tuple[str, ...]) -> list[SignalGrade]:
    return [SignalGrade(name) for name in ticked]


def _require_size(lines: Mapping[str, str]) -> None:
    if sum(map(len, lines.values())) > _MOST_CHARACTERS:
        msg = f"filters: must have at most {_MOST_CHARACTERS:,} characters"
        raise InputError(msg)


def _values(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def canonical(filters: Filters) -> str:
    """Return filters as text, the same for the same filters."""
    return json.dumps(filters.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
