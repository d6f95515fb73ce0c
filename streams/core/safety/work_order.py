"""Priority of a safety alert and the day its next step is due: a table by category."""

import tomllib
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from schemas.base import Message
from schemas.priority import Priority, PriorityLevel
from schemas.safety_alert import AlertCategory

__all__ = ["WorkOrder", "due_day", "priority_of_category", "work_order"]

_Share = Annotated[float, Field(ge=0, le=1)]


class _Work(Message):
    value: _Share = Field(description="Value of the priority.")
    days: int = Field(ge=1, description="Days from the evaluation until the next step is due.")


class _Thresholds(Message):
    high: _Share = Field(description="Least value.")
    medium: _Share = Field(description="Least value.")


class WorkOrder(Message):
    """The table of `work_order.toml`."""

    levels: _Thresholds = Field(description="Thresholds of the value.")
    ended: _Work = Field(description="Of an alert that ended and is not urgent.")
    categories: dict[AlertCategory, _Work] = Field(description="By category; every category.")


@lru_cache(maxsize=1)
def work_order() -> WorkOrder:
    """Return the table that is shipped."""
    text = files("streams.core.safety").joinpath("work_order.toml").read_text(encoding="utf-8")
    return WorkOrder.model_validate(tomllib.loads(text), strict=False)


def priority_of_category(category: AlertCategory, *, ended: bool, urgent: bool) -> Priority:
    """Return the priority of a safety alert, comparable with that of a signal.

    >>> priority_of_category(AlertCategory.LOT_CLUSTER, ended=False, urgent=True).level.value
    'high'
    """
    table = work_order()
    value = _work(category, ended=ended, urgent=urgent).value
    level = PriorityLevel.LOW
    if value >= table.levels.medium:
        level = PriorityLevel.HIGH if value >= table.levels.high else PriorityLevel.MEDIUM
    return Priority(
        total=value,
        level=level,
        parts={"category": value},
        weights={"category": 1.0},
        burst_only=False,
    )


def due_day(category: AlertCategory, evaluated_on: date, *, ended: bool, urgent: bool) -> date:
    """Return the day a revision's next step is due, if no earlier revision has an earlier one."""
    return evaluated_on + timedelta(days=_work(category, ended=ended, urgent=urgent).days)


def _work(category: AlertCategory, *, ended: bool, urgent: bool) -> _Work:
    table = work_order()
    return table.ended if ended and not urgent else table.categories[category]
