"""The day by which the next step on a signal is due, from the days of `steps.toml`."""

import tomllib
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files

from pydantic import Field

from schemas.alert import AlertKind
from schemas.base import Message

__all__ = ["StepDays", "due_day", "step_days"]


class StepDays(Message):
    """The table of `steps.toml`."""

    urgent_days: int = Field(ge=1, description="Days for an urgent alert, whatever its kind.")
    kinds: dict[AlertKind, int] = Field(description="By kind of the revision; every kind.")


@lru_cache(maxsize=1)
def step_days() -> StepDays:
    """Return the table that is shipped."""
    raw = tomllib.loads(files("streams.core.alerts").joinpath("steps.toml").read_text("utf-8"))
    return StepDays.model_validate(raw, strict=False)


def due_day(kind: AlertKind, *, urgent: bool, evaluated_on: date) -> date:
    """Return the day by which the next step on a revision is due."""
    table = step_days()
    days = table.urgent_days if urgent else table.kinds[kind]
    return evaluated_on + timedelta(days=days)
