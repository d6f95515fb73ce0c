"""How urgently a signal asks to be looked at, with the parts the answer is made of."""

from enum import StrEnum

from pydantic import Field

from schemas.base import Message

__all__ = ["Priority", "PriorityLevel", "PriorityPart"]


class PriorityLevel(StrEnum):
    """What a list is sorted and filtered by."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class PriorityPart(Message):
    """One part of the score."""

    name: str = Field(description="What it measures.")
    value: float | None = Field(
        ge=0, le=1, description="How much of it there is, from none to all; null: not known."
    )
    weight: float = Field(ge=0, le=1, description="Its share of the score.")


class Priority(Message):
    """A score for the order of work. It says nothing about whether the product is to blame."""

    total: float = Field(
        ge=0, le=1, description="Sum of weight times value of the parts; what is not known adds 0."
    )
    level: PriorityLevel = Field(description="The total against the thresholds.")
    parts: tuple[PriorityPart, ...] = Field(description="Every part, in order of weight.")
    burst_only: bool = Field(
        description="Whether no rule fires without the cases that came from one source on one day: "
        "then the level is low, whatever the total."
    )
