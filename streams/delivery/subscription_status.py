"""Due messages and the status of subscriptions."""

from dataclasses import dataclass
from datetime import datetime

from schemas.subscription import Subscription

__all__ = ["READ_ALERTS", "Answer", "Due", "SubscriptionStatus", "key_of"]

READ_ALERTS = "alerts:read"
"""Scope of a token that may read alerts, and so have them sent."""


@dataclass(frozen=True, slots=True)
class Due:
    """A message, alert or digest, that may be sent to a subscriber now."""

    number: int
    subscription: Subscription
    alert_id: str
    body: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The last answer of a receiver: outcome of an attempt, with what was answered."""

    at: datetime
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    """Status of a subscription: active or paused, and its pending and delivered alerts.

    Attributes
    ----------
    paused
        Reason why it is paused until it is resumed; None while it is active.
    failures
        Number of consecutive failed attempts.
    waiting, delivered
        Number of pending and of delivered alerts.
    held
        Number of pending alerts that are held for a digest, or until the next day's budget.
    next_attempt
        When a failed attempt is repeated; None if none failed.
    answer
        The last answer of the receiver; None before the first attempt.
    """

    subscription: Subscription
    paused: str | None
    failures: int
    waiting: int
    held: int
    delivered: int
    next_attempt: datetime | None = None
    answer: Answer | None = None


def key_of(subscription: Subscription) -> str:
    """Return the key of a subscription: names are unique among those of a subscriber.

    A name has no U+001F, so that no two pairs of subscriber and name have the same key.
    """
    return f"{subscription.subscriber}\x1f{subscription.subscription_id}"
