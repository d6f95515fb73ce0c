"""The form that adds a statement on a subject, and the state that would follow from it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date

from pydantic import ValidationError

from schemas.notice import Assertion, Notice, Verdict, VerificationEvent
from schemas.vocabulary import ReporterKind, VerificationState
from streams.core.safety.subjects import in_order_of_receipt, verification_state
from streams.delivery.api.bodies import NewVerification
from streams.delivery.api.problems import Problem

__all__ = ["REPORTERS", "SAID", "Draft", "InvalidStatement", "notice_of", "state_after"]

REPORTERS: tuple[ReporterKind, ...] = tuple(ReporterKind)
"""Kinds of who makes a statement, in the order of the form."""
SAID: tuple[str, ...] = (*(one.value for one in Assertion), *(one.value for one in Verdict))
"""What may be said, in the order of the form: assertions, then verdicts."""
_PARTY = {"yes": True, "no": False}
_MOST_IDS = 1000  # characters of the list of reports


class InvalidStatement(ValueError):
    """A form that cannot be taken.

    Parameters
    ----------
    field
        Name of the field to mend.
    problem
        Name of the text that says how.
    """

    def __init__(self, *, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of the form, as typed.

    Attributes
    ----------
    by
        Role of who says it; empty for the kind of the author.
    party
        `yes` or `no`: whether they are party to it; empty if not known.
    case_ids
        Reports that support a verdict, separated by blanks or commas.
    """

    by: str = ""
    reporter: str = ""
    said: str = ""
    source: str = ""
    evidence: str = ""
    party: str = ""
    case_ids: str = ""
    received: str = ""

    @classmethod
    def of(cls, form: Mapping[str, str]) -> "Draft":
        """Return the fields of a form, without blanks at their ends."""
        return cls(**{each.name: form.get(each.name, "").strip() for each in fields(cls)})


def notice_of(draft: Draft, subject_id: str, *, reader: str, today: date) -> Notice:
    """Return the notice that a form would be stored as, by the rules of the HTTP API.

    The same form of the same reader again is the same notice.

    Raises
    ------
    InvalidStatement
        If a field must be mended.
    """
    if draft.reporter not in set(ReporterKind):
        raise InvalidStatement(field="reporter", problem="reporter_missing")
    if draft.said not in SAID:
        raise InvalidStatement(field="said", problem="said_missing")
    if not draft.source:
        raise InvalidStatement(field="source", problem="source_missing")
    verdict = draft.said in set(Verdict)
    case_ids = tuple(draft.case_ids[:_MOST_IDS].replace(",", " ").split())
    if verdict and not (draft.evidence or case_ids):
        raise InvalidStatement(field="evidence", problem="evidence_missing")
    content = json.dumps([subject_id, asdict(draft)]).encode()
    try:
        received = date.fromisoformat(draft.received) if draft.received else None
    except ValueError as error:
        raise InvalidStatement(field="received", problem="received_wrong") from error
    try:
        asked = NewVerification(
            verification_id=f"desk-{hashlib.sha256(content).hexdigest()[:32]}",
            subject_id=subject_id,
            source=draft.source,
            reporter=ReporterKind(draft.reporter),
            received=received,
            verification=VerificationEvent(
                by=draft.by or draft.reporter,
                assertion=None if verdict else Assertion(draft.said),
                verdict=Verdict(draft.said) if verdict else None,
                evidence=draft.evidence or None,
                conflict_of_interest=_PARTY.get(draft.party),
                case_ids=case_ids,
            ),
        )
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][-1])
        known = {each.name for each in fields(draft)}
        raise InvalidStatement(
            field=field if field in known else "source", problem="too_long"
        ) from error
    try:
        return asked.notice(by=f"desk:{reader}", today=today)
    except Problem as error:
        raise InvalidStatement(field="received", problem="received_wrong") from error


def state_after(known: Sequence[Notice], notice: Notice) -> VerificationState:
    """Return the state of a subject once a notice is added to those that are known."""
    return verification_state(in_order_of_receipt([*known, notice]))
