"""Cursors of a preview, with which a subscription begins where the preview began or ended."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date, timedelta

from schemas.errors import InputError
from schemas.subscription import Tier
from streams.delivery.api.read_model import ReadModel
from streams.delivery.matching import PREVIEW_DAYS
from streams.delivery.tier_copies import known_day

__all__ = [
    "BEGINNING",
    "Start",
    "cursor_after_last",
    "cursor_before_first",
    "day_before",
    "start_at",
]

BEGINNING = "beginning"
"""Cursor before every alert, if the tier saw none yet."""
_MOST_DAYS = 2 * PREVIEW_DAYS  # alerts may be published between a preview and its use


@dataclass(frozen=True, slots=True)
class Start:
    """Alerts with which a subscription begins.

    Attributes
    ----------
    position
        They are read after this position of the read model.
    since
        They are evaluated after this day.
    """

    position: int
    since: date


def day_before(tier: Tier, day: date) -> date:
    """Return the day after which a preview begins: for the public, before a whole month.

    Else the previews of successive days would give the day of a revision away.
    """
    return known_day(tier, day) - timedelta(days=1) if tier is Tier.PUBLIC else day


def cursor_before_first(since: date | None, *, key: bytes) -> str:
    """Return the cursor of the alerts after a day: a code, since not every tier sees days."""
    return BEGINNING if since is None else _code(since, key)


def cursor_after_last(model: ReadModel, tier: Tier, position: int) -> str:
    """Return the cursor of the alerts after a position.

    It is the id of the last alert there that the tier sees, so it does not tell how many others
    there are.
    """
    return model.last_seen(tier, position) or BEGINNING


def start_at(cursor: str, model: ReadModel, tier: Tier, *, key: bytes) -> Start:
    """Return where a cursor is.

    Raises
    ------
    InputError
        If it is not the cursor of a preview, or of one so long ago that alerts after it would be
        left out.
    """
    latest = model.latest_day()
    days = [latest - timedelta(days=days) for days in range(_MOST_DAYS)] if latest else []
    floor = days[-1] - timedelta(days=1) if days else date.min
    for since in days:
        if hmac.compare_digest(_code(since, key).encode(), cursor.encode()):
            return Start(0, since)
    if cursor == BEGINNING:
        place = 0, model.first_day(tier) or date.max
    else:
        place = model.place_of(tier, cursor) or (0, date.min)
    position, day = place
    if day <= floor:
        msg = f"after: must be a cursor of a preview of the last {PREVIEW_DAYS} days"
        raise InputError(msg)
    return Start(position, floor)


def _code(day: date, key: bytes) -> str:
    return hmac.new(key, f"preview since {day}".encode(), hashlib.sha256).hexdigest()[:32]
