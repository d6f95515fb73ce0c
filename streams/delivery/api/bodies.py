"""Models of request bodies: validated as strictly as messages, and described in OpenAPI."""

import hashlib
from collections.abc import Callable, Coroutine
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, Field, ValidationError

from schemas.base import Message
from schemas.decision import SignalState, SignatureMeaning
from schemas.notice import Notice, NoticeKind, VerificationEvent
from schemas.subscription import DigestPeriod, Filters, Stream, Tier
from schemas.vocabulary import Country, ReporterKind
from streams.delivery.api.problems import Problem

__all__ = [
    "BODIES",
    "AskedSubscription",
    "AskedWebhook",
    "NewDecision",
    "NewVerification",
    "body_of",
    "described",
]

_Body = TypeVar("_Body", bound=BaseModel)


class AskedWebhook(Message):
    """A webhook; its signing key is in the response, once."""

    kind: Literal["webhook"] = Field(default="webhook", description="Kind of channel.")
    url: str = Field(
        pattern=r"^https://[^\s@]+$",
        max_length=2000,
        description="Address that it posts to; https.",
    )


class AskedSubscription(Message):
    """A requested subscription; the token determines its subscriber."""

    subscription_id: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Name of the subscription."
    )
    tier: Tier | None = Field(
        default=None, description="Tier, at most that of the token; by default that of the token."
    )
    filters: Filters = Field(default=Filters(), description="Alerts that match.")
    channel: AskedWebhook | Stream = Field(
        default=Stream(),
        discriminator="kind",
        description="Channel; only the operator can set up folders and topics.",
    )
    digest: DigestPeriod | None = Field(default=None, description="As in a subscription.")
    budget_per_day: int | None = Field(default=None, ge=1, description="As in a subscription.")
    urgent_per_day: int = Field(default=100, ge=1, description="As in a subscription.")
    after: str | None = Field(
        default=None,
        max_length=200,
        description="`before_first` or `after_last` of a preview: begin with the alerts after it. "
        "By default with those published from now on. A preview does not use it.",
    )


class NewDecision(Message):
    """A transition of a signal's assessment; the token determines who decides."""

    to: SignalState = Field(description="The new assessment state.")
    reason: str = Field(
        default="", max_length=4000, description="Reason; some transitions require one."
    )
    alert_id: str | None = Field(
        default=None,
        max_length=100,
        description="The alert revision that the decision is based on.",
    )
    superseded_by: str | None = Field(
        default=None, max_length=2000, description="Key of the signal that replaces this one."
    )
    assignee: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="New assignee; null keeps the current one.",
    )
    meaning: SignatureMeaning | None = Field(
        default=None, description="Meaning of the signature; null states none."
    )


class NewVerification(Message):
    """A verification event of a rumour: confirmation, denial or outcome, and its source."""

    verification_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = Field(
        description="Chosen by the sender; the same id again is the same event."
    )
    subject_id: str = Field(min_length=1, max_length=200, description="The rumour or series.")
    source: str = Field(min_length=1, max_length=200, description="Source of the statement.")
    verification: VerificationEvent = Field(
        description="The statement, and the role of its author."
    )
    reporter: ReporterKind = Field(default=ReporterKind.UNKNOWN, description="Kind of the author.")
    country: Country | None = Field(default=None, description="ISO 3166-1 alpha-2.")
    received: date | None = Field(
        default=None, description="Day it was received; by default today, and never later."
    )

    def notice(self, *, by: str, today: date) -> Notice:
        """Return the notice that the event is stored as.

        Parameters
        ----------
        by
            The subscriber or reader who sends it.

        Raises
        ------
        Problem
            If it was received in the future, or too early for a notice.
        """
        received = self.received or today
        if received > today:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "received: must not be in the future")
        # The id includes who sends it: a notice of the same id would replace that of another.
        owner = hashlib.sha256(by.encode()).hexdigest()[:16]
        try:
            return Notice(
                notice_id=f"api:{owner}:{self.verification_id}",
                subject_id=self.subject_id,
                kind=NoticeKind.VERIFICATION,
                received=received,
                source=self.source,
                reporter=self.reporter,
                country=self.country,
                verification=self.verification,
            )
        except ValueError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "received: is too early") from error


BODIES: tuple[type[BaseModel], ...] = (AskedSubscription, NewDecision, NewVerification)


def body_of(model: type[_Body]) -> Callable[[Request], Coroutine[Any, Any, _Body]]:
    """Return a dependency that validates the body as a model."""

    async def read(request: Request) -> _Body:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        try:
            return model.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the body"
            rule = first["msg"].removeprefix("Value error, ")
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{place}: {rule}") from error

    return read


def described(model: type[BaseModel]) -> dict[str, Any]:
    """Return the OpenAPI description of a request body."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
