"""Recomputes the labels of an alert, its most frequent spellings, case by case.

Shares with the stream how spellings are written (`streams.core.cases.spellings`), and no code that
counts.
"""

from collections import Counter
from collections.abc import Callable

import polars as pl

from streams.core.cases.spellings import usual_drug, usual_event
from streams.core.recount.evidence import naming

__all__ = ["LABELS", "drug_label", "label_values"]

_UNIT = "\x1f"

LABELS = ("drug", "event")
"""Fields of an alert that are recounted here."""


def label_values(cases: pl.DataFrame, drug: str, event: str) -> dict[str, str]:
    """Return drug and event of an alert, as labels.

    Parameters
    ----------
    cases
        All counted cases, of any window: `drugs`, `events`, `drug_spellings`, `event_spellings`.
    drug, event
        As counted.
    """
    return {
        "drug": drug_label(cases, drug),
        "event": _label(cases, event, ("events", "event_spellings"), usual_event),
    }


def drug_label(cases: pl.DataFrame, drug: str) -> str:
    """Return the label of a drug, as counted; the cases as for `label_values`."""
    return _label(cases, drug, ("drugs", "drug_spellings"), usual_drug)


def _label(
    cases: pl.DataFrame, name: str, columns: tuple[str, str], usual: Callable[[str], str]
) -> str:
    spelt = Counter[str]()
    for names, spellings in cases.filter(naming(columns[0], name)).select(columns).iter_rows():
        place = names.strip(_UNIT).split(_UNIT).index(name)
        stated = spellings.split(_UNIT)[place] if spellings else ""
        spelt[stated or usual(name)] += 1
    ranked = sorted(spelt, key=lambda spelling: (-spelt[spelling], spelling))
    return ranked[0] if ranked else name
