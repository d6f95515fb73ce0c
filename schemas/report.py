"""One version of one individual case safety report, as it travels on `pv.reports`."""

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.base import Message
from schemas.errors import RefusedValue, RejectCode
from schemas.product import Product
from schemas.release import Release
from schemas.report_limits import broken_limit
from schemas.vocabulary import (
    AgeGroup,
    Country,
    LinkKind,
    Outcome,
    Payment,
    Qualification,
    ReporterKind,
    ReportType,
    RevisionKind,
    Seriousness,
    Sex,
    VerificationState,
)

__all__ = [
    "EARLIEST",
    "SCHEMA_VERSION",
    "Link",
    "OtherId",
    "Patient",
    "Reaction",
    "Report",
    "Reporter",
    "Revision",
]

SCHEMA_VERSION = "1.0"
"""Version of the report schema. Changes are additive within a major number."""

EARLIEST = date(1900, 1, 1)
"""Earliest valid date; an earlier one is a typing error that would stretch every time axis."""


class Revision(Message):
    """A nullification or an amendment, and its reason (ICH E2B(R3) C.1.11)."""

    kind: RevisionKind = Field(description="`nullification` voids the case, `amendment` mends it.")
    reason: str = Field(min_length=1, max_length=2000, description="Why; mandatory with a kind.")


class Reporter(Message):
    """The primary source. No name, no contact: they never enter the stream."""

    kind: ReporterKind = Field(
        default=ReporterKind.UNKNOWN, description="The role in which the source reports."
    )
    qualification: Qualification = Field(
        default=Qualification.CONSUMER,
        description="ICH E2B(R3) C.2.r.4. A missing one counts as consumer (GVP VI.B.2).",
    )
    country: Country | None = Field(
        default=None, description="ISO 3166-1 alpha-2 of the source; null if not stated."
    )
    first_hand: bool | None = Field(
        default=None, description="Whether the source saw the patient; null if not stated."
    )


class Patient(Message):
    """The patient, without identifying information."""

    age_years: float | None = Field(
        default=None, ge=0, le=150, description="Age at onset in years; null if unknown."
    )
    age_group: AgeGroup | None = Field(
        default=None, description="As reported; derived from `age_years` where that is known."
    )
    sex: Sex = Field(default=Sex.UNKNOWN, description="ICH E2B(R3) D.5.")
    weight_kg: float | None = Field(default=None, gt=0, le=700, description="Body weight in kg.")
    relationship_to_facility: str | None = Field(
        default=None,
        max_length=200,
        description="Such as 'relative of staff'. Authority tier only.",
    )


class Reaction(Message):
    """One adverse event of the case."""

    term: str = Field(
        min_length=1,
        max_length=500,
        description="Preferred term, in the spelling of its dictionary. The event of a 2x2 table.",
    )
    verbatim: str | None = Field(
        default=None, max_length=2000, description="The reporter's own words."
    )
    code: str | None = Field(default=None, max_length=50, description="Code in the dictionary.")
    dictionary: str | None = Field(
        default=None, max_length=50, description="Such as `MedDRA`; null if not coded."
    )
    dictionary_version: str | None = Field(
        default=None, max_length=20, description="Version of the dictionary, such as `27.0`."
    )
    onset: date | None = Field(default=None, description="First day of the reaction.")
    onset_days: int | None = Field(
        default=None, ge=0, description="Days from the first dose to the onset."
    )
    outcome: Outcome = Field(default=Outcome.UNKNOWN, description="ICH E2B(R3) E.i.7.")
    baseline_disease: str | None = Field(
        default=None, max_length=500, description="What the patient had before, with its stage."
    )
    organism: str | None = Field(
        default=None, max_length=200, description="Organism cultured from the patient."
    )


class Link(Message):
    """A relation to another case."""

    kind: LinkKind = Field(description="How the two are related, seen from this case.")
    case_id: str = Field(min_length=1, max_length=200, description="The other case.")


class OtherId(Message):
    """A number under which an earlier sender knew the case (ICH E2B(R3) C.1.9.1.r)."""

    source: str | None = Field(
        default=None, max_length=200, description="Who gave the number (C.1.9.1.r.1)."
    )
    case_id: str = Field(min_length=1, max_length=200, description="The number (C.1.9.1.r.2).")


class Report(Message):
    """One version of one case: what was known about one patient on one day.

    A higher `version` replaces a lower one, whatever order they arrive in. Of two messages with the
    same version, the later `latest_received` holds, then a nullification over what it voids, then
    the higher `message_id`.
    """

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    case_id: str = Field(
        min_length=1,
        max_length=200,
        description="Identity of the case, the same in every version. The key on `pv.reports`.",
    )
    version: int = Field(
        default=1, ge=0, le=2**31 - 1, description="Number of this version; the highest holds."
    )
    message_id: str = Field(
        default="",
        max_length=200,
        description="The sender's number of this message; orders messages of one version.",
    )
    worldwide_id: str | None = Field(
        default=None, max_length=200, description="ICH E2B(R3) C.1.8.1, where the source has one."
    )
    source: str = Field(
        default="native", min_length=1, max_length=50, description="System the report came from."
    )
    sender: str | None = Field(
        default=None, max_length=200, description="Organisation that sent this version."
    )
    sender_case_id: str | None = Field(
        default=None,
        max_length=200,
        description="The sender's own number of the case (C.1.1), the same in every version.",
    )
    other_ids: tuple[OtherId, ...] = Field(
        default=(), max_length=100, description="Numbers of the case in earlier transmissions."
    )
    report_type: ReportType = Field(default=ReportType.UNKNOWN, description="ICH E2B(R3) C.1.3.")
    first_received: date = Field(
        ge=EARLIEST, description="Day the sender first received the case (C.1.4): its event time."
    )
    latest_received: date = Field(
        description="Day of the latest information in this version (C.1.5); it cannot be earlier."
    )
    revision: Revision | None = Field(
        default=None, description="Set if this version nullifies or amends the case."
    )
    reporter: Reporter = Field(default=Reporter(), description="The primary source.")
    occurrence_country: Country | None = Field(
        default=None, description="ISO 3166-1 alpha-2 of the country where the reaction occurred."
    )
    occurrence_subdivision: str | None = Field(
        default=None,
        min_length=4,
        max_length=6,
        description="ISO 3166-2 of the part of that country, such as `US-CA`; null if not stated.",
    )
    patient: Patient = Field(default=Patient(), description="The patient.")
    products: tuple[Product, ...] = Field(
        default=(), max_length=1000, description="Every product, suspect or not."
    )
    reactions: tuple[Reaction, ...] = Field(
        default=(), max_length=1000, description="Every adverse event."
    )
    seriousness: tuple[Seriousness, ...] = Field(
        default=(), max_length=6, description="Criteria met; empty means none stated."
    )
    verification: VerificationState = Field(
        default=VerificationState.VALID_ICSR, description="Verification state of the report."
    )
    links: tuple[Link, ...] = Field(
        default=(), max_length=1000, description="Relations to other cases."
    )
    payment: Payment = Field(default=Payment.UNKNOWN, description="Payer of the product.")
    release: Release | None = Field(
        default=None,
        description="The release of a source that this report is part of; null if the source does "
        "not publish its whole data again.",
    )
    followup_due: date | None = Field(
        default=None, description="Day by which more was asked for; null if nothing is open."
    )
    followup_attempts: tuple[date, ...] = Field(
        default=(), max_length=100, description="Days on which the source was asked."
    )

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.latest_received < self.first_received:
            msg = "latest_received must not be before first_received"
            raise RefusedValue(msg, RejectCode.DATES_OUT_OF_ORDER)
        return self

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        if (broken := broken_limit(self)) is not None:
            raise RefusedValue(broken, RejectCode.TOO_LONG)
        return self

    @property
    def is_nullified(self) -> bool:
        """Return whether this version nullifies the case."""
        return self.revision is not None and self.revision.kind is RevisionKind.NULLIFICATION
