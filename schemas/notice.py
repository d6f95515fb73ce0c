"""One notice, safety information that is not a case, as it travels on `pv.notices`.

A society's warning, a press story, a denial, an authority's action, an infusion without an adverse
event. None of them ever enters a 2x2 table; a case that a notice leads to does, as a report.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Message
from schemas.report import EARLIEST
from schemas.vocabulary import ActionTaken, Country, ReporterKind, SupplyRoute

__all__ = [
    "NOTICE_SCHEMA_VERSION",
    "Assertion",
    "Exposure",
    "Notice",
    "NoticeKind",
    "Patients",
    "Usage",
    "Verdict",
    "VerificationEvent",
]

NOTICE_SCHEMA_VERSION = "1.0"
"""Version of the notice schema. Changes are additive within a major number."""

_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Words = Annotated[str, Field(min_length=1, max_length=2000)]


class NoticeKind(StrEnum):
    """Kind of a notice."""

    SAFETY_NOTICE = "safety_notice"  # a society or an authority warns of harm
    MEDIA = "media"  # press, broadcast, social media
    AGGREGATE = "aggregate"  # describes several patients at once; absorbs their case reports
    VERIFICATION = "verification"  # a statement on whether it is true
    REGULATORY_ACTION = "regulatory_action"  # an authority acts
    GUIDANCE = "guidance"  # a society advises
    AMENDMENT = "amendment"  # adds to, or corrects, the patients of an earlier notice
    USAGE = "usage"  # a product was given, without an adverse event
    FOLLOW_UP = "follow_up"  # somebody was asked, or answered


class Assertion(StrEnum):
    """Statement on a rumour. A denial is evidence, not a refutation."""

    AFFIRMS = "affirms"
    DENIES = "denies"
    SOURCE_UNKNOWN = "source_unknown"


class Verdict(StrEnum):
    """Verdict of an assessor or authority on a rumour, on evidence."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNRESOLVABLE = "unresolvable"


class Patients(Message):
    """Number of patients in a notice, as bounds."""

    at_least: int = Field(ge=1, description="Lower bound.")
    at_most: int | None = Field(default=None, ge=1, description="Upper bound; null if not said.")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.at_most is not None and self.at_most < self.at_least:
            msg = "at_most must not be below at_least"
            raise ValueError(msg)
        return self

    @property
    def exact(self) -> bool:
        """Return whether the number is known."""
        return self.at_most == self.at_least


class VerificationEvent(Message):
    """Statement or verdict on the truth of a subject, and its source."""

    by: _Name = Field(description="Role, such as 'institution' or 'ministry'; no name.")
    assertion: Assertion | None = Field(default=None, description="What they say.")
    verdict: Verdict | None = Field(default=None, description="How it was settled.")
    evidence: _Words | None = Field(
        default=None, description="Basis of the statement; mandatory for a verdict."
    )
    conflict_of_interest: bool | None = Field(
        default=None, description="Whether they are party to it; null if not known."
    )
    case_ids: tuple[_Name, ...] = Field(
        default=(), max_length=1000, description="Reports that support the verdict."
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.assertion is None) == (self.verdict is None):
            msg = "a verification must hold either an assertion or a verdict"
            raise ValueError(msg)
        if self.verdict is not None and self.evidence is None and not self.case_ids:
            msg = "a verdict must name its evidence, or the reports that support it"
            raise ValueError(msg)
        return self


class Exposure(Message):
    """Ongoing exposure to the product, and advice to stop it."""

    ongoing: bool | None = Field(default=None, description="Null if not known.")
    action_taken: ActionTaken = Field(
        default=ActionTaken.UNKNOWN, description="What was done with the product."
    )
    discontinuation_advised_by: _Name | None = Field(
        default=None, description="Role of who advised to stop; null if nobody is known to have."
    )


class Usage(Message):
    """One administration without an adverse event. Missing is not the same as false."""

    person: _Name = Field(description="Pseudonym; volumes of one person add up.")
    volume_ml: float | None = Field(default=None, ge=0, description="Volume given, in mL.")
    hours: float | None = Field(default=None, gt=0, description="Hours over which it was given.")
    given_on: date | None = Field(default=None, description="Day; null: the day of the notice.")
    route: str | None = Field(default=None, max_length=200, description="Route, as coded.")
    setting: str | None = Field(
        default=None,
        max_length=100,
        description="`hospital_treatment`, `surgery`, `diagnostic_investigation`, or another.",
    )
    athlete: bool | None = Field(default=None, description="Whether a competing athlete.")
    sport_body: str | None = Field(default=None, max_length=100, description="Whose rules bind.")
    approved: bool | None = Field(default=None, description="Whether an approved drug.")
    within_indication: bool | None = Field(
        default=None, description="Whether given within its approved indication."
    )
    record_diagnosis: bool | None = Field(default=None, description="Record has the diagnosis.")
    record_basis: bool | None = Field(default=None, description="Record has its basis.")
    record_drug: bool | None = Field(default=None, description="Record has the drug.")
    record_amount: bool | None = Field(default=None, description="Record has the amount.")
    record_method: bool | None = Field(default=None, description="Record has the method.")


class Notice(Message):
    """One notice about one subject: a rumour, a series of patients, a product, a clinic.

    The state of a subject depends on the set of its notices, not on their order of arrival; a
    repeated notice is ignored.
    """

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    notice_id: _Name = Field(description="Identity of this notice; a repeat of it is ignored.")
    subject_id: _Name = Field(
        description="What it is about, such as a rumour. The key on `pv.notices`."
    )
    kind: NoticeKind = Field(description="What it is.")
    received: date = Field(ge=EARLIEST, description="Day it was received: its event time.")
    source: _Name = Field(description="Where it was read, such as 'society notice'.")
    reporter: ReporterKind = Field(default=ReporterKind.UNKNOWN, description="Who says so.")
    country: Country | None = Field(default=None, description="ISO 3166-1 alpha-2, where it is.")
    derived_from: tuple[_Name, ...] = Field(
        default=(),
        max_length=100,
        description="Notices it repeats; what repeats another is no second source.",
    )
    text_hash: str | None = Field(
        default=None, max_length=128, description="SHA-256 of the text or page as captured."
    )
    product: str | None = Field(default=None, max_length=2000, description="Product as named.")
    product_class: str | None = Field(default=None, max_length=200, description="Its class.")
    supply_route: SupplyRoute = Field(
        default=SupplyRoute.UNKNOWN,
        description="Supply route to the patients; decides which law applies.",
    )
    terms: tuple[Annotated[str, Field(min_length=1, max_length=500)], ...] = Field(
        default=(), max_length=100, description="Reactions it mentions, as terms."
    )
    fatal: bool | None = Field(default=None, description="Whether it mentions deaths.")
    patients: Patients | None = Field(default=None, description="How many; null if not said.")
    indication: str | None = Field(default=None, max_length=500, description="Of the patients.")
    lot: str | None = Field(default=None, max_length=200, description="Lot as typed.")
    facility_id: str | None = Field(
        default=None, max_length=100, description="Pseudonym. Authority tier only."
    )
    authority: str | None = Field(default=None, max_length=200, description="Which one acts.")
    verification: VerificationEvent | None = Field(
        default=None, description="In a verification: who says what."
    )
    exposure: Exposure | None = Field(default=None, description="Whether treatment goes on.")
    usage: tuple[Usage, ...] = Field(
        default=(), max_length=1000, description="In a usage notice: what was given to whom."
    )
    followup_due: date | None = Field(
        default=None, description="Day by which an answer is due; null if nothing was asked."
    )
    followup_closed: bool = Field(default=False, description="Whether what was due has come.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.verification is not None) != (self.kind is NoticeKind.VERIFICATION):
            msg = "verification must be set in a verification, and there only"
            raise ValueError(msg)
        if bool(self.usage) != (self.kind is NoticeKind.USAGE):
            msg = "usage must be set in a usage notice, and there only"
            raise ValueError(msg)
        if self.kind is NoticeKind.REGULATORY_ACTION and self.authority is None:
            msg = "a regulatory action must name its authority"
            raise ValueError(msg)
        return self
