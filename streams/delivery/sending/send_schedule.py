"""Schedule of sending: at once, in a digest, after a daily budget; and the retries."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from schemas.digest import HeldBack
from schemas.subscription import DigestPeriod, Subscription
from streams.delivery.tiers import Copy

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
"""Kinds of alert that are exempt from budgets."""
_DAYS_A_WEEK = 7
RETRY_AFTER = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
"""Time from each failed attempt to the next: 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h.

Source: Standard Webhooks specification, 'Retry schedule'. After the last attempt the subscription
is paused until it is resumed; its due messages are kept.
"""


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Send the alert as a message of its own, as soon as an attempt is allowed.

    Attributes
    ----------
    urgent
        Whether it is sent before pending alerts of other signals.
    """

    urgent: bool


@dataclass(frozen=True, slots=True)
class HeldInDigest:
    """Hold the alert until a digest."""

    until: datetime
    because: HeldBack


def lane_of(
    subscription: Subscription,
    copy: Copy,
    *,
    urgent_before: bool,
    held_before: bool,
    sent_today: int,
    urgent_today: int,
    now: datetime,
) -> AtOnce | HeldInDigest:
    """Return how an alert is sent to a subscription that its copy matches.

    Parameters
    ----------
    urgent_before
        Whether an earlier revision of its signal was urgent: then corrections are sent at once.
    held_before
        Whether an earlier revision of its signal waits for a digest: its corrections can wait too.
    sent_today
        Alerts queued for the subscriber on this day (UTC), outside digests.
    urgent_today
        Urgent ones queued for the subscription on this day.
    """
    urgent, correction = bool(copy["urgent"]), copy["kind"] in CORRECTIONS
    may_wait = held_before or not correction
    if urgent and may_wait and urgent_today >= subscription.urgent_per_day:
        # Not for a weekly digest: an urgent alert waits until midnight at most.
        return HeldInDigest(next_midnight(now), HeldBack.OVERFLOW)
    if urgent or (correction and urgent_before):
        return AtOnce(urgent=urgent)
    if subscription.digest is not None:
        return HeldInDigest(_digest_after(subscription.digest, now), HeldBack.DIGEST)
    budget = subscription.budget_per_day
    if correction or budget is None or sent_today < budget:
        return AtOnce(urgent=False)
    return HeldInDigest(next_midnight(now), HeldBack.OVERFLOW)


def next_midnight(now: datetime) -> datetime:
    """Return the next midnight (UTC).

    >>> str(next_midnight(datetime(2024, 2, 28, 23, tzinfo=UTC)))
    '2024-02-29 00:00:00+00:00'
    """
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def _digest_after(period: DigestPeriod, now: datetime) -> datetime:
    midnight = next_midnight(now)
    if period is DigestPeriod.DAILY:
        return midnight
    # Weekly digests are sent on Mondays, which are day 0.
    return midnight + timedelta(days=-midnight.weekday() % _DAYS_A_WEEK)


class SendOutcome(StrEnum):
    """Outcome of an attempt."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"  # 410: the receiver wants no more messages
    REFUSED = "refused"  # not sent: the address is not allowed, or the channel or key is invalid


@dataclass(frozen=True, slots=True)
class Attempt:
    """Outcome of an attempt and a short detail, without content of the message."""

    outcome: SendOutcome
    detail: str


def next_attempt(failures: int, now: datetime) -> datetime | None:
    """Return the time of the next attempt after consecutive failures; None: give up."""
    return now + RETRY_AFTER[failures - 1] if failures <= len(RETRY_AFTER) else None
