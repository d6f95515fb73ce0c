"""Routes for decisions about signals, and for verifications of rumours."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from schemas.alert import Alert
from schemas.decision import AuditEntry, Decision
from schemas.errors import InputError
from schemas.subscription import Tier
from streams.core.signals.signal_key import near_keys
from streams.delivery.api.bodies import NewDecision, NewVerification, body_of, described
from streams.delivery.api.declared_problems import WITH_BODY, WITH_TOKEN, problems
from streams.delivery.api.guard import needs, the_service
from streams.delivery.api.problems import Problem
from streams.delivery.api.read_model import ReadModel
from streams.delivery.api.response_schemas import LoggedDecision
from streams.delivery.api.service import Service
from streams.delivery.api.tokens import Scope, Token

__all__ = ["logged_decision", "router"]

router = APIRouter(tags=["assessment"])

TheService = Annotated[Service, Depends(the_service)]


class Logged(BaseModel):
    """A decision as an entry of the audit log."""

    entry: LoggedDecision = Field(
        description="The entry: numbered, dated and chained to the previous one."
    )


class Kept(BaseModel):
    """A verification as the notice that was stored."""

    notice: dict[str, Any] = Field(description="The notice, as stored.")


@router.post(
    "/signals/{signal_key}/decisions",
    status_code=201,
    response_model=Logged,
    responses=problems({*WITH_TOKEN, *WITH_BODY, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}),
    openapi_extra=described(NewDecision),
)
def decide_signal(
    service: TheService,
    token: Annotated[Token, Depends(needs(Scope.DECISIONS_WRITE))],
    asked: Annotated[NewDecision, Depends(body_of(NewDecision))],
    signal_key: str,
) -> Logged:
    """Move a signal to a new state. A transition that is not allowed is refused with the reason."""
    entry = logged_decision(service, token.tier, signal_key, asked, by=token.subscriber)
    return Logged(entry=entry.model_dump(mode="json", by_alias=True))


def logged_decision(
    service: Service,
    tier: Tier,
    signal_key: str,
    asked: NewDecision,
    *,
    by: str,
    seen: int | None = None,
) -> AuditEntry:
    """Log a decision on a signal, of the API or of the desk.

    Parameters
    ----------
    tier
        Tier of the one who decides: its keys are named if there is no such signal.
    by
        Who decides.
    seen
        Number of the last entry about the signal that was seen; None if it is not compared.

    Raises
    ------
    Problem
        404 if there is no such signal, 409 if the step is not allowed or another came first.
    """
    with service.model() as model:
        known = model.alerts_of(signal_key)
        if not known:
            raise Problem(HTTPStatus.NOT_FOUND, _unknown(model, tier, signal_key))
        successor = asked.superseded_by
        if successor is not None and not model.alerts_of(successor):
            problem = f"superseded_by: {_unknown(model, tier, successor)}"
            raise Problem(HTTPStatus.CONFLICT, problem)
    if asked.alert_id is not None and asked.alert_id not in {alert.alert_id for alert in known}:
        raise Problem(HTTPStatus.CONFLICT, "alert_id: must be a revision of this signal")
    # If this revision reports a burst, the decision must address it; `due` runs from it.
    revision = next((alert for alert in known if alert.alert_id == asked.alert_id), known[-1])
    burst = revision.burst if isinstance(revision, Alert) else None
    decision = Decision(
        signal_key=known[-1].signal_key,
        to=asked.to,
        by=by,
        reason=asked.reason,
        alert_id=revision.alert_id,
        n_burst=None if burst is None else burst.n_cases,
        superseded_by=asked.superseded_by,
        assignee=asked.assignee,
        meaning=asked.meaning,
    )
    try:
        return service.audit.decide(decision, service.now(), seen=seen)
    except InputError as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error


def _unknown(model: ReadModel, tier: Tier, signal_key: str) -> str:
    near = near_keys(signal_key, model.keys(tier))
    return "no such signal" + (f"; near it: {', '.join(near)}" if near else "")


@router.post(
    "/verifications",
    status_code=201,
    response_model=Kept,
    responses=problems({*WITH_TOKEN, *WITH_BODY, HTTPStatus.NOT_IMPLEMENTED}),
    openapi_extra=described(NewVerification),
)
def add_verification(
    service: TheService,
    token: Annotated[Token, Depends(needs(Scope.VERIFICATIONS_WRITE))],
    asked: Annotated[NewVerification, Depends(body_of(NewVerification))],
) -> Kept:
    """Report a verification event of a rumour, or its outcome. It is stored as a notice."""
    if service.notices is None:
        raise Problem(HTTPStatus.NOT_IMPLEMENTED, "this server is not configured to store notices")
    notice = asked.notice(by=token.subscriber, today=service.now().date())
    service.notices.put(notice)
    return Kept(notice=notice.model_dump(mode="json", exclude_none=True))
