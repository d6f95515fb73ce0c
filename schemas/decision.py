"""One step of a signal's assessment, as recorded in the audit log."""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.base import Message

__all__ = [
    "GENESIS",
    "Assessment",
    "AuditEntry",
    "Decision",
    "SignalState",
    "SignatureMeaning",
]

GENESIS = "0" * 64
"""Previous hash of the first entry of an audit log."""


class SignalState(StrEnum):
    """Assessment state of a signal: the assessor's, whether or not its rules are on.

    It is independent of the signal status (on or off) and of the verification state of reports.

    After GVP module IX: detection, validation, confirmation, prioritisation, assessment.
    """

    DETECTED = "detected"
    UNDER_TRIAGE = "under_triage"
    VALIDATED = "validated"
    NOT_VALIDATED = "not_validated"
    CONFIRMED = "confirmed"
    NOT_CONFIRMED = "not_confirmed"
    PRIORITISED = "prioritised"
    UNDER_ASSESSMENT = "under_assessment"
    CLOSED = "closed"
    MONITORING = "monitoring"
    REOPENED = "reopened"
    RETRACTED = "retracted"
    SUPERSEDED = "superseded"


class SignatureMeaning(StrEnum):
    """What a signature under a decision states of the one who signs (21 CFR 11.50)."""

    ASSESSED = "assessed"  # has read the cases, and decides
    REVIEWED = "reviewed"  # has checked the assessment of another
    APPROVED = "approved"  # answers for the decision


class Decision(Message):
    """An assessor's decision about a signal, with its reason."""

    signal_key: str = Field(min_length=1, max_length=2000, description="Signal key, as in alerts.")
    to: SignalState = Field(description="The new assessment state.")
    by: str = Field(min_length=1, max_length=200, description="Who decided: a person's identity.")
    reason: str = Field(
        default="", max_length=4000, description="Reason; mandatory for some steps."
    )
    alert_id: str | None = Field(
        default=None, max_length=100, description="The revision it was decided on."
    )
    n_burst: int | None = Field(
        default=None,
        ge=1,
        exclude_if=lambda n: n is None,  # so that hashes of existing logs do not change
        description="Cases of the burst in the revision; null without a burst.",
    )
    superseded_by: str | None = Field(
        default=None, max_length=2000, description="Key of the signal that replaces it."
    )
    assignee: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        exclude_if=lambda name: name is None,  # as above
        description="New assignee of the signal; null: unchanged.",
    )
    meaning: SignatureMeaning | None = Field(
        default=None,
        exclude_if=lambda meaning: meaning is None,  # as above
        description="Meaning of the signature; null: none was stated.",
    )


class AuditEntry(Message):
    """A decision as logged: numbered, dated, and chained to the entry before it by its hash."""

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    number: int = Field(ge=1, description="1, 2, 3 ... without gaps.")
    at: AwareDatetime = Field(description="When it was logged, in UTC.")
    frm: SignalState = Field(alias="from", description="The assessment state before.")
    decision: Decision = Field(description="What was decided.")
    previous_hash: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="Hash of the entry before; zeros in the first."
    )
    hash: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of the entry as JSON, keys sorted, without this field.",
    )


class Assessment(Message):
    """Current assessment of a signal, derived from its entries in an audit log."""

    state: SignalState = Field(description="Assessment state; `detected` until the first decision.")
    since: AwareDatetime | None = Field(
        description="When the last step was logged, in UTC; null while nobody has taken one."
    )
    assignee: str | None = Field(description="Assignee of the signal; null: unassigned.")
    decided_by: str | None = Field(
        description="Who took the last step, and answers for it; null while nobody has."
    )
    decided_at: AwareDatetime | None = Field(
        default=None,
        description="When the last decision on a revision was logged, in UTC: the last step to "
        "another state than `under_triage` and `reopened`, which begin the work; null: none was.",
    )
    decided_alert_id: str | None = Field(
        default=None, description="The revision that this decision names; null if it names none."
    )
    due: date | None = Field(
        default=None,
        description="Day by which somebody must decide: the earliest `own_due` of the revisions "
        "after that decision, since the signal began, ended or was reopened; null if nobody must.",
    )
    overdue: bool = Field(
        default=False,
        description="Whether `due` is over: on the day this was given out by a service, on the "
        "last evaluated day in an export.",
    )
