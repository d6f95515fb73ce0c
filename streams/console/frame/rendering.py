"""Rendering of the pages: Jinja2 templates with autoescape, in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from schemas.subscription import Tier
from streams.console.access.gate import client_of
from streams.console.access.signed_in import SignedIn
from streams.console.access.visits import VisitKind, VisitLog
from streams.console.desk import Desk
from streams.console.frame import formats
from streams.console.frame.session import COOKIE, Session, Sessions
from streams.console.frame.texts import texts_in
from streams.core.wording.catalogue import Language
from streams.delivery.api.tokens import Scope

__all__ = ["Frame", "OpenFrame", "SignInNeeded", "TheFrame", "environment", "open_frame"]

_STALE_DAYS = 2  # yesterday is closed today: a day that is missing is at least two ago
_PLACES = (
    ("worklist", "/desk"),
    ("map", "/desk/map"),
    ("rumours", "/desk/rumours"),
    ("operations", "/desk/operations"),
    ("subscriptions", "/desk/subscriptions"),
    ("audit", "/desk/audit"),
)
_NOT_PUBLIC = {"map"}  # places that the public tier has no pages of


@lru_cache
def environment() -> Environment:
    """Return the environment of the templates."""
    found = Environment(
        loader=PackageLoader("streams.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["count"] = formats.count
    found.filters["three"] = formats.three_digits
    found.filters["log2"] = formats.logarithm
    found.filters["as_day"] = date.fromisoformat
    found.filters["percent"] = formats.percent
    found.filters["quoted"] = partial(quote, safe="")
    return found


@dataclass(frozen=True, slots=True)
class Frame:
    """A request's view of the desk: who reads, in which language, and how to render.

    Attributes
    ----------
    session
        The session of the cookie, or a new one.
    who
        Who reads, and what of it they may see and do.
    """

    desk: Desk
    sessions: Sessions
    session: Session
    who: SignedIn
    request: Request

    @property
    def tier(self) -> Tier:
        """Return the tier of the page."""
        return self.who.tier

    @property
    def language(self) -> Language:
        """Return the language of the page."""
        return self.session.language

    def page(
        self, template: str, place: str, values: Mapping[str, Any], status: int = 200
    ) -> HTMLResponse:
        """Return a page as a response, with its session's cookie.

        Parameters
        ----------
        template
            Name of its file.
        place
            Name of its place in the navigation, which is marked.
        values
            What the template names.
        """
        response = HTMLResponse(self.rendered(template, {"place": place, **values}), status)
        if place and status < HTTPStatus.BAD_REQUEST:
            self.note_view()
        response.set_cookie(
            COOKIE, self.sessions.cookie(self.session), httponly=True, samesite="strict", path="/"
        )
        return response

    def see_other(self, address: str, session: Session | None = None) -> RedirectResponse:
        """Return a redirect to a page of the desk, after a form.

        Parameters
        ----------
        address
            Path and query. What is not under `/desk` is replaced by `/desk`.
        session
            The session from now on, if the form changed it.
        """
        within = address == "/desk" or address.startswith(("/desk?", "/desk/"))
        response = RedirectResponse(address if within else "/desk", HTTPStatus.SEE_OTHER)
        response.set_cookie(
            COOKIE,
            self.sessions.cookie(session or self.session),
            httponly=True,
            samesite="strict",
            path="/",
        )
        return response

    def refusal(self, status: HTTPStatus, text: str, detail: str = "") -> HTMLResponse:
        """Return a page that says why a request was refused.

        Parameters
        ----------
        text
            Name of the text that says it.
        detail
            The rule that was broken, in English.
        """
        values = {"refused_as": text, "detail": detail, "back": self._path_before()}
        return self.page("refused.html.j2", "", values, status)

    def _path_before(self) -> str:
        """Return the page of the desk that the request came from, else the worklist."""
        before = urlsplit(self.request.headers.get("referer", ""))
        return before.path if before.path.startswith("/desk/") else "/desk"

    def part(self, template: str, values: Mapping[str, Any]) -> HTMLResponse:
        """Return a part of a page, for its script; it is logged as the page is."""
        self.note_view()
        return HTMLResponse(self.rendered(template, values))

    def note_view(self) -> None:
        """Add a row to the log of visits, if what is shown is for authorities alone."""
        if self.tier is Tier.AUTHORITY:
            self.note(VisitKind.VIEWED, self._here())

    def note(self, kind: VisitKind, subject: str) -> None:
        """Add a row to the log of visits, of this reader."""
        desk = self.desk
        path = desk.visit_log
        if path is None:
            return
        with VisitLog(path) as visits:
            visits.add(
                kind,
                at=desk.service.now(),
                reader=self.who.reader,
                tier=self.tier.value,
                subject=subject,
                client=client_of(self.request).address,
            )

    def rendered(self, template: str, values: Mapping[str, Any]) -> str:
        """Return a template as HTML: a page, or a part of one."""
        return (
            environment()
            .get_template(template)
            .render(
                {
                    "t": texts_in(self.language),
                    "lang": self.language.value,
                    "day": partial(formats.day, language=self.language),
                    "short_day": partial(formats.short_day, language=self.language),
                    "moment": partial(formats.moment, language=self.language),
                    "intake": self.desk.intake,
                    "days_without_data": self._days_without_data(),
                    "tier": self.tier.value,
                    "signed_in": self.desk.gate is not None,
                    "noted": self.tier is Tier.AUTHORITY and self.desk.visit_log is not None,
                    "reader": self.who.reader,
                    "form_token": self.sessions.form_token(self.session),
                    "places": [
                        place
                        for place in _PLACES
                        if self.tier is not Tier.PUBLIC or place[0] not in _NOT_PUBLIC
                    ],
                    "here": self._here(),
                    "other_language": self._address_in_other_language(),
                    **values,
                }
            )
        )

    def _days_without_data(self) -> int:
        """Return the days since the last closed one; 0 while data arrives, and of a replay."""
        intake = self.desk.intake
        if intake.replayed or intake.closed is None:
            return 0
        days = (self.desk.service.now().date() - intake.closed).days
        return days if days >= _STALE_DAYS else 0

    def _here(self) -> str:
        query = self.request.url.query
        return f"{self.request.url.path}?{query}" if query else self.request.url.path

    def _address_in_other_language(self) -> str:
        other = "en" if self.language is Language.JAPANESE else "ja"
        url = self.request.url.include_query_params(lang=other)
        return f"{url.path}?{url.query}"


class SignInNeeded(Exception):
    """A request for a page that needs a reader who signed in."""


def _frame(
    request: Request, lang: Annotated[Language | None, Query(description="Language.")] = None
) -> Frame:
    frame = open_frame(request, lang)
    gate = frame.desk.gate
    if gate is None:
        return frame
    who = gate.reader(request)
    if who is None:
        raise SignInNeeded
    return replace(frame, who=who)


def open_frame(
    request: Request, lang: Annotated[Language | None, Query(description="Language.")] = None
) -> Frame:
    """Return the frame of a page that needs no sign-in: on loopback all, else the sign-in."""
    desk: Desk = request.app.state.desk
    sessions: Sessions = request.app.state.sessions
    session = sessions.read(request.cookies.get(COOKIE)) or sessions.new()
    if lang is not None:
        session = replace(session, language=lang)
    everything = frozenset(Scope) if desk.gate is None else frozenset()
    nobody = SignedIn(session.reader, desk.tier, everything, account=False)
    return Frame(desk, sessions, session, nobody, request)


TheFrame = Annotated[Frame, Depends(_frame)]
OpenFrame = Annotated[Frame, Depends(open_frame)]
