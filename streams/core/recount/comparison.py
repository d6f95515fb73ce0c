"""Compares an alert with the values that a recount gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from schemas.alert import Alert, Counts, Statistics
from streams.core.recount.bystanders import BYSTANDERS
from streams.core.recount.clinical import CLINICAL, REMOVED
from streams.core.recount.due_days import DUE
from streams.core.recount.evidence import EVIDENCE, OF_PAIR
from streams.core.recount.fragility import FRAGILITY
from streams.core.recount.labels import LABELS
from streams.core.recount.priority import PRIORITY
from streams.core.recount.texts import TEXTS

__all__ = ["COMPARED", "Difference", "Recounted", "compared_with", "unbounded_of", "values_of"]

COMPARED = (
    *LABELS,
    *(f"counts.{name}" for name in Counts.model_fields),
    *(f"statistics.{name}" for name in Statistics.model_fields),
    "unbounded",
    *OF_PAIR,
    *EVIDENCE,
    *BYSTANDERS,
    *(*CLINICAL, *REMOVED),
    *DUE,
    *TEXTS,
    *PRIORITY,
    *("rules_fired", "grade", *FRAGILITY),
)
"""Fields that a recount compares; the last three only with the rules of the alert's `rules_hash`.

A rule is on if it fires, or was on in `previous` and is not past its exit. The grade is `alarm` if
a rule of that grade is on, that of `previous` if none is on, else `screening`. `due` is recomputed
from the revision before, or from `previous.due` if that revision is not among the alerts; if it is,
`previous.due` is compared. The first days are recomputed from the revision before, else they are
taken as published, as are the thresholds of the priority, and what is an upper bound in a
fragility. The texts follow from the other fields.
Others cannot be recomputed from the input alone: kind, reasons, revision, the rest of `previous`
and `n_new` depend on the alerts published before, `test_recomputed` on the time when a correction
arrived, `calibration` on the list of negative controls and on which of them were on.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs between alert and recount."""

    name: str
    published: object
    recounted: object


@dataclass(frozen=True, slots=True)
class Recounted:
    """Result of the recount of one alert.

    Attributes
    ----------
    messages
        Messages of its input, transaction markers included.
    compared
        Number of values compared, to the last bit.
    differences
        Those that differ.
    rules_known
        Whether the rules are those of the alert, so that `rules_fired` was compared.
    """

    alert: Alert
    messages: int
    compared: int
    differences: tuple[Difference, ...]
    rules_known: bool


def values_of(row: Mapping[str, Any], of_pair: Mapping[str, Any]) -> dict[str, object]:
    """Return the counts and statistics of a row by the field of an alert, and those of the pair."""
    statistics = {name: row[name] for name in Statistics.model_fields}
    return {
        **{f"counts.{name}": row[name] for name in Counts.model_fields},
        **{
            # As in alerts: undefined and unbounded are null.
            f"statistics.{name}": value if value is not None and isfinite(value) else None
            for name, value in statistics.items()
        },
        **of_pair,
    }


def unbounded_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the statistics of a row that are infinite."""
    infinite = (float("inf"), float("-inf"))
    return tuple(name for name in Statistics.model_fields if row[name] in infinite)


def compared_with(alert: Alert, values: Mapping[str, object], *, rules_known: bool) -> Recounted:
    """Compare an alert with the recounted values, to the last bit."""
    differences = []
    for name, recounted in values.items():
        published: Any = alert
        for part in name.split("."):
            if isinstance(published, tuple):
                published = tuple(getattr(each, part) for each in published)
            else:
                published = getattr(published, part)
        # Equal `repr` means equal to the last bit: a float is written by its shortest digits.
        if repr(published) != repr(recounted):
            differences.append(Difference(name, published, recounted))
    return Recounted(
        alert=alert,
        messages=sum(end.next_offset for end in alert.as_of),
        compared=len(values),
        differences=tuple(differences),
        rules_known=rules_known,
    )
