"""Routes that read the worklist: the page, windows of rows, and what is inside a row."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from streams.console.frame.rendering import Frame, TheFrame
from streams.console.rows.inside import Inside, inside_of
from streams.console.worklist.page import page_values, row_values
from streams.console.worklist.suppressed_tab import suppressed_values
from streams.console.worklist.view import AskedView, Tab
from streams.console.worklist.worklist import WINDOW_ROWS, Worklist

__all__ = ["TheWorklist", "router"]

router = APIRouter()


def _worklist(request: Request) -> Worklist:
    worklist: Worklist = request.app.state.worklist
    return worklist


TheWorklist = Annotated[Worklist, Depends(_worklist)]


@router.get("")
def worklist_page(
    frame: TheFrame,
    worklist: TheWorklist,
    view: AskedView,
    first: Annotated[int, Query(ge=0)] = 0,
    signed: int | None = None,
) -> HTMLResponse:
    """Return the page of a view: its first rows, or those after a key."""
    asked = worklist.ask(view, frame.who.reader, frame.tier)
    if view.tab is Tab.SUPPRESSED:
        values = suppressed_values(worklist, frame, asked, first)
    else:
        first = 0 if view.after is None else asked.listing.places.get(view.after, -1) + 1
        values = page_values(worklist, frame, asked, first)
    return frame.page("worklist.html.j2", "worklist", {**values, "signed": signed})


@router.get("/rows")
def worklist_rows(
    frame: TheFrame,
    worklist: TheWorklist,
    view: AskedView,
    before: str | None = None,
    first: Annotated[int | None, Query(ge=0)] = None,
    n: Annotated[int, Query(ge=1, le=WINDOW_ROWS)] = WINDOW_ROWS,
    position: int | None = None,
) -> Response:
    """Return rows alone: those after a key, those before one, or those from a place."""
    asked = worklist.ask(view, frame.who.reader, frame.tier, position=position)
    places = asked.listing.places
    if before is not None:
        end = places.get(before, 0)
        start, n = max(end - n, 0), min(n, end)
    elif view.after is not None:
        start = places.get(view.after, -1) + 1
    else:
        start = first or 0
    rows = worklist.rows(asked, start, n, frame.language) if n else []
    values = {**row_values(frame, asked), "rows": rows, "opened": None}
    return frame.part("worklist_rows.html.j2", values)


@router.get("/inside")
def worklist_inside(frame: TheFrame, view: AskedView, key: str) -> Response:
    """Return what is inside a row alone."""
    opened = _inside(frame, key)
    if opened is None:
        return PlainTextResponse("no such signal\n", 404)
    return frame.part("worklist_inside.html.j2", {"inside": opened, "back": view.address()})


def _inside(frame: Frame, key: str) -> Inside | None:
    with frame.desk.service.model() as model:
        return inside_of(model, frame.tier, key, frame.language)
