"""Whether an alert goes at once, waits for a digest, or is beyond the budget of the day."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from schemas.digest import HeldBack
from schemas.subscription import DigestPeriod, Subscription
from streams.delivery.alert_sources import AnyAlert

__all__ = [
    "CORRECTIONS",
    "RETRY_AFTER",
    "AtOnce",
    "Attempt",
    "HeldInDigest",
    "SendOutcome",
    "lane_of",
    "next_attempt",
    "next_midnight",
]

CORRECTIONS = frozenset({"weakened", "update", "retraction", "closed"})
"""Kinds of alert that no budget holds back."""
_MONDAY = 7
RETRY_AFTER = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
"""Time from each failed attempt to the next: 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h.

Source: Standard Webhooks specification, 'Retry schedule'. After the last the subscription rests
until somebody resumes it; nothing that is due to it is forgotten meanwhile.
"""


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
class HeldInDigest:
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
) -> AtOnce | HeldInDigest:
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
        return HeldInDigest(_digest_after(subscription.digest, now), HeldBack.DIGEST)
    budget = subscription.budget_per_day
    if correction or budget is None or sent_today < budget:
        return AtOnce(urgent=False)
    return HeldInDigest(next_midnight(now), HeldBack.OVERFLOW)


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


class SendOutcome(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"  # 410: the receiver asks for no more
    REFUSED = "refused"  # not sent: the address is not one that may be posted to


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt ended, and why, in a few words without anything of the body."""

    outcome: SendOutcome
    detail: str


def next_attempt(failures: int, now: datetime) -> datetime | None:
    """Return when to try again after so many failures in a row; None: no more by itself."""
    return now + RETRY_AFTER[failures - 1] if failures <= len(RETRY_AFTER) else None
