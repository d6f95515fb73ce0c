"""Several alerts in one message: a requested digest, or alerts deferred by a daily budget."""

from datetime import date
from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from schemas.base import Message

__all__ = ["Digest", "HeldBack", "UrgentOverflow"]


class HeldBack(StrEnum):
    """Reason to defer alerts to one message."""

    DIGEST = "digest"  # the subscription asks for one message a period
    OVERFLOW = "overflow"  # the subscriber's budget of the day was used up


class Digest(Message):
    """Deferred alerts of one subscription, in the order of publication."""

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    category: Literal["DIGEST"] = Field(
        default="DIGEST",
        description="Distinguishes a digest from alerts, which have other categories.",
    )
    digest_id: str = Field(
        description="The same at every attempt; derived from the subscription and the alerts."
    )
    subscription_id: str = Field(description="Whose it is.")
    because: HeldBack = Field(description="Why its alerts were deferred.")
    made_at: AwareDatetime = Field(description="When it was created, in UTC.")
    n_alerts: int = Field(ge=1, description="Number of alerts in it.")
    alert_ids: tuple[str, ...] = Field(description="Which, in order.")
    sentence: str = Field(description="The same in words.")
    alerts: tuple[dict[str, Any], ...] = Field(
        description="Each alert as it would be sent by itself: the copy for the tier."
    )


class UrgentOverflow(Message):
    """One message a day: urgent alerts beyond the budget are deferred to the next digest."""

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    category: Literal["URGENT_OVERFLOW"] = Field(
        default="URGENT_OVERFLOW", description="Distinguishes it from alerts and digests."
    )
    overflow_id: str = Field(description="The same at every attempt, for one subscription and day.")
    subscription_id: str = Field(description="Whose it is.")
    day: date = Field(description="Day of the budget (UTC).")
    budget: int = Field(ge=1, description="Urgent alerts of a day that are sent at once.")
    n_held: int = Field(
        ge=1, description="Urgent alerts deferred when this was sent; later ones are in the digest."
    )
    held_until: AwareDatetime = Field(description="When the digest with them is due, in UTC.")
    sentence: str = Field(description="The same in words, and where to read them before.")
