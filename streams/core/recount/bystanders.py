"""Recomputes which products explain an alert, from the cases alone.

Shares with the stream the rule (`detectors.bystanders`) and the estimator, and no code that counts.
"""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl

from detectors.bystanders import FEWEST_SHARED, LEAST_SHARE, ProductGroups, explanations
from detectors.information_component import adjusted_information_component
from schemas.alert import Alert, Counts, SignalLevel, Window
from schemas.scrutiny import ExplainedBy
from streams.core.cases.levels import level_of
from streams.core.recount.evidence import naming
from streams.core.recount.labels import drug_label
from streams.core.recount.strata import expected_within, period_stratum, within_window
from streams.core.signals.signal_key import names_of_key

__all__ = ["BYSTANDERS", "Explained", "explained_values"]

BYSTANDERS = ("explained_by",)
"""Recounted fields."""

Explained = tuple[ExplainedBy, ...] | None
"""Value of the field."""

_UNIT = "\x1f"


def explained_values(alert: Alert, current: pl.DataFrame) -> dict[str, Explained]:
    """Return the expected value of `explained_by`; nothing for an alert of an older version.

    Parameters
    ----------
    current
        All counted cases, of any window: `day`, `band`, `sex`, `drugs`, `events`,
        `drug_spellings`.
    """
    drug, event = names_of_key(alert.signal_key)
    if not alert.rules_fired or level_of(drug, event) is not SignalLevel.PRODUCT:
        return {"explained_by": None}
    if alert.explained_by is None:
        return {}
    return {"explained_by": _explained_by(current, alert.window, drug, event)}


def _explained_by(
    current: pl.DataFrame, window: Window, drug: str, event: str
) -> tuple[ExplainedBy, ...]:
    flagged = within_window(current, window).select(
        "day", "band", "sex", "drugs", "events", has_event=naming("events", event)
    )
    both = flagged.filter("has_event", naming("drugs", drug))
    named = Counter(name for names in both["drugs"] for name in set(_names(names)))
    products = [
        name
        for name, n in sorted(named.items())
        if n >= max(FEWEST_SHARED, LEAST_SHARE * both.height)
        and level_of(name, event) is SignalLevel.PRODUCT
    ]
    if len(products) < 2:
        return ()
    strata = flagged.select(period_stratum().rank("dense").cast(pl.Int64) - 1).to_series()
    groups = ProductGroups.of_cases(
        tuple(products),
        flagged.select(naming("drugs", name).alias(name) for name in products).to_numpy(),
        strata.to_numpy(),
        np.ones(flagged.height, dtype=np.int64),
        flagged["has_event"].cast(pl.Int64).to_numpy(),
    )
    return tuple(
        ExplainedBy(
            product=drug_label(current, name),
            n_shared=named[name],
            share=named[name] / both.height,
            **_without(flagged.filter(~naming("drugs", name)), drug, event),
        )
        for name in explanations(groups, drug)["product"]
    )


def _without(rest: pl.DataFrame, drug: str, event: str) -> dict[str, Any]:
    """Return the fields of the table of a pair among the cases that do not name a product."""
    with_drug = rest.filter(naming("drugs", drug))
    counts = {
        "n_observed": with_drug.filter("has_event").height,
        "n_drug": with_drug.height,
        "n_event": rest.filter("has_event").height,
        "n_total": rest.height,
    }
    expected = expected_within(rest, drug, event)
    row = pl.DataFrame([counts | {"expected_adjusted": expected}])
    scored = adjusted_information_component(row).row(0, named=True)
    return {
        "counts_without": Counts(**counts),
        "expected_without": expected,
        "ic_without": scored["ic_adjusted"],
        "ic_lower_without": scored["ic_lower_adjusted"],
    }


def _names(joined: str) -> list[str]:
    return joined.strip(_UNIT).split(_UNIT)
