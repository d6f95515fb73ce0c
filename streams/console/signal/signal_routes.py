"""Routes of the page of a signal: now, an earlier revision, and a day."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from schemas.alert import Alert
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.signal.asked import Asked, asked_signal
from streams.console.signal.measures_table import Comparator
from streams.console.signal.signal_page import safety_values, signal_values

__all__ = ["router"]

router = APIRouter(prefix="/signals/{key}")

AsOf = Annotated[date | None, Query(description="Last day that is known.")]
Against = Annotated[Comparator, Query(description="What measures compare the pair with.")]


@router.get("")
def signal_page(
    frame: TheFrame, key: str, as_of: AsOf = None, comparator: Against = Comparator.ALL
) -> HTMLResponse:
    """Return the page of a signal: its last revision, or the last one of a day."""
    return _page(frame, asked_signal(frame.desk, frame.tier, key, as_of=as_of), comparator)


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


def _published(asked: Asked) -> Response:
    return Response(asked.alert.model_dump_json() + "\n", media_type="application/json")


def _page(frame: Frame, asked: Asked, comparator: Comparator) -> HTMLResponse:
    if not isinstance(asked.alert, Alert):
        return frame.page(
            "safety.html.j2", "worklist", safety_values(frame.desk, asked, frame.language)
        )
    values = signal_values(frame.desk, asked, frame.language, comparator)
    return frame.page("signal.html.j2", "worklist", {**values, "comparator": comparator})
