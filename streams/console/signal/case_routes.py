"""Routes of the cases of a signal: line listing, CSV, and differences of their versions."""

from http import HTTPStatus

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, Response

from streams.console.cases.case_access import require_cases
from streams.console.cases.case_sheet import case_sheet
from streams.console.cases.case_versions import versions_differ
from streams.console.cases.listing import CaseRow, listed
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.signal.asked import Asked, asked_signal
from streams.console.signal.changes import changes
from streams.console.signal.evidence import evidence_of
from streams.console.signal.signal_page import (
    AsOf,
    addresses,
    known_versions,
    name_values,
    onset_days,
)

__all__ = ["router"]

router = APIRouter(prefix="/signals/{key}")


@router.get("/cases")
def cases_page(frame: TheFrame, key: str, as_of: AsOf = None) -> HTMLResponse:
    """Return the line listing of the last revision that was known."""
    asked = asked_signal(frame.desk, frame.tier, key, as_of=as_of)
    require_cases(frame)
    return _cases(frame, asked)


@router.get("/r/{number}/cases")
def cases_of_revision(frame: TheFrame, key: str, number: int) -> HTMLResponse:
    """Return the line listing of an earlier revision."""
    asked = asked_signal(frame.desk, frame.tier, key, revision=number)
    require_cases(frame)
    return _cases(frame, asked)


@router.get("/cases.csv")
def cases_as_csv(frame: TheFrame, key: str, as_of: AsOf = None) -> Response:
    """Return the line listing as CSV."""
    asked = asked_signal(frame.desk, frame.tier, key, as_of=as_of)
    require_cases(frame)
    return Response(
        case_sheet(_rows(frame, asked)),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="cases.csv"'},
    )


@router.get("/cases/{case_id}/diff/{before}..{now}")
def versions_page(
    frame: TheFrame, key: str, case_id: str, before: int, now: int, as_of: AsOf = None
) -> HTMLResponse:
    """Return what a follow-up changed in a case, field by field."""
    asked = asked_signal(frame.desk, frame.tier, key, as_of=as_of)
    require_cases(frame)
    alert = asked.statistical
    if not any(case_id in one.case_ids for one in asked.known):
        raise HTTPException(HTTPStatus.NOT_FOUND, "no such case of the signal")
    known = known_versions(frame.desk, alert, asked.day, [case_id])
    values = {
        **addresses(asked),
        **name_values(alert, frame.language),
        "asked": asked,
        "differ": versions_differ(known, before, now),
    }
    return frame.page("case_versions.html.j2", "worklist", values)


def _cases(frame: Frame, asked: Asked) -> HTMLResponse:
    alert = asked.statistical
    values = {
        **addresses(asked),
        **name_values(alert, frame.language),
        "asked": asked,
        "alert": alert,
        "lines": _rows(frame, asked),
        "days_of": onset_days(
            evidence_of(frame.desk.history, alert, asked.known_on, by_sex=frame.desk.test_by_sex)
        ),
    }
    return frame.page("cases.html.j2", "worklist", values)


def _rows(frame: Frame, asked: Asked) -> tuple[CaseRow, ...]:
    alert = asked.statistical
    new = changes(alert, asked.previous).came
    return listed(alert, known_versions(frame.desk, alert, asked.day), new)
