"""Route of decisions on a signal: what the form posts, and the page that answers it."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from schemas.alert import Alert
from schemas.decision import SignalState, SignatureMeaning
from streams.console.frame.forms import CheckedFrame
from streams.console.frame.rendering import Frame
from streams.console.signal.asked import AskedSignal, asked_signal
from streams.console.signal.decision_form import Typed, decision_form, problems_of
from streams.console.signal.difference import difference
from streams.console.signal.measures_table import Comparator
from streams.console.signal.signal_page import addresses, safety_values, signal_values
from streams.delivery.api.assessment_routes import logged_decision
from streams.delivery.api.bodies import NewDecision
from streams.delivery.api.problems import Problem
from streams.delivery.api.tokens import Scope

__all__ = ["router"]

router = APIRouter(prefix="/signals/{key}")

Field = Annotated[str, Form()]


@router.post("/decisions")
def decide(
    frame: CheckedFrame,
    key: str,
    alert_id: Field,
    seen: Annotated[int, Form(ge=0)],
    to: Field = "",
    reason: Field = "",
    meaning: Field = "",
    assignee: Field = "",
    superseded_by: Field = "",
    reader: Field = "",
) -> Response:
    """Log a decision on a revision, then show the entry; refuse it if something came first."""
    asked = asked_signal(frame.desk, frame.tier, key)
    if Scope.DECISIONS_WRITE not in frame.who.scopes:
        raise HTTPException(HTTPStatus.FORBIDDEN, "the reader must have the right to decide")
    typed = Typed(
        to=to,
        reason=reason,
        meaning=meaning,
        assignee=assignee.strip(),
        superseded_by=superseded_by.strip(),
        reader=frame.who.reader or " ".join(reader.split()),
        alert_id=alert_id,
        seen=seen,
    )
    form = decision_form(asked, typed)
    if (alert_id, seen) != (form.typed.alert_id, form.typed.seen):
        return _refused(frame, asked, typed, "")
    if problems := problems_of(typed, form):
        return _page(frame, asked, typed, problems, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        entry = logged_decision(
            frame.desk.service,
            frame.tier,
            asked.alert.signal_key,
            NewDecision(
                to=SignalState(to),
                reason=reason,
                alert_id=alert_id,
                superseded_by=typed.superseded_by or None,
                assignee=typed.assignee or None,
                meaning=SignatureMeaning(meaning),
            ),
            by=typed.reader,
            seen=seen,
        )
    except ValidationError:  # a text beyond its length, which the form of a browser cannot send
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "a field is too long") from None
    except Problem as problem:
        return _refused(frame, asked_signal(frame.desk, frame.tier, key), typed, problem.detail)
    return frame.see_other(
        f"{addresses(asked)['address']}?signed={entry.number}",
        replace(frame.session, reader=frame.session.reader or typed.reader),
    )


def _refused(frame: Frame, asked: AskedSignal, typed: Typed, detail: str) -> HTMLResponse:
    """Return the page with what came first on top, and what was typed in the form."""
    return _page(frame, asked, typed, {}, HTTPStatus.CONFLICT, detail)


def _page(
    frame: Frame,
    asked: AskedSignal,
    typed: Typed,
    problems: dict[str, str],
    status: HTTPStatus,
    detail: str = "",
) -> HTMLResponse:
    alert = asked.alert
    decided_on = next((one for one in asked.known if one.alert_id == typed.alert_id), None)
    newer = isinstance(decided_on, Alert) and decided_on is not alert
    values = {
        "refused": status is HTTPStatus.CONFLICT,
        "refused_detail": detail,
        "entries_since": [entry for entry in asked.entries if entry.number > typed.seen],
        "form": replace(decision_form(asked, typed), problems=problems),
    }
    if not isinstance(alert, Alert):
        values |= safety_values(frame, asked)
        return frame.page("safety.html.j2", "worklist", {**values, "stale": None}, status)
    values["stale"] = (
        difference(decided_on, alert, frame.language)
        if newer and isinstance(decided_on, Alert)
        else None
    )
    shown = signal_values(frame, asked, Comparator.ALL)
    return frame.page("signal.html.j2", "worklist", {**shown, **values}, status)
