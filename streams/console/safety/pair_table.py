"""Statistics of the events of a subject with its product class, by revision of their signals."""

from collections.abc import Iterable, Sequence
from datetime import date

from schemas.alert import Alert
from schemas.normal_form import normal_term
from schemas.subscription import Tier
from streams.console.frame import formats
from streams.console.frame.tier_alerts import signal_of
from streams.console.safety.known_copies import day_of
from streams.core.signals.signal_key import signal_key
from streams.delivery.api.read_model import ReadModel

__all__ = ["estimate", "pair_alerts", "supported_within"]


def pair_alerts(
    model: ReadModel, tier: Tier, product_class: str | None, terms: Iterable[str], day: date
) -> list[Alert]:
    """Return the revisions of the signals of a class with some events that were known on a day.

    The public tier knows no statistics.
    """
    if product_class is None or tier is Tier.PUBLIC:
        return []
    keys = [signal_key(product_class, normal_term(term), "cumulative") for term in terms]
    return [
        signal_of(copy)
        for key in keys
        for copy in model.revisions(tier, key)
        if day_of(copy) <= day
    ]


def supported_within(alerts: Sequence[Alert]) -> bool | None:
    """Return whether a rule was on within the indication at any revision; None: not computed."""
    computed = [alert.restricted.supported for alert in alerts if alert.restricted is not None]
    return any(computed) if computed else None


def estimate(alert: Alert, name: str) -> str:
    """Return a measure of an alert with its interval; empty where it is null."""
    values = [getattr(alert.statistics, f"{name}{end}") for end in ("", "_lower", "_upper")]
    if None in values:
        return ""
    write = formats.logarithm if name == "ic" else formats.three_digits
    value, low, high = map(write, values)
    return f"{value} {formats.interval(low, high)}"
