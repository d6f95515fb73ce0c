"""Routes of the operations page, and of pausing and resuming deliveries on it."""

from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from schemas.errors import InputError
from schemas.subscription import Tier
from schemas.suppressed import SuppressionReason
from streams.console.access.visits import VisitKind
from streams.console.frame.forms import CheckedFrame, FormRefused
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.frame.texts import texts_in
from streams.console.operations.false_alerts import ever_alerted, now_alarms, promised
from streams.console.operations.operations import (
    Operations,
    delivery_rows,
    may_operate,
    month_rows,
    months_picture,
)

__all__ = ["TheOperations", "router"]

router = APIRouter()
_OPERATOR = "paused by the operator"


def _operations(request: Request) -> Operations:
    found: Operations = request.app.state.operations
    return found


TheOperations = Annotated[Operations, Depends(_operations)]


@router.get("/operations")
def operations_page(
    frame: TheFrame,
    operations: TheOperations,
    done: Literal["pause", "resume"] | None = None,
    of: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Return the page: all of it to authorities, to consumers their own deliveries."""
    if frame.tier is Tier.PUBLIC:
        return frame.refusal(HTTPStatus.NOT_FOUND, "frame.not_there")
    service = frame.desk.service
    may = may_operate(frame)
    with service.outbox() as outbox:
        latency = outbox.latency(None if may else frame.who.reader)
    values: dict[str, Any] = {
        "rows": delivery_rows(frame),
        "latency": latency,
        "may_operate": may,
        "whole": frame.tier is Tier.AUTHORITY,
        "done": done,
        "of": of,
    }
    if frame.tier is Tier.AUTHORITY:
        values |= _authority_values(frame, operations)
    return frame.page("operations.html.j2", "operations", values)


def _authority_values(frame: Frame, operations: Operations) -> dict[str, Any]:
    desk = frame.desk
    t = texts_in(frame.language)
    stages = operations.stages()
    revisions = operations.published.now()
    reasons = {one.value: t(f"operations.reason_{one.value}") for one in SuppressionReason}
    suppressed = desk.suppressed
    kinds, rows = month_rows(revisions)
    return {
        "facts": operations.facts(stages, revisions),
        "stages": stages,
        "revisions": revisions,
        "months": months_picture(revisions, frame.language.value),
        "month_kinds": kinds,
        "month_rows": rows,
        "now_alarms": now_alarms(revisions),
        "ever_alerted": ever_alerted(revisions, desk.intake.controls),
        "promised": promised(desk.intake.rules),
        "n_suppressed": None if suppressed is None else suppressed.by_reason.total(),
        "suppressed": operations.suppressed(
            reasons, t("operations.suppressed_title"), frame.language.value
        ),
        "by_reason": [] if suppressed is None else suppressed.by_reason.most_common(),
        "n_rejected": None if desk.intake.n_messages is None else desk.intake.n_rejected,
        "on_topic": desk.rejects is not None,
        "rules": desk.intake.rules,
    }


@router.post("/operations/deliveries")
def act_on_delivery(
    frame: CheckedFrame,
    act: Annotated[Literal["pause", "resume"], Form()],
    name: Annotated[str, Form(max_length=64)] = "",
    subscriber: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Pause or resume the deliveries of a subscriber, as the operator."""
    if not may_operate(frame):
        raise FormRefused(frame, "frame.refused_scope", detail="operations:write")
    with frame.desk.service.outbox() as outbox:
        try:
            if act == "pause":
                outbox.pause(name, _OPERATOR, subscriber)
            else:
                outbox.resume(name, subscriber)
        except InputError as error:
            raise FormRefused(
                frame, "frame.refused_rule", HTTPStatus.NOT_FOUND, str(error)
            ) from error
    frame.note(VisitKind.CHANGED, f"{act} subscription {name!r} of {subscriber!r}, as operator")
    query = urlencode({"done": act, "of": name})
    return frame.see_other(f"/desk/operations?{query}#deliveries")
