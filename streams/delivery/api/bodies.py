"""Bodies of requests: read as strictly as any message of Tocsin, and described in OpenAPI."""

from collections.abc import Callable, Coroutine
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, Field, ValidationError

from schemas.base import Message
from schemas.decision import SignalState
from schemas.notice import VerificationEvent
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
    """A webhook; its signing key is in the answer, once."""

    kind: Literal["webhook"] = Field(default="webhook", description="Tells the channels apart.")
    url: str = Field(
        pattern=r"^https://[^\s@]+$", max_length=2000, description="Where it posts to: https."
    )


class AskedSubscription(Message):
    """A subscription as its subscriber asks for it; whose it is, the token says."""

    subscription_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Its name.")
    tier: Tier | None = Field(
        default=None, description="At most that of the token, which it is by default."
    )
    filters: Filters = Field(default=Filters(), description="Which alerts.")
    channel: AskedWebhook | Stream = Field(
        default=Stream(),
        discriminator="kind",
        description="Where to; folders and topics are the operator's to give.",
    )
    digest: DigestPeriod | None = Field(default=None, description="As of a subscription.")
    budget_per_day: int | None = Field(default=None, ge=1, description="As of a subscription.")


class NewDecision(Message):
    """A step of a signal's assessment; who takes it, the token says."""

    to: SignalState = Field(description="The state it goes to.")
    reason: str = Field(default="", max_length=4000, description="Why; some steps must say.")
    alert_id: str | None = Field(
        default=None, max_length=100, description="The revision it is decided on."
    )
    superseded_by: str | None = Field(
        default=None, max_length=2000, description="Key of the signal that takes its place."
    )
    assignee: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Who takes care of the signal from now on; null: whoever did before.",
    )


class NewVerification(Message):
    """Who says what of the truth of a rumour, or how it was settled."""

    verification_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = Field(
        description="Chosen by the sender: sent again, it is the same event."
    )
    subject_id: str = Field(min_length=1, max_length=200, description="The rumour or series.")
    source: str = Field(min_length=1, max_length=200, description="Where it was heard or read.")
    verification: VerificationEvent = Field(description="What was said, by which role.")
    reporter: ReporterKind = Field(default=ReporterKind.UNKNOWN, description="Who says so.")
    country: Country | None = Field(default=None, description="ISO 3166-1 alpha-2.")
    received: date | None = Field(
        default=None, description="Day it was received; by default today, and never later."
    )


BODIES: tuple[type[BaseModel], ...] = (AskedSubscription, NewDecision, NewVerification)


def body_of(model: type[_Body]) -> Callable[[Request], Coroutine[Any, Any, _Body]]:
    """Return a dependency that reads the body as a model."""

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
    """Return what OpenAPI should say of the body."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
