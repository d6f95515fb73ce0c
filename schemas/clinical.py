"""Patient groups of a signal, and the time to onset of its event."""

from pydantic import Field

from schemas.base import Message

__all__ = ["PatientGroups", "TimeToOnset"]


class PatientGroups(Message):
    """Cases of a pair by age group (ICH E2B(R3) D.2.3) and, of the same cases, by sex (D.5).

    Each set of counts adds up to the cases of the pair, since unknown values form a group.
    """

    neonate: int = Field(ge=0, description="Cases of patients under 28 days.")
    infant: int = Field(ge=0, description="28 days to 23 months.")
    child: int = Field(ge=0, description="2 to 11 years.")
    adolescent: int = Field(ge=0, description="12 to 17 years.")
    adult: int = Field(ge=0, description="18 to 64 years.")
    elderly: int = Field(ge=0, description="65 years and over.")
    age_unknown: int = Field(ge=0, description="Neither age nor age group stated.")
    female: int = Field(ge=0, description="Cases of female patients.")
    male: int = Field(ge=0, description="Cases of male patients.")
    sex_unknown: int = Field(ge=0, description="Sex not stated.")


class TimeToOnset(Message):
    """Days from the first administration of the drug to the onset of the event.

    Only cases that state both to the day; the earliest day of each is used. Quartiles are by
    linear interpolation (type 7 of Hyndman and Fan). Zero: both on the same day.
    """

    n: int = Field(ge=0, description="Cases whose event began with the drug or after it.")
    n_before: int = Field(
        ge=0,
        description="Cases that state both, with an event began before the drug; they are in no "
        "quartile.",
    )
    lower_quartile: float | None = Field(description="Days; null without a case in `n`.")
    median: float | None = Field(description="Days; likewise.")
    upper_quartile: float | None = Field(description="Days; likewise.")
