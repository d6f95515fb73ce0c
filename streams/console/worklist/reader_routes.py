"""Routes that record what a reader did: sign off, mark as seen, save a view, turn keys off."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from streams.console.frame.forms import CheckedFrame, named
from streams.console.frame.rendering import Frame
from streams.console.frame.session import Session
from streams.console.readers import SeenRevision
from streams.console.worklist.page import KEYS_COOKIE
from streams.console.worklist.view import View
from streams.console.worklist.worklist_routes import TheWorklist

__all__ = ["router"]

router = APIRouter()
_MOST_NAME = 100  # characters of a reader's name, as of who decides
_YEAR_SECONDS = 365 * 24 * 3600

Back = Annotated[str, Form(max_length=4000)]
Named = Annotated[str, Form(max_length=_MOST_NAME)]


def _named(frame: Frame, reader: str) -> Session:
    """Return the session with the reader's name: known already, else that which the form states."""
    if frame.who.reader:
        return replace(frame.session, reader=frame.who.reader)
    return named(frame, reader)


@router.post("/sign-off")
def sign_off(
    frame: CheckedFrame,
    worklist: TheWorklist,
    back: Back = "/desk",
    reader: Named = "",
    seen: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Sign off revisions that were on screen or opened; then the page, which no longer has them."""
    session = _named(frame, reader)
    n = _sign(frame, worklist, session, seen or [])
    return frame.see_other(_with_signed(back, n), session)


@router.post("/seen")
def mark_as_seen(
    frame: CheckedFrame,
    worklist: TheWorklist,
    seen: Annotated[str, Form()],
    back: Back = "/desk",
    reader: Named = "",
) -> Response:
    """Sign off one revision."""
    session = _named(frame, reader)
    n = _sign(frame, worklist, session, [seen])
    return frame.see_other(_with_signed(back, n), session)


def _sign(frame: Frame, worklist: TheWorklist, session: Session, alert_ids: list[str]) -> int:
    """Store the named revisions that the tier knows; return their number."""
    tier = frame.tier
    with frame.desk.service.model() as model:
        copies = [model.alert(tier, alert_id) for alert_id in dict.fromkeys(alert_ids)]
    found = [
        SeenRevision(copy["signal_key"], copy["revision"]) for copy in copies if copy is not None
    ]
    baseline = worklist.baseline(View(), session.reader, tier)
    with worklist.readers() as readers:
        readers.sign_off(
            session.reader,
            tier.value,
            found,
            known_until=baseline.known_until,
            signed_until=worklist.day(),
        )
    return len(found)


def _with_signed(back: str, n: int) -> str:
    path, _, query = back.partition("?")
    kept = [each for each in query.split("&") if each and not each.startswith("signed=")]
    return f"{path}?{'&'.join([*kept, f'signed={n}'])}"


@router.post("/views")
def save_view(
    frame: CheckedFrame,
    worklist: TheWorklist,
    name: Annotated[str, Form(min_length=1, max_length=60)],
    back: Back = "/desk",
    reader: Named = "",
) -> Response:
    """Save the view of an address under a name."""
    session = _named(frame, reader)
    with worklist.readers() as readers:
        readers.save_view(session.reader, " ".join(name.split()), back.partition("?")[2])
    return frame.see_other(back, session)


@router.post("/views/delete")
def delete_view(
    frame: CheckedFrame,
    worklist: TheWorklist,
    name: Annotated[str, Form(max_length=60)],
    back: Back = "/desk",
) -> Response:
    """Delete a saved view."""
    with worklist.readers() as readers:
        readers.delete_view(frame.who.reader, name)
    return frame.see_other(back)


@router.post("/keys")
def turn_keys(frame: CheckedFrame, keys: Annotated[str, Form()], back: Back = "/desk") -> Response:
    """Turn the keys of the pages off or on, for this browser."""
    response = frame.see_other(back)
    response.set_cookie(
        KEYS_COOKIE,
        "off" if keys == "off" else "on",
        max_age=_YEAR_SECONDS,
        samesite="strict",
        path="/",
    )
    return response
