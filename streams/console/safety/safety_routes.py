"""Routes of the safety pages: one subject, all rumours, and statements that readers add."""

from datetime import date
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BeforeValidator

from schemas.vocabulary import VerificationState
from streams.console.frame.forms import CheckedFrame, FormRefused
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.safety.known_copies import page_day
from streams.console.safety.lot_table import By
from streams.console.safety.page_words import PageWords, template_functions
from streams.console.safety.rumours import RumourTab, rumour_rows, tab_of
from streams.console.safety.safety_subjects import other_subjects
from streams.console.safety.statement import Draft, InvalidStatement, notice_of, state_after
from streams.console.safety.subject import AskedSubject, asked_subject
from streams.console.safety.subject_page import StatementForm, may_state, subject_values
from streams.delivery.api.tokens import Scope

__all__ = ["router"]

router = APIRouter()

AsOf = Annotated[
    date | None,
    BeforeValidator(lambda value: value or None),  # a form sends a field that was left empty
    Query(description="Last day that is known."),
]
Columns = Annotated[By, Query(description="Unit that the columns are of.")]
Added = Annotated[str, Query(max_length=300, description="Notice that was just added.")]
Typed = Annotated[str, Form(max_length=2000)]


@router.get("/rumours")
def rumours_page(frame: TheFrame, tab: RumourTab | None = None, as_of: AsOf = None) -> HTMLResponse:
    """Return all rumours and series of one state, and the other subjects."""
    words = PageWords.of(frame.language)
    day = page_day(frame.desk, frame.tier, as_of)
    rows = rumour_rows(frame.desk, frame.tier, as_of, day, words)
    counts = {one: sum(tab_of(row.state) is one for row in rows) for one in RumourTab}
    shown = tab or next((one for one in RumourTab if counts[one]), RumourTab.RUMOUR)
    return frame.page(
        "safety/rumours.html.j2",
        "rumours",
        {
            "day_of_page": day,
            "is_past": as_of is not None,
            "tab": shown,
            "counts": counts,
            "rows": [row for row in rows if tab_of(row.state) is shown],
            "n_rows": len(rows),
            "n_overdue": sum(row.overdue for row in rows),
            "others": other_subjects(frame.desk, frame.tier, as_of, frame.language),
            "as_of": as_of,
            **template_functions(frame),
        },
    )


@router.get("/safety/{subject}")
def subject_page(
    frame: TheFrame, subject: str, as_of: AsOf = None, by: Columns = By.CLINIC
) -> HTMLResponse:
    """Return the page of a subject: a lot, clinic, series, fatal case or rumour."""
    return _page(frame, _asked(frame, subject, as_of), by)


@router.get("/rumours/{subject}")
def rumour_page(
    frame: TheFrame, subject: str, as_of: AsOf = None, added: Added = ""
) -> HTMLResponse:
    """Return the page of a rumour or series."""
    asked = _asked(frame, subject, as_of)
    if not _is_rumour(asked):
        raise _not_found()
    return _page(frame, asked, By.CLINIC, added=added)


@router.post("/rumours/{subject}/statements", response_model=None)
def add_statement(
    frame: CheckedFrame,
    subject: str,
    step: Annotated[str, Form(pattern="^(name|add)$")] = "name",
    follows: Typed = "",
    by: Typed = "",
    reporter: Typed = "",
    said: Typed = "",
    source: Typed = "",
    evidence: Typed = "",
    party: Typed = "",
    case_ids: Typed = "",
    received: Typed = "",
) -> Response:
    """Name the state that would follow from a statement, or add the statement to the ledger.

    It is added only if that state was named before, and still follows.
    """
    form = {
        "by": by,
        "reporter": reporter,
        "said": said,
        "source": source,
        "evidence": evidence,
        "party": party,
        "case_ids": case_ids,
        "received": received,
    }
    with frame.request.app.state.statements:  # so that nobody adds one between check and addition
        return _stated(frame, subject, Draft.of(form), follows if step == "add" else None)


def _stated(frame: Frame, subject: str, draft: Draft, follows: str | None) -> Response:
    """Name the state that would follow; add the statement if it is the one named before.

    Parameters
    ----------
    follows
        The state that was named; None to name it.
    """
    asked = _asked(frame, subject, None)
    if not may_state(frame, asked):
        raise FormRefused(frame, "frame.refused_scope", detail=Scope.VERIFICATIONS_WRITE)
    service = frame.desk.service
    assert service.notices is not None
    try:
        notice = notice_of(draft, subject, reader=frame.who.reader, today=service.now().date())
    except InvalidStatement as error:
        form = StatementForm(draft, wrong=error.field, problem=error.problem)
        return _page(frame, asked, By.CLINIC, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    state = state_after(asked.known.notices, notice)
    if follows is None:
        return _page(frame, asked, By.CLINIC, StatementForm(draft, state))
    if follows != state.value:
        form = StatementForm(draft, state, conflict=follows in set(VerificationState))
        return _page(frame, asked, By.CLINIC, form, status=HTTPStatus.CONFLICT)
    service.notices.put(notice)
    address = f"/desk/rumours/{quote(subject, safe='')}?added={quote(notice.notice_id, safe='')}"
    return RedirectResponse(f"{address}#ledger", HTTPStatus.SEE_OTHER)


def _asked(frame: Frame, subject: str, as_of: date | None) -> AskedSubject:
    asked = asked_subject(frame.desk, frame.tier, subject, as_of)
    if asked is None:
        raise _not_found()
    return asked


def _is_rumour(asked: AskedSubject) -> bool:
    return bool(asked.known.notices) or any(
        signal.latest.get("verification") is not None for signal in asked.known.signals
    )


def _page(
    frame: Frame,
    asked: AskedSubject,
    by: By,
    form: StatementForm | None = None,
    *,
    added: str = "",
    status: int = HTTPStatus.OK,
) -> HTMLResponse:
    values = subject_values(frame, asked, by, form or StatementForm(), added)
    return frame.page("safety/subject.html.j2", "rumours", values, status)


def _not_found() -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, "no such subject")
