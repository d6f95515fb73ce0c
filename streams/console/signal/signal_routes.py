"""Routes of the page of a signal: now, an earlier revision, and a day."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse, Response

from schemas.alert import Alert
from streams.console.frame.formats import MINUS
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.signal.asked import Asked, asked_signal
from streams.console.signal.difference import difference
from streams.console.signal.measures_table import Comparator
from streams.console.signal.signal_page import (
    AsOf,
    addresses,
    name_values,
    safety_values,
    signal_values,
)

__all__ = ["router"]

router = APIRouter(prefix="/signals/{key}")

Against = Annotated[Comparator, Query(description="What measures compare the pair with.")]


@router.get("")
def signal_page(
    frame: TheFrame,
    key: str,
    as_of: AsOf = None,
    comparator: Against = Comparator.ALL,
    signed: Annotated[int | None, Query(description="Entry that was just logged.")] = None,
) -> HTMLResponse:
    """Return the page of a signal: its last revision, or the last one of a day."""
    asked = asked_signal(frame.desk, frame.tier, key, as_of=as_of)
    return _page(frame, asked, comparator, signed)


@router.get("/r/{number}")
def revision_page(
    frame: TheFrame,
    key: str,
    number: int,
    as_of: AsOf = None,
    comparator: Against = Comparator.ALL,
) -> HTMLResponse:
    """Return the page of an earlier revision, as of the day of its evaluation."""
    return _page(
        frame, asked_signal(frame.desk, frame.tier, key, revision=number, as_of=as_of), comparator
    )


@router.get("/alert.json")
def last_alert(frame: TheFrame, key: str, as_of: AsOf = None) -> Response:
    """Return the alert as it was published, byte for byte."""
    return _published(asked_signal(frame.desk, frame.tier, key, as_of=as_of))


@router.get("/r/{number}/alert.json")
def alert_of_revision(frame: TheFrame, key: str, number: int) -> Response:
    """Return the alert of an earlier revision as it was published, byte for byte."""
    return _published(asked_signal(frame.desk, frame.tier, key, revision=number))


@router.get("/diff/{before}..{now}")
def difference_page(
    frame: TheFrame, key: str, before: int, now: int, as_of: AsOf = None
) -> HTMLResponse:
    """Return how a revision differs from an earlier one."""
    asked = asked_signal(frame.desk, frame.tier, key, as_of=as_of)
    pair = [asked.revision(number) for number in (before, now)]
    if not isinstance(pair[0], Alert) or not isinstance(pair[1], Alert):
        raise HTTPException(HTTPStatus.NOT_FOUND, "no such signal")
    values = {
        **addresses(asked),
        **name_values(pair[1], frame.language),
        "asked": asked,
        "minus": MINUS,
        "diff": difference(pair[0], pair[1], frame.language),
    }
    return frame.page("signal_difference.html.j2", "worklist", values)


def _published(asked: Asked) -> Response:
    return Response(asked.alert.model_dump_json() + "\n", media_type="application/json")


def _page(
    frame: Frame, asked: Asked, comparator: Comparator, signed: int | None = None
) -> HTMLResponse:
    entry = next((one for one in asked.entries if one.number == signed), None)
    if not isinstance(asked.alert, Alert):
        values = safety_values(frame, asked)
        return frame.page("safety.html.j2", "worklist", {**values, "signed": entry})
    values = signal_values(frame, asked, comparator)
    return frame.page("signal.html.j2", "worklist", {**values, "signed": entry})
