"""Alerts as plain JSON values, as much of them as a tier may see."""

from collections.abc import Iterable, Iterator
from typing import Any

from schemas.subscription import Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.tiers import copy_for, is_hidden

__all__ = ["tier_lines"]


def tier_lines(
    alerts: Iterable[AnyAlert], tier: Tier, *, key: bytes, all_revisions: bool
) -> Iterator[dict[str, Any]]:
    """Yield the copies of a tier.

    Parameters
    ----------
    alerts
        In the order they were published in.
    key
        As of `streams.delivery.tiers.copy_for`.
    all_revisions
        Every revision, in that order; else the latest of each signal, by the key that the copy has.
    """
    shown = (alert for alert in alerts if not is_hidden(tier, alert))
    if all_revisions:
        yield from (copy_for(tier, alert, key=key) for alert in shown)
        return
    latest = {alert.signal_key: alert for alert in shown}.values()
    # By the copy's key: the order of the whole ones would tell something of the lots.
    yield from sorted(
        (copy_for(tier, alert, key=key) for alert in latest), key=lambda copy: copy["signal_key"]
    )
