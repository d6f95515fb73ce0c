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
        ge=0,
        le=1,
        description="Value of the priority, of the day of evaluation. Of a signal, "
        "`score / (1 + score)`; in alerts of older versions and of safety alerts, the sum of "
        "weight times value of the parts.",
    )
    level: PriorityLevel = Field(description="Level by the thresholds on the total.")
    parts: dict[str, float | None] = Field(
        description="What each part measures; null: the source cannot state it, or nobody "
        "computes it yet."
    )
    weights: dict[str, float] = Field(
        description="Share of each part in a total that is a weighted sum; they sum to 1. Empty "
        "where the total is of multiplied parts: then `factors` has them."
    )
    burst_only: bool = Field(
        description="Whether no rule fires without the cases that came from one source on one day: "
        "then the level is low, whatever the total."
    )
    score: float | None = Field(
        default=None,
        ge=0,
        description="Product of the `factors`, which has no upper end. Null where `weights` are "
        "used.",
    )
    factors: dict[str, float] | None = Field(
        default=None,
        description="What the score is multiplied by for each part; 1 for a part that is null. "
        "Null where `weights` are used.",
    )
    thresholds: dict[str, float] | None = Field(
        default=None,
        description="Least total of the levels `high` and `medium` on the day of evaluation: "
        "quantiles of the totals of the signals that were revised in the last 365 days. A total "
        "of 0 is low. Null where `weights` are used.",
    )
