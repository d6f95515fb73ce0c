"""The tab of suppressed changes: counts by reason, and each with its reason in words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import unquote

from schemas.subscription import Tier
from schemas.suppressed import Suppressed, SuppressionReason
from streams.console.frame.rendering import Frame
from streams.console.rows.row_facts import signal_address
from streams.console.worklist.page import page_values
from streams.console.worklist.worklist import WINDOW_ROWS, AskedListing, Worklist
from streams.core.wording.catalogue import Language
from streams.core.wording.names import event_name, product_name
from streams.delivery.api.read_model import ReadModel

__all__ = ["SuppressedRow", "suppressed_values"]


@dataclass(frozen=True, slots=True)
class SuppressedRow:
    """One suppressed change.

    Attributes
    ----------
    published_as
        Event and product of the published signal with these cases; empty: the signal itself.
    address
        Page of the published signal.
    """

    event: str
    product: str
    day: date
    reason: SuppressionReason
    published_as: str
    address: str
    n_observed: int
    n_published: int


def suppressed_values(
    worklist: Worklist, frame: Frame, asked: AskedListing, first: int
) -> dict[str, Any]:
    """Return what the page of the tab needs.

    Parameters
    ----------
    first
        Place of the first row, from 0.
    """
    values = page_values(worklist, frame, asked, 0)
    changes = frame.desk.suppressed
    if changes is None:
        return {**values, "n_rows": 0, "suppressed": None, "reasons": {}}
    found = _found(changes.latest_first(), asked.view.q)
    counted = Counter(one.reason for one in found)
    window = found[first : first + WINDOW_ROWS]
    last = first + len(window)
    with frame.desk.service.model() as model:
        rows = [_row(model, asked.tier, one, frame.language) for one in window]
    return {
        **values,
        "first": first,
        "n_rows": len(found),
        "reasons": {reason: n for reason in SuppressionReason if (n := counted[reason])},
        "suppressed": rows,
        "next_address": asked.view.address(first=last) if last < len(found) else None,
    }


def _found(changes: Sequence[Suppressed], find: str | None) -> Sequence[Suppressed]:
    """Return the changes whose key has each word of a search."""
    words = (find or "").casefold().split()
    if not words:
        return changes
    return [one for one in changes if all(word in _names(one.signal_key) for word in words)]


def _names(key: str) -> str:
    return unquote(key).casefold()


def _row(model: ReadModel, tier: Tier, one: Suppressed, language: Language) -> SuppressedRow:
    product, event = _pair(model, tier, one.signal_key, language)
    other = ""
    if one.told_as is not None:
        other = "{1}, {0}".format(*_pair(model, tier, one.told_as, language))
    return SuppressedRow(
        event,
        product,
        one.evaluated_on,
        one.reason,
        other,
        signal_address(one.told_as or one.signal_key),
        one.n_observed,
        one.n_published,
    )


def _pair(model: ReadModel, tier: Tier, key: str, language: Language) -> tuple[str, str]:
    """Return product and event of a key: as published, else in normal form."""
    copy = model.latest(tier, key)
    if copy is None:
        drug, event, *_ = map(unquote, key.split("|"))
    else:
        drug, event = copy["drug"], copy["event"]
    return product_name(drug, language), event_name(event, language)
