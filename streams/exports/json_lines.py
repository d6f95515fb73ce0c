"""Export of alerts as JSON values: the copies that a tier may see."""

from collections.abc import Iterable, Iterator
from typing import Any

from schemas.subscription import Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.tier_copies import dated_copies

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
        As for `streams.delivery.tier_copies.TierCopies`.
    all_revisions
        Yield every revision, in that order; else the latest of each signal, by the key in its copy.
    """
    copies = (copy for _, copy in dated_copies(tier, alerts, key=key))
    if all_revisions:
        yield from copies
        return
    latest = {copy["signal_key"]: copy for copy in copies}
    # Sorted by the copy's key: the order of the true keys would reveal something of the lots.
    yield from (latest[name] for name in sorted(latest))
