"""Priority of a signal for assessment, with the parts of its score."""

from enum import StrEnum

from pydantic import Field

from schemas.base import Message

__all__ = ["Priority", "PriorityLevel"]


class PriorityLevel(StrEnum):
    """Priority level, to sort and filter by."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Priority(Message):
    """A score for the order of work. It says nothing about whether the product is to blame."""

    total: float = Field(
        ge=0, le=1, description="Sum of weight times value of the parts; an unknown part adds 0."
    )
    level: PriorityLevel = Field(description="Level by the thresholds on the total.")
    parts: dict[str, float | None] = Field(
        description="What each part measures, from 0 (none of it) to 1; null: not known."
    )
    weights: dict[str, float] = Field(description="Share of each part in the total; they sum to 1.")
    burst_only: bool = Field(
        description="Whether no rule fires without the cases that came from one source on one day: "
        "then the level is low, whatever the total."
    )
