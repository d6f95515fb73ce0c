"""Difference of two revisions of a signal: cases, numbers, rules and duties."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.alert import Alert
from streams.console.signal.changes import Changes, changes
from streams.console.signal.measures_table import (
    Comparator,
    ComparedWith,
    compared_with,
)
from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.names import rule_name

__all__ = ["CountRow", "Difference", "difference"]

_COUNTS = ("n_observed", "n_drug", "n_event", "n_total")
_CASES = ("n_serious", "n_life_threatening", "n_fatal", "n_paediatric", "n_by_professional")


@dataclass(frozen=True, slots=True)
class CountRow:
    """A count in both revisions; None where it was not published."""

    name: str
    was: int | None
    now: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A revision beside an earlier one.

    Attributes
    ----------
    counts
        Counts of the table and of the cases, equal ones too.
    tables
        Measures among all reports and within strata.
    rules_on, rules_off
        Rules that are on in the later one alone, and in the earlier one alone.
    duty_came, duty_left
        Lines on duties, likewise.
    """

    before: Alert
    now: Alert
    changes: Changes
    counts: tuple[CountRow, ...]
    tables: tuple[ComparedWith, ...]
    rules_on: tuple[str, ...]
    rules_off: tuple[str, ...]
    duty_came: tuple[str, ...]
    duty_left: tuple[str, ...]


def difference(before: Alert, now: Alert, language: Language) -> Difference:
    """Return how a revision differs from an earlier one."""
    was_on, is_on = set(before.rules_fired), set(now.rules_fired)
    duty_before, duty_now = _duty(before), _duty(now)
    return Difference(
        before=before,
        now=now,
        changes=changes(now, before),
        counts=(
            *(
                CountRow(f"count_{name}", getattr(before.counts, name), getattr(now.counts, name))
                for name in _COUNTS
            ),
            *(
                CountRow(f"count_{name}", getattr(before, name), getattr(now, name))
                for name in _CASES
            ),
        ),
        tables=tuple(
            table
            for comparator in (Comparator.ALL, Comparator.STRATA)
            if not (table := compared_with(comparator, now, before)).missing
        ),
        rules_on=_named(is_on - was_on, now, language),
        rules_off=_named(was_on - is_on, before, language),
        duty_came=tuple(line for line in duty_now if line not in duty_before),
        duty_left=tuple(line for line in duty_before if line not in duty_now),
    )


def _duty(alert: Alert) -> tuple[str, ...]:
    return () if alert.context is None else alert.context.duty


def _named(names: Iterable[str], alert: Alert, language: Language) -> tuple[str, ...]:
    titles = {rule.name: rule.title for rule in alert.rules}
    words = catalogue(language)
    return tuple(rule_name(name, titles.get(name, ""), words) for name in sorted(names))
