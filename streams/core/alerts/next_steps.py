"""The day by which the next step on a signal is due, from the days of `steps.toml`."""

import tomllib
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files

from pydantic import Field

from schemas.alert import AlertKind, AlertReason, Previous
from schemas.base import Message
from streams.core.wording.signal_steps import needs_no_step

__all__ = ["StepDays", "due_day", "running_due", "step_days"]


class StepDays(Message):
    """The table of `steps.toml`."""

    urgent_days: int = Field(ge=1, description="Days for an urgent alert, whatever its kind.")
    kinds: dict[AlertKind, int] = Field(description="By kind of the revision; every kind.")


@lru_cache(maxsize=1)
def step_days() -> StepDays:
    """Return the table that is shipped."""
    raw = tomllib.loads(files("streams.core.alerts").joinpath("steps.toml").read_text("utf-8"))
    return StepDays.model_validate(raw, strict=False)


def due_day(
    kind: AlertKind, reasons: tuple[AlertReason, ...], *, urgent: bool, evaluated_on: date
) -> date | None:
    """Return the day by which the next step on a revision is due; None if it asks for nothing."""
    if needs_no_step(kind, reasons):
        return None
    table = step_days()
    days = table.urgent_days if urgent else table.kinds[kind]
    return evaluated_on + timedelta(days=days)


def running_due(own_due: date | None, previous: Previous | None, *, is_on: bool) -> date | None:
    """Return the day by which a signal is due that nobody has decided on.

    It is the earliest day of the revisions since the signal began, ended or was reopened: a later
    revision may bring it nearer, never move it away.

    Parameters
    ----------
    own_due
        Day that the next step of this revision alone is due; None if it asks for nothing.
    previous
        The published revision before it.
    is_on
        Whether a rule is on in this revision.
    """
    if previous is None or previous.due is None or bool(previous.rules_fired) != is_on:
        return own_due
    return previous.due if own_due is None else min(own_due, previous.due)
