"""A decision not to publish a revision: what changed, and why it was not told again."""

from datetime import date
from enum import StrEnum

from pydantic import Field

from schemas.base import Message

__all__ = ["Suppressed", "SuppressionReason"]


class SuppressionReason(StrEnum):
    """Why a change of a signal that is on was not told. The first that applies is given."""

    SAME_CASES = "same_cases"  # a lot, facility or family with the cases of a signal told before
    SWITCHED_OFF = "switched_off"  # the policy in force does not tell such evidence
    WITHIN_BAND = "within_band"  # a rule would no longer fire, but its exit is not passed
    ENTRY_REGAINED = "entry_regained"  # a rule held by its exit would fire again
    FEW_MORE_CASES = "few_more_cases"  # more cases than published, too few to tell
    UNNAMED_CASE_LEFT = "unnamed_case_left"  # a case was retracted that no alert had counted
    AGED_OUT = "aged_out"  # fewer cases than published, since a moving window left them behind
    NO_MATERIAL_CHANGE = "no_material_change"  # a case of it was amended; its counts stand


class Suppressed(Message):
    """One signal that changed at one evaluation, without a revision."""

    signal_key: str = Field(description="As in the alert.")
    told_as: str | None = Field(
        default=None,
        description="Key of the signal that told these cases, of which `revision` and "
        "`n_published` are; null: it is the signal itself.",
    )
    evaluated_on: date = Field(description="Event-time day of the evaluation.")
    reason: SuppressionReason = Field(description="Why nothing was published.")
    revision: int = Field(ge=1, description="The revision that still holds.")
    n_observed: int = Field(ge=0, description="Cases of the pair now.")
    n_published: int = Field(ge=0, description="Cases in that revision.")
