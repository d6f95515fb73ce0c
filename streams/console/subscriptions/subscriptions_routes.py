"""Routes of own subscriptions: the list, and what is done with one."""

from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from schemas.errors import InputError
from streams.console.access.visits import VisitKind
from streams.console.frame.forms import CheckedFrame, FormRefused, named
from streams.console.frame.rendering import Frame, TheFrame
from streams.console.subscriptions.delivery_rows import outbox_path_for, row_of
from streams.console.subscriptions.owner import may_subscribe, own_of
from streams.delivery.api.problems import Problem
from streams.delivery.api.subscriptions.own_subscriptions import Changed

__all__ = ["KEY_COOKIE", "router", "saved", "with_key"]

router = APIRouter()
KEY_COOKIE = "tocsin_signing_key"
"""Carries a new signing key to the page that shows it, which deletes it."""
_KEY_SECONDS = 60  # s; the browser follows the redirect at once
_HERE = "/desk/subscriptions"
_MOST_WAITING = 100  # rows of what waits

Act = Literal["pause", "resume", "remove", "rotate"]
Done = Literal["saved", "pause", "resume", "remove", "rotate"]
Name = Annotated[str, Form(max_length=64)]


@router.get("/subscriptions")
def subscriptions_page(
    frame: TheFrame,
    name: Annotated[str, Query(alias="open", max_length=64)] = "",
    done: Done | None = None,
    of: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Return the reader's subscriptions; of the open one, what waits and why."""
    if not may_subscribe(frame) or not frame.who.reader:
        may = may_subscribe(frame)
        values: dict[str, Any] = {"rows": None, "may": may, "waiting": [], "opened": ""}
        return frame.page("subscriptions.html.j2", "subscriptions", _result(None, "", "") | values)
    own = own_of(frame)
    statuses = own.all()
    waiting = []
    for status in statuses:
        if status.subscription.subscription_id == name:
            with frame.desk.service.outbox() as outbox:
                waiting = outbox.waiting(status.subscription, _MOST_WAITING)
    key = frame.request.cookies.get(KEY_COOKIE, "")
    values = {
        "rows": [row_of(status, outbox_path_for(frame)) for status in statuses],
        "may": True,
        "waiting": waiting,
        "opened": name,
    }
    page = frame.page("subscriptions.html.j2", "subscriptions", values | _result(done, of, key))
    if key:
        page.delete_cookie(KEY_COOKIE, path=_HERE)
    return page


def _result(done: str | None, of: str, key: str) -> dict[str, str | None]:
    return {"done": done, "of": of, "signing_key": key}


@router.post("/subscriptions/reader")
def state_name(frame: CheckedFrame, reader: Annotated[str, Form(max_length=300)] = "") -> Response:
    """Take the name that a reader of loopback states."""
    if frame.desk.gate is not None:
        return frame.see_other(_HERE)
    return frame.see_other(_HERE, named(frame, reader))


@router.post("/subscriptions/act")
def act_on_subscription(
    frame: CheckedFrame, request: Request, act: Annotated[Act, Form()], name: Name = ""
) -> Response:
    """Pause, resume, remove or rotate the key of one of the reader's subscriptions."""
    own = own_of(frame)
    changed: Changed | None = None
    try:
        match act:
            case "pause":
                changed = own.pause(name)
            case "resume":
                changed = own.resume(name)
            case "rotate":
                changed = own.rotate(name)
            case "remove":
                own.delete(name)
    except (Problem, InputError) as refused:
        raise refused_by(frame, refused) from refused
    frame.note(VisitKind.CHANGED, f"{act} subscription {name!r} of {own.owner.subscriber!r}")
    answer = frame.see_other(saved(act, name))
    return answer if changed is None else with_key(frame, answer, changed.signing_key)


def saved(done: Done, name: str) -> str:
    """Return the address of the list with a result on top."""
    opened = {} if done == "remove" else {"open": name}
    return f"{_HERE}?{urlencode({'done': done, 'of': name, **opened})}"


def with_key(frame: Frame, answer: Response, key: str | None) -> Response:
    """Add a new signing key to a redirect, for the page that shows it once."""
    if key is not None:
        gate = frame.desk.gate
        answer.set_cookie(
            KEY_COOKIE,
            key,
            max_age=_KEY_SECONDS,
            httponly=True,
            samesite="strict",
            secure=gate is not None and gate.secure,
            path=_HERE,
        )
    return answer


def refused_by(frame: Frame, error: Problem | InputError) -> FormRefused:
    """Return the refusal of a form by a rule of the subscriptions."""
    status = error.status if isinstance(error, Problem) else HTTPStatus.UNPROCESSABLE_ENTITY
    return FormRefused(frame, "frame.refused_rule", status, str(error))
