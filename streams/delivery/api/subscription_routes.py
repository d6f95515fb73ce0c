"""Routes for the subscriptions of a token's subscriber, and their server-sent events."""

from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Send
from starlette.types import Scope as ScopeOfRequest

from schemas.subscription import Stream
from streams.delivery.api.bodies import AskedSubscription, body_of, described
from streams.delivery.api.declared_problems import WITH_BODY, WITH_TOKEN, problems
from streams.delivery.api.guard import needs, the_service
from streams.delivery.api.problems import Problem, problem
from streams.delivery.api.response_schemas import ref
from streams.delivery.api.service import Service
from streams.delivery.api.subscriptions.own_subscriptions import Changed, Owner, OwnSubscriptions
from streams.delivery.api.subscriptions.previews import preview_of
from streams.delivery.api.tokens import Scope, Token
from streams.delivery.matching import PREVIEW_DAYS

__all__ = ["router"]

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"])

MOST_STREAMS = 4  # open streams per token; each costs a connection and a read every second
_PING_SECONDS = 15  # s between pings, so that proxies keep an idle stream open

_OF_ONE = problems({*WITH_TOKEN, HTTPStatus.NOT_FOUND})
_OF_ONE_STATE = problems({*WITH_TOKEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})
_EVENTS: dict[str, Any] = {
    "description": "Server-sent events without an end; the fields of each are a `StreamEvent`.",
    "content": {
        "text/event-stream": {
            "schema": {
                "type": "string",
                "contentMediaType": "text/event-stream",
                "contentSchema": {"type": "array", "items": ref("StreamEvent")},
            }
        }
    },
}

TheService = Annotated[Service, Depends(the_service)]
Writer = Annotated[Token, Depends(needs(Scope.SUBSCRIPTIONS_WRITE))]
Asked = Annotated[AskedSubscription, Depends(body_of(AskedSubscription))]


class SubscriptionAnswer(BaseModel):
    """A subscription and its status."""

    subscription: dict[str, Any] = Field(description="The subscription, as stored.")
    resting: str | None = Field(description="Reason why it is paused; null while it is active.")
    waiting: int = Field(description="Pending alerts.")
    held: int = Field(description="Pending alerts held for a digest or the next day's budget.")
    delivered: int = Field(description="Delivered alerts.")
    signing_key: str | None = Field(
        default=None,
        description="Signing key of a webhook, shown once: after creation or rotation.",
    )


class SubscriptionList(BaseModel):
    """The subscriptions of the token's subscriber."""

    subscriptions: list[SubscriptionAnswer] = Field(description="Sorted by name.")


class Preview(BaseModel):
    """Alerts that a subscription would have sent."""

    days: int = Field(description="Number of days up to the latest alert.")
    alerts: int = Field(description="Number of alerts.")
    by_category_and_kind: dict[str, int] = Field(
        description="Number of alerts by category and kind."
    )
    before_first: str = Field(
        description="Cursor: a subscription created with it as `after` begins with these alerts."
    )
    after_last: str = Field(
        description="Cursor: a subscription created with it as `after` begins with what was "
        "published since the preview."
    )


def _of_token(service: TheService, token: Writer) -> OwnSubscriptions:
    return OwnSubscriptions(service, Owner.of(token))


Own = Annotated[OwnSubscriptions, Depends(_of_token)]


@router.get("", response_model=SubscriptionList, responses=problems(WITH_TOKEN))
def list_subscriptions(own: Own) -> SubscriptionList:
    """List your own subscriptions."""
    return SubscriptionList(subscriptions=[_answer(Changed(status)) for status in own.all()])


@router.post(
    "",
    status_code=201,
    response_model=SubscriptionAnswer,
    responses=problems({*WITH_TOKEN, *WITH_BODY, HTTPStatus.CONFLICT}),
    openapi_extra=described(AskedSubscription),
)
def create_subscription(own: Own, asked: Asked, response: Response) -> SubscriptionAnswer:
    """Create a subscription. It receives alerts from now on, or from `after` on."""
    created = own.create(asked)
    response.headers["location"] = f"/v1/subscriptions/{asked.subscription_id}"
    return _answer(created)


@router.post(
    "/preview",
    response_model=Preview,
    responses=problems({*WITH_TOKEN, *WITH_BODY}),
    openapi_extra=described(AskedSubscription),
)
def preview_subscription(service: TheService, own: Own, asked: Asked) -> Preview:
    """Count the alerts that it would have sent in the last 90 days; nothing is saved."""
    own.owner.require_reader()
    found = preview_of(service, own.wanted(asked))
    return Preview(
        days=PREVIEW_DAYS,
        alerts=len(found.copies),
        by_category_and_kind={
            f"{category} {kind}": number
            for (category, kind), number in sorted(found.by_category_and_kind.items())
        },
        before_first=found.before_first,
        after_last=found.after_last,
    )


@router.get("/{name}", response_model=SubscriptionAnswer, responses=_OF_ONE)
def show_subscription(own: Own, name: str) -> SubscriptionAnswer:
    """Show one of your subscriptions."""
    return _answer(Changed(own.find(name)))


@router.delete("/{name}", status_code=204, responses=_OF_ONE)
def delete_subscription(own: Own, name: str) -> None:
    """Delete a subscription with its pending alerts. Corrections are no longer sent either."""
    own.delete(name)


@router.post("/{name}/pause", response_model=SubscriptionAnswer, responses=_OF_ONE)
def pause_subscription(own: Own, name: str) -> SubscriptionAnswer:
    """Pause a subscription. Alerts stay pending until it is resumed."""
    return _answer(own.pause(name))


@router.post("/{name}/resume", response_model=SubscriptionAnswer, responses=_OF_ONE)
def resume_subscription(own: Own, name: str) -> SubscriptionAnswer:
    """Resume a subscription, also one that was paused by failures, a 410 or a revoked token."""
    return _answer(own.resume(name))


@router.post("/{name}/rotate", response_model=SubscriptionAnswer, responses=_OF_ONE_STATE)
def rotate_signing_key(own: Own, name: str) -> SubscriptionAnswer:
    """Rotate the signing key of a webhook. Messages are signed with the last two keys."""
    return _answer(own.rotate(name))


@router.get(
    "/{name}/events",
    response_class=EventSourceResponse,
    responses={**_OF_ONE_STATE, 200: _EVENTS},
)
async def stream_alerts(
    request: Request,
    service: TheService,
    token: Annotated[Token, Depends(needs(Scope.ALERTS_READ))],
    name: str,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventSourceResponse:
    """Stream alerts as server-sent events, in order; the id of an event is that of its message.

    With `Last-Event-ID` the stream continues after that event. Without it, or with an unknown id,
    it starts with the first message.
    """
    await run_in_threadpool(_require_stream, service, token, name)
    bearer = request.headers["authorization"].partition(" ")[2]

    async def messages() -> AsyncIterator[ServerSentEvent]:
        last = last_event_id
        while True:
            found = await run_in_threadpool(_next_messages, service, bearer, name, last)
            if found is None:
                return  # the token was revoked or narrowed, or the subscription is gone
            for last, body in found:
                yield ServerSentEvent(data=body, id=last, event="alert")
            if not found:
                await anyio.sleep(service.poll_seconds)

    return _LimitedStream(messages(), request.app.state.streams, token.token_id)


class _LimitedStream(EventSourceResponse):
    """An event stream that takes one of its token's slots while it is open.

    The slot is taken where the response begins, without an await before, and given back however the
    response ends: two requests at once never get the same one.
    """

    def __init__(
        self, messages: AsyncIterator[ServerSentEvent], open_streams: Counter[str], token_id: str
    ) -> None:
        super().__init__(messages, ping=_PING_SECONDS)
        self._open, self._token_id = open_streams, token_id

    async def __call__(self, scope: ScopeOfRequest, receive: Receive, send: Send) -> None:
        """Send the events, or a problem if every slot is taken."""
        if self._open[self._token_id] >= MOST_STREAMS:
            detail = f"a token may have {MOST_STREAMS} streams open"
            later = {"retry-after": str(_PING_SECONDS)}
            await problem(HTTPStatus.TOO_MANY_REQUESTS, detail, later)(scope, receive, send)
            return
        self._open[self._token_id] += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._open[self._token_id] -= 1


def _next_messages(
    service: Service, bearer: str, name: str, last: str | None
) -> list[tuple[str, str]] | None:
    with service.tokens() as store:
        token = store.find(bearer)
    if token is None or Scope.ALERTS_READ not in token.scopes:
        return None
    with service.outbox() as outbox:
        try:
            status = OwnSubscriptions(service, Owner.of(token)).require(outbox, name)
        except Problem:
            return None
        if status.paused is not None:
            return []
        outbox.release(service.now())
        return outbox.streamed(name, last, service.now(), subscriber=token.subscriber)


def _require_stream(service: Service, token: Token, name: str) -> None:
    subscription = OwnSubscriptions(service, Owner.of(token)).find(name).subscription
    if not isinstance(subscription.goes_to, Stream):
        raise Problem(HTTPStatus.CONFLICT, "the subscription has another channel than a stream")


def _answer(changed: Changed) -> SubscriptionAnswer:
    status = changed.status
    return SubscriptionAnswer(
        subscription=status.subscription.model_dump(mode="json", exclude_none=True),
        resting=status.paused,
        waiting=status.waiting,
        held=status.held,
        delivered=status.delivered,
        signing_key=changed.signing_key,
    )
