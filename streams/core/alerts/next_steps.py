"""The next step of an assessor on an alert, and the day it is due: sentences and days as data."""

import tomllib
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files

from pydantic import Field

from schemas.alert import AlertKind, Previous, SignalLevel
from schemas.base import Message
from schemas.context import Context

__all__ = ["Steps", "next_step", "running_due", "steps"]


class _Step(Message):
    step: str = Field(min_length=1, description="What to do.")
    days: int = Field(ge=1, description="Within so many days of the evaluation.")


class Steps(Message):
    """The table of `steps.toml`."""

    urgent_days: int = Field(ge=1, description="Days for an urgent alert, whatever its kind.")
    kinds: dict[AlertKind, _Step] = Field(description="By kind of the revision; every kind.")
    further: dict[str, str] = Field(description="By level of the signal, flag or fact of context.")


@lru_cache(maxsize=1)
def steps() -> Steps:
    """Return the table that is shipped."""
    raw = tomllib.loads(files("streams.core.alerts").joinpath("steps.toml").read_text("utf-8"))
    return Steps.model_validate(raw, strict=False)


def next_step(
    kind: AlertKind,
    level: SignalLevel,
    context: Context | None,
    *,
    is_on: bool,
    urgent: bool,
    evaluated_on: date,
) -> tuple[str, date]:
    """Return the next step on a revision, in words, and the day it is due by itself.

    Parameters
    ----------
    kind, level, context, urgent, evaluated_on
        The fields of `schemas.alert.Alert`.
    is_on
        Whether a rule is on; otherwise only the step of the kind is returned.
    """
    table = steps()
    of_kind = table.kinds[kind]
    texts = [of_kind.step]
    if is_on:
        facts = [level.value]
        if context is not None:
            facts += context.flags
            facts += ["exposure_ongoing"] if context.exposure_ongoing else []
        texts += [table.further[fact] for fact in facts if fact in table.further]
    days = table.urgent_days if urgent else of_kind.days
    return " ".join(texts), evaluated_on + timedelta(days=days)


def running_due(own_due: date, previous: Previous | None, *, is_on: bool) -> date:
    """Return the day by which a signal is due that nobody has decided on.

    It is the earliest day of the revisions since the signal began, ended or was reopened: a later
    revision may bring it nearer, never move it away.

    Parameters
    ----------
    own_due
        Day that the next step of this revision alone is due.
    previous
        The published revision before it.
    is_on
        Whether a rule is on in this revision.
    """
    if previous is None or previous.due is None or bool(previous.rules_fired) != is_on:
        return own_due
    return min(own_due, previous.due)
