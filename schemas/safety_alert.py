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
from schemas.priority import Priority
from schemas.vocabulary import VerificationState

__all__ = [
    "SAFETY_CAVEAT",
    "AlertCategory",
    "ClusterRuleMet",
    "EndReason",
    "PreviousFacts",
    "SafetyAlert",
    "SafetyAlertKind",
    "SafetyChange",
    "Stated",
    "SubjectKind",
]

SAFETY_CAVEAT = (
    "This describes what was reported. It does not show that the product caused the event. "
    "A rumour is not a report, and a denial is not a refutation."
)
"""The limitation stated in every safety alert."""
_CAVEAT_OF_1_0 = (
    "This says what was reported, not that the product caused it. A rumour is not a report, "
    "and a denial is not a refutation."
)
"""Default of the contract, which a minor version does not change; every alert states its own."""


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


class SubjectKind(StrEnum):
    """Kind of the subject of a safety alert."""

    LOT = "lot"
    FACILITY = "facility"
    MANUFACTURER = "manufacturer"
    DISTRIBUTOR = "distributor"
    CASE = "case"
    NOTICE = "notice"
    SERIES = "series"  # notices that describe several patients
    PERSON = "person"


class EndReason(StrEnum):
    """Reason why a safety alert ended."""

    CASES_WITHDRAWN = "cases_withdrawn"  # nullified, merged, or without the product by amendment
    CASES_AMENDED = "cases_amended"  # still counted, and no longer what the rule asks for
    SHARED_LOT = "shared_lot"  # one lot cluster holds all its cases
    NO_LONGER_FATAL = "no_longer_fatal"
    SETTLED = "settled"  # by a verdict
    ANSWERED = "answered"
    DUE_DAY_MOVED = "due_day_moved"
    EXPOSURE_ENDED = "exposure_ended"
    WITHIN_RULES = "within_rules"
    SOURCE_WITHDRAWN = "source_withdrawn"  # its notices no longer state it


class SafetyChange(StrEnum):
    """Fact that differs from the previous revision."""

    CASES = "cases"
    PATIENTS = "patients"
    FACILITIES = "facilities"
    LOTS = "lots"
    STATE = "state"
    STATEMENTS = "statements"
    COUNTRIES = "countries"
    TERMS = "terms"
    DAYS = "days"
    REPORTERS = "reporters"
    FLAGS = "flags"
    ADVICE = "advice"
    VOLUME = "volume"
    SUBJECTS = "subjects"
    DUE_DAY = "due_day"
    OTHER = "other"


class Stated(Message):
    """One statement on the truth of the subject."""

    on: date = Field(description="Day it was received.")
    by: str = Field(description="Role of who said so.")
    said: str = Field(description="What they said: an assertion, or a verdict.")


class ClusterRuleMet(Message):
    """The rule that a cluster meets, or met when it was published last."""

    n_cases: int = Field(ge=2, description="Cases that make a cluster.")
    within_days: int = Field(ge=0, description="Most days between the first and the last of them.")
    family: str = Field(description="Hazard family of their reactions.")
    unit: SubjectKind = Field(description="What they share.")
    serious_only: bool = Field(default=True, description="Whether only serious cases count.")


class PreviousFacts(Message):
    """Counts and states of the previous revision, for what a revision says of a change."""

    revision: int = Field(ge=1, description="Its number.")
    kind: SafetyAlertKind = Field(description="Its kind; after an end the alert is open again.")
    evaluated_on: date = Field(description="Its event-time day.")
    n_cases: int = Field(ge=0, description="Cases.")
    n_verified: int = Field(ge=0, description="Patients with a valid report.")
    patients_at_least: int | None = Field(default=None, description="Least number of patients.")
    n_lots: int | None = Field(default=None, description="Lots. Authority tier.")
    n_facilities: int | None = Field(default=None, description="Facilities. Authority tier.")
    verification: VerificationState | None = Field(default=None, description="Its state.")
    stated: tuple[Stated, ...] = Field(default=(), description="Its statements.")


class SafetyAlert(Message):
    """One revision of one safety alert.

    Facility pseudonyms, lots and onsets are for the authority tier; a public copy has no terms or
    countries either.
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
    headline: str | None = Field(
        default=None,
        description="What happened, in one line: the first sentence of `sentence`. Null in alerts "
        "published before the field existed.",
    )
    sentence: str = Field(description="The alert in plain words.")
    caveat: str = Field(default=_CAVEAT_OF_1_0, description="Limits of what the alert states.")
    subject: str = Field(description="The lot, facility, rumour or case it is about.")
    subject_kind: SubjectKind | None = Field(default=None, description="Kind of the subject.")
    product_class: str | None = Field(default=None, description="Class of the products.")
    terms: tuple[str, ...] = Field(default=(), description="Reactions, as terms.")
    families: tuple[str, ...] = Field(default=(), description="Hazard families of them.")
    countries: tuple[str, ...] = Field(default=(), description="ISO 3166-1 alpha-2.")
    case_ids: tuple[str, ...] = Field(
        default=(), description="Cases the alert is based on, sorted."
    )
    n_cases: int = Field(default=0, ge=0, description="Number of those cases.")
    n_serious: int = Field(default=0, ge=0, description="Of them, serious ones.")
    n_fatal: int = Field(
        default=0,
        ge=0,
        description="Of them, fatal ones; of a rumour, counted fatal cases that are part of it.",
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
    n_sources: int | None = Field(
        default=None,
        ge=0,
        description="Of a rumour: notices that report it and repeat no other one; else null.",
    )
    part_of: tuple[str, ...] = Field(
        default=(), description="Of a fatal case: the subjects that it is part of."
    )
    fatal_case_ids: tuple[str, ...] = Field(
        default=(),
        description="Of a rumour of deaths: counted fatal cases that are part of it. They are not "
        "among `case_ids`; each has its own `FATAL_CASE`.",
    )
    advised_by: str | None = Field(
        default=None, description="Role of who advised to stop the product; null if nobody did."
    )
    due_since: date | None = Field(
        default=None, description="Day by which an overdue answer was asked for."
    )
    volume_ml: float | None = Field(
        default=None, ge=0, description="Largest volume given within `within_hours` [mL]."
    )
    limit_ml: float | None = Field(default=None, gt=0, description="Limit of the rule [mL].")
    within_hours: float | None = Field(
        default=None, gt=0, description="Hours over which volumes add up."
    )
    athlete_stated: bool | None = Field(
        default=None, description="Whether a notice states that the person is an athlete."
    )
    rule: ClusterRuleMet | None = Field(
        default=None, description="Rule of a cluster; null for other categories."
    )
    first_day: date | None = Field(
        default=None,
        description="First onset, or receipt where no onset is known. Of cases for the authority "
        "tier alone.",
    )
    last_day: date | None = Field(default=None, description="Last one, likewise.")
    lots: tuple[str, ...] = Field(default=(), description="Lots, normalised. Authority tier.")
    facilities: tuple[str, ...] = Field(default=(), description="Pseudonyms. Authority tier.")
    same_cases: tuple[str, ...] = Field(
        default=(),
        description="Other lots, facilities, manufacturers or distributors whose cluster has the "
        "same cases: the first 20 by name. Authority tier.",
    )
    n_same_cases: int | None = Field(
        default=None,
        ge=0,
        description="Number of all of these; no other alert names them, unless it was open when "
        "their cases became the same. Null: no cluster. Authority tier.",
    )
    flags: tuple[str, ...] = Field(
        default=(),
        description="What the reader has to know: `indication_confounding`, `late`, `post_notice`, "
        "`lot_missing`, `lot_in_other_letters` and others.",
    )
    duty: tuple[str, ...] = Field(
        default=(),
        description="Which duty to report exists in each country, and whose; the last line "
        "names the law table.",
    )
    law_version: str | None = Field(default=None, description="Of the table `duty` is from.")
    was: PreviousFacts | None = Field(
        default=None, description="The previous revision; null in the first one."
    )
    changes: tuple[SafetyChange, ...] = Field(
        default=(), description="Facts that differ from the previous revision."
    )
    ended_because: EndReason | None = Field(
        default=None, description="Why it ended; null while it is open."
    )
    ended_on: date | None = Field(
        default=None, description="Day an answer or verdict ended it; null if no notice did."
    )
    priority: Priority | None = Field(
        default=None, description="Order of work, comparable with that of other alerts."
    )
    next_step: str | None = Field(default=None, description="What to do next, and by which day.")
    due: date | None = Field(
        default=None,
        description="Day by which the next step is due. While the alert is open, a later revision "
        "may bring it forward, never postpone it.",
    )
    own_due: date | None = Field(
        default=None, description="Day by which the next step of this revision alone is due."
    )
    evaluated_on: date = Field(description="Event-time day of the evaluation.")
    as_of: tuple[InputOffset, ...] = Field(description="Input it was made from.")
    code_version: str = Field(description="Version of Tocsin that computed it.")
    assessment: Assessment | None = Field(
        default=None,
        description="Assessment state of the signal. Null on `pv.alerts`; filled in for "
        "the authority tier alone, in what an installation with an audit log gives out.",
    )
