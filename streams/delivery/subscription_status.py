"""What is due to a subscription, and how it stands."""

from dataclasses import dataclass

from schemas.subscription import Subscription

__all__ = ["Due", "SubscriptionStatus"]


@dataclass(frozen=True, slots=True)
class Due:
    """One message that is due to one subscriber now: an alert, or a digest."""

    number: int
    subscription: Subscription
    alert_id: str
    body: str


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    """How a subscription stands.

    Attributes
    ----------
    resting
        Why nothing is sent until somebody resumes it; None while it is active.
    waiting, delivered
        Number of alerts.
    held
        Those of the waiting that wait for a digest, or for the day after their budget.
    """

    subscription: Subscription
    resting: str | None
    failures: int
    waiting: int
    held: int
    delivered: int
