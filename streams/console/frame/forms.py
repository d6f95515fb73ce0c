"""Forms: a POST must return the token of its session, and a reader of loopback states a name."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Form, Request
from fastapi.responses import Response

from streams.console.frame.rendering import Frame, TheFrame
from streams.console.frame.session import Session

__all__ = ["CheckedFrame", "FormRefused", "named", "refused_form"]

_MOST_NAME = 100  # characters of a reader's name, as of who decides


class FormRefused(Exception):
    """A form that is refused; nothing was changed.

    Attributes
    ----------
    frame
        The request's view of the desk.
    text
        Name of the text that says why.
    status
        Status of the response.
    detail
        The rule that was broken, in English.
    """

    def __init__(
        self,
        frame: Frame,
        text: str,
        status: HTTPStatus = HTTPStatus.FORBIDDEN,
        detail: str = "",
    ) -> None:
        super().__init__(text)
        self.frame, self.text, self.status, self.detail = frame, text, status, detail


def _checked(frame: TheFrame, token: Annotated[str, Form(max_length=300)] = "") -> Frame:
    if not frame.sessions.accepts(frame.session, token):
        raise FormRefused(frame, "frame.refused_form")
    return frame


CheckedFrame = Annotated[Frame, Depends(_checked)]


def refused_form(request: Request, error: Exception) -> Response:
    """Return the page that says why a form was refused."""
    assert isinstance(error, FormRefused)
    return error.frame.refusal(error.status, error.text, error.detail)


def named(frame: Frame, name: str) -> Session:
    """Return the session with the name that a reader of loopback states.

    Raises
    ------
    FormRefused
        If there is no name, or one that cannot be printed.
    """
    stated = " ".join(name.split())
    if not stated or len(stated) > _MOST_NAME or not stated.isprintable():
        raise FormRefused(frame, "frame.refused_name", HTTPStatus.UNPROCESSABLE_ENTITY)
    return replace(frame.session, reader=stated)
