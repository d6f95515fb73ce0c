"""One revision of a safety alert that is no disproportionality: on a lot, a clinic or a rumour.

It travels on `pv.alerts` beside `schemas.alert.Alert`; `category` tells the two apart.
"""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.alert import InputOffset
from schemas.base import Message
from schemas.decision import Assessment
from schemas.notice import Patients
from schemas.vocabulary import VerificationState

__all__ = ["SAFETY_CAVEAT", "AlertCategory", "SafetyAlert", "SafetyAlertKind", "Stated"]

SAFETY_CAVEAT = (
    "This says what was reported, not that the product caused it. A rumour is not a report, "
    "and a denial is not a refutation."
)
"""The limitation stated in every safety alert."""


class AlertCategory(StrEnum):
    """Category of a safety alert."""

    LOT_CLUSTER = "LOT_CLUSTER"
    FACILITY_CLUSTER = "FACILITY_CLUSTER"
    MANUFACTURER_CLUSTER = "MANUFACTURER_CLUSTER"
    DISTRIBUTOR_CLUSTER = "DISTRIBUTOR_CLUSTER"
    CASE_SERIES = "CASE_SERIES"
    UNVERIFIED_FATAL = "UNVERIFIED_FATAL"
    FATAL_CASE = "FATAL_CASE"
    ONGOING_EXPOSURE = "ONGOING_EXPOSURE"
    USAGE_RULE = "USAGE_RULE"
    FOLLOW_UP_OVERDUE = "FOLLOW_UP_OVERDUE"


class SafetyAlertKind(StrEnum):
    """Change since the previous revision."""

    NEW = "new"
    STRENGTHENED = "strengthened"  # more patients, lots, facilities or sources
    WEAKENED = "weakened"  # fewer
    UPDATE = "update"  # other facts
    RETRACTION = "retraction"  # its cases or notices were withdrawn
    CLOSED = "closed"  # it was settled, or answered


class Stated(Message):
    """One statement on the truth of the subject."""

    on: date = Field(description="Day it was received.")
    by: str = Field(description="Role of who said so.")
    said: str = Field(description="What they said: an assertion, or a verdict.")


class SafetyAlert(Message):
    """One revision of one safety alert.

    Facility pseudonyms and lots are for the authority tier; a public copy has none.
    """

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    category: AlertCategory = Field(description="What it is about.")
    alert_id: str = Field(
        description="Unique to this revision, derived from signal key and revision number."
    )
    signal_key: str = Field(
        description="The same in every revision: category and subject, percent-encoded, joined by "
        "`|`."
    )
    revision: int = Field(ge=1, description="1, 2, 3 ... within the signal key, without gaps.")
    kind: SafetyAlertKind = Field(description="What happened.")
    urgent: bool = Field(description="Whether it bypasses every digest.")
    reason: str = Field(description="Why this revision was published, in one line.")
    sentence: str = Field(description="The alert in plain words.")
    caveat: str = Field(default=SAFETY_CAVEAT, description="Limits of what the alert states.")
    subject: str = Field(description="The lot, facility, rumour or case it is about.")
    product_class: str | None = Field(default=None, description="Class of the products.")
    terms: tuple[str, ...] = Field(default=(), description="Reactions, as terms.")
    families: tuple[str, ...] = Field(default=(), description="Hazard families of them.")
    countries: tuple[str, ...] = Field(default=(), description="ISO 3166-1 alpha-2.")
    case_ids: tuple[str, ...] = Field(
        default=(), description="Cases the alert is based on, sorted."
    )
    patients: Patients | None = Field(default=None, description="How many; null if not said.")
    n_verified: int = Field(default=0, ge=0, description="Patients with a valid report.")
    n_by_professional: int = Field(
        default=0, ge=0, description="Of those, the ones reported by a health professional."
    )
    verification: VerificationState | None = Field(
        default=None, description="Verification state; null for counted cases."
    )
    stated: tuple[Stated, ...] = Field(
        default=(), description="Statements with their sources, in order."
    )
    first_day: date | None = Field(
        default=None, description="First onset, or receipt where no onset is known."
    )
    last_day: date | None = Field(default=None, description="Last one.")
    lots: tuple[str, ...] = Field(default=(), description="Lots, normalised. Authority tier.")
    facilities: tuple[str, ...] = Field(default=(), description="Pseudonyms. Authority tier.")
    flags: tuple[str, ...] = Field(
        default=(),
        description="What the reader has to know: `indication_confounding`, `late`, `post_notice`, "
        "`lot_missing` and others.",
    )
    duty: tuple[str, ...] = Field(
        default=(), description="Which duty to report exists in each country, and whose."
    )
    law_version: str | None = Field(default=None, description="Of the table `duty` is from.")
    evaluated_on: date = Field(description="Event-time day of the evaluation.")
    as_of: tuple[InputOffset, ...] = Field(description="Input it was made from.")
    code_version: str = Field(description="Version of Tocsin that computed it.")
    assessment: Assessment | None = Field(
        default=None,
        description="Assessment state of the signal. Null on `pv.alerts`; filled in for "
        "the authority tier alone, in what an installation with an audit log gives out.",
    )
