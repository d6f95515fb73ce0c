"""Suppressed signal change: a decision not to publish a revision, with its reason."""

from datetime import date
from enum import StrEnum

from pydantic import Field

from schemas.base import Message

__all__ = ["Suppressed", "SuppressionReason"]


class SuppressionReason(StrEnum):
    """Reason to suppress a change of a signal that is on. The first that applies is given."""

    SAME_CASES = (
        "same_cases"  # a lot, facility or family signal with the cases of a signal published before
    )
    SWITCHED_OFF = "switched_off"  # the re-alert policy in force does not publish such evidence
    WITHIN_BAND = "within_band"  # a rule would no longer fire, but its exit is not passed
    ENTRY_REGAINED = "entry_regained"  # a rule that was on only by its exit would fire again
    FEW_MORE_CASES = "few_more_cases"  # more cases than published, too few to publish
    UNNAMED_CASE_LEFT = "unnamed_case_left"  # a case was retracted that no alert had counted
    AGED_OUT = "aged_out"  # fewer cases than published, since they left a moving window
    NO_MATERIAL_CHANGE = "no_material_change"  # a case of it was amended; its counts are unchanged


class Suppressed(Message):
    """One suppressed change of a signal at one evaluation."""

    signal_key: str = Field(description="Signal key, as in the alert.")
    told_as: str | None = Field(
        default=None,
        description="Key of the published signal with these cases, to which `revision` and "
        "`n_published` belong; null: the signal itself.",
    )
    evaluated_on: date = Field(description="Event-time day of the evaluation.")
    reason: SuppressionReason = Field(description="Why nothing was published.")
    revision: int = Field(ge=1, description="The revision that is still current.")
    n_observed: int = Field(ge=0, description="Cases of the pair now.")
    n_published: int = Field(ge=0, description="Cases in that revision.")
