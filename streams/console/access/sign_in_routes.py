"""Routes of the sign-in."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import RedirectResponse, Response

from streams.console.access.accounts import SignInRefused
from streams.console.access.gate import COOKIE, SECONDS, Gate
from streams.console.frame.rendering import Frame, OpenFrame
from streams.console.frame.session import COOKIE as SESSION_COOKIE

__all__ = ["router"]

router = APIRouter()
Text = Annotated[str, Form(max_length=300)]
Back = Annotated[str, Query(max_length=2000)]


@router.get("/sign-in")
def sign_in_page(frame: OpenFrame, back: Back = "/desk") -> Response:
    """Return the page that a reader signs in on."""
    if frame.desk.gate is None:
        return RedirectResponse("/desk", status_code=303)
    return _page(frame, frame.desk.gate, back)


@router.post("/sign-in")
def sign_in(
    frame: OpenFrame,
    token: Text,
    name: Text = "",
    password: Text = "",
    code: Text = "",
    back: Annotated[str, Form(max_length=2000)] = "/desk",
) -> Response:
    """Sign in by a local account."""
    gate = frame.desk.gate
    if gate is None:
        return RedirectResponse("/desk", status_code=303)
    if not frame.sessions.accepts(frame.session, token):
        return _page(frame, gate, back, refused="form", status=403)
    try:
        secret = gate.sign_in_locally(frame.request, name, password, code)
    except SignInRefused:
        # Which of the three was wrong would tell a stranger which names exist.
        return _page(frame, gate, back, refused="sign_in", status=403)
    return _signed_in(frame, gate, secret, back)


@router.get("/sign-in/provider")
def to_provider(frame: OpenFrame, back: Back = "/desk") -> Response:
    """Send a reader to the OpenID provider."""
    gate = frame.desk.gate
    if gate is None:
        return RedirectResponse("/desk", status_code=303)
    try:
        return RedirectResponse(gate.address_of_provider(frame.request, back), status_code=303)
    except SignInRefused:
        return _page(frame, gate, back, refused="provider", status=503)


@router.get("/sign-in/answer")
def from_provider(
    frame: OpenFrame,
    state: Annotated[str, Query(max_length=300)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Take the answer of the OpenID provider."""
    gate = frame.desk.gate
    if gate is None:
        return RedirectResponse("/desk", status_code=303)
    try:
        secret, back = gate.sign_in_by_provider(frame.request, state, code)
    except SignInRefused:
        return _page(frame, gate, "/desk", refused="provider", status=403)
    return _signed_in(frame, gate, secret, back)


@router.post("/sign-out")
def sign_out(frame: OpenFrame, token: Text) -> Response:
    """End the session."""
    gate = frame.desk.gate
    if gate is None:
        return RedirectResponse("/desk", status_code=303)
    if not frame.sessions.accepts(frame.session, token):
        return _page(frame, gate, "/desk", refused="form", status=403)
    gate.sign_out(frame.request)
    answer = RedirectResponse("/desk/sign-in", status_code=303)
    answer.delete_cookie(COOKIE, path="/")
    return answer


def _page(frame: Frame, gate: Gate, back: str, *, refused: str = "", status: int = 200) -> Response:
    values = {
        "back": _ours(back),
        "local": gate.local,
        "provider": gate.provider is not None,
        "refused": refused,
    }
    return frame.page("sign_in.html.j2", "", values, status)


def _signed_in(frame: Frame, gate: Gate, secret: str, back: str) -> Response:
    """Return to a page with the session's cookie; the forms' token is a new one from here on."""
    answer = RedirectResponse(_ours(back), status_code=303)
    # Lax: the provider's answer comes from another site, and forms have a token of their own.
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=SECONDS,
        httponly=True,
        samesite="lax",
        secure=gate.secure,
        path="/",
    )
    begun = replace(frame.sessions.new(), language=frame.language)
    answer.set_cookie(
        SESSION_COOKIE,
        frame.sessions.cookie(begun),
        httponly=True,
        samesite="strict",
        secure=gate.secure,
        path="/",
    )
    return answer


def _ours(back: str) -> str:
    """Return an address of the desk; another one would send the reader to a stranger's page."""
    of_desk = back == "/desk" or back.startswith(("/desk/", "/desk?"))
    return back if of_desk and back.isprintable() and "\\" not in back else "/desk"
