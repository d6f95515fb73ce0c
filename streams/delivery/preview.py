"""What a subscription would have sent, before anybody saves it."""

from collections import Counter
from collections.abc import Iterable

from schemas.subscription import Subscription
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.matching import category_of, matches

__all__ = ["PREVIEW_DAYS", "would_send"]

PREVIEW_DAYS = 90


def would_send(wanted: Subscription, alerts: Iterable[AnyAlert]) -> Counter[tuple[str, str]]:
    """Count the alerts that are for a subscription, by category and kind.

    Parameters
    ----------
    alerts
        Those of the last `PREVIEW_DAYS` days, in order.
    """
    found: Counter[tuple[str, str]] = Counter()
    told: set[str] = set()
    for alert in alerts:
        if matches(wanted, alert, sent_before=alert.signal_key in told):
            told.add(alert.signal_key)
            found[category_of(alert), alert.kind.value] += 1
    return found
