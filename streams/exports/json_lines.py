"""Export of alerts as JSON values: the copies that a tier may see."""

from collections.abc import Iterable, Iterator
from typing import Any

from schemas.subscription import Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.tiers import copy_for, seen_by

__all__ = ["tier_lines"]


def tier_lines(
    alerts: Iterable[AnyAlert], tier: Tier, *, key: bytes, all_revisions: bool
) -> Iterator[dict[str, Any]]:
    """Yield the copies of alerts for a tier.

    Parameters
    ----------
    alerts
        Alerts in the order of publication.
    key
        As for `streams.delivery.tiers.copy_for`.
    all_revisions
        Yield every revision, in that order; else the latest of each signal, by the key in its copy.
    """
    visible = seen_by(tier, alerts)
    if all_revisions:
        yield from (copy_for(tier, alert, key=key) for alert in visible)
        return
    latest = {alert.signal_key: alert for alert in visible}.values()
    # Sorted by the copy's key: the order of the true keys would reveal something of the lots.
    yield from sorted(
        (copy_for(tier, alert, key=key) for alert in latest), key=lambda copy: copy["signal_key"]
    )
