"""One step of a signal's assessment, as it stands in the audit log."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.base import Message

__all__ = ["GENESIS", "Assessment", "AuditEntry", "Decision", "SignalState"]

GENESIS = "0" * 64
"""What the first entry of an audit log follows."""


class SignalState(StrEnum):
    """Where the assessment of a signal stands; how far its reports are verified is another axis.

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


class Decision(Message):
    """What somebody decided about a signal, and why."""

    signal_key: str = Field(min_length=1, max_length=2000, description="As alerts have it.")
    to: SignalState = Field(description="The state it goes to.")
    by: str = Field(min_length=1, max_length=200, description="Who decided: a person's identity.")
    reason: str = Field(default="", max_length=4000, description="Why; some steps must say.")
    alert_id: str | None = Field(
        default=None, max_length=100, description="The revision it was decided on."
    )
    n_burst: int | None = Field(
        default=None,
        ge=1,
        exclude_if=lambda n: n is None,  # logs that were written before are as they were
        description="Cases of the burst that the revision tells of; null if of none.",
    )
    superseded_by: str | None = Field(
        default=None, max_length=2000, description="Key of the signal that takes its place."
    )
    assignee: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        exclude_if=lambda name: name is None,  # as above
        description="Who takes care of the signal from now on; null: whoever did before.",
    )


class AuditEntry(Message):
    """A decision as logged: numbered, dated, and chained to the entry before it by its hash."""

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    number: int = Field(ge=1, description="1, 2, 3 ... without gaps.")
    at: AwareDatetime = Field(description="When it was logged, in UTC.")
    frm: SignalState = Field(alias="from", description="The state the signal was in.")
    decision: Decision = Field(description="What was decided.")
    previous_hash: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="Hash of the entry before; zeros in the first."
    )
    hash: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of the entry as JSON, keys sorted, without this field.",
    )


class Assessment(Message):
    """Where the assessment of a signal stands: the sum of its entries in an audit log."""

    state: SignalState = Field(description="`detected` until somebody takes a step.")
    since: AwareDatetime | None = Field(
        description="When the last step was logged, in UTC; null while nobody has taken one."
    )
    assignee: str | None = Field(description="Who takes care of the signal; null: nobody.")
    decided_by: str | None = Field(
        description="Who took the last step, and answers for it; null while nobody has."
    )
