"""Whether an alert goes at once, waits for a digest, or is beyond the budget of the day."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from schemas.digest import HeldBack
from schemas.subscription import DigestPeriod, Subscription
from streams.delivery.alert_sources import AnyAlert

__all__ = ["CORRECTIONS", "AtOnce", "Held", "lane_of", "next_midnight"]

CORRECTIONS = frozenset({"weakened", "update", "retraction", "closed"})
"""Kinds of alert that no budget holds back."""

_MONDAY = 7


@dataclass(frozen=True, slots=True)
class AtOnce:
    """It goes by itself, as soon as it may be tried.

    Attributes
    ----------
    urgent
        Whether it goes before what waits of other signals.
    """

    urgent: bool


@dataclass(frozen=True, slots=True)
class Held:
    """It waits for one message with others."""

    until: datetime
    because: HeldBack


def lane_of(
    subscription: Subscription,
    alert: AnyAlert,
    *,
    urgent_before: bool,
    sent_today: int,
    now: datetime,
) -> AtOnce | Held:
    """Return how an alert goes to a subscription that it is for.

    Parameters
    ----------
    urgent_before
        Whether an earlier revision of its signal went past the digest: then its corrections do.
    sent_today
        Alerts that went, or go, to the subscriber at once on this day (UTC).
    """
    urgent, correction = alert.urgent, alert.kind.value in CORRECTIONS
    if urgent or (correction and urgent_before):
        return AtOnce(urgent=urgent)
    if subscription.digest is not None:
        return Held(_digest_after(subscription.digest, now), HeldBack.DIGEST)
    budget = subscription.budget_per_day
    if correction or budget is None or sent_today < budget:
        return AtOnce(urgent=False)
    return Held(next_midnight(now), HeldBack.OVERFLOW)


def next_midnight(now: datetime) -> datetime:
    """Return the midnight (UTC) that follows.

    >>> str(next_midnight(datetime(2024, 2, 28, 23, tzinfo=UTC)))
    '2024-02-29 00:00:00+00:00'
    """
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def _digest_after(period: DigestPeriod, now: datetime) -> datetime:
    following = next_midnight(now)
    if period is DigestPeriod.DAILY:
        return following
    return following + timedelta(days=(_MONDAY - following.weekday()) % _MONDAY)
