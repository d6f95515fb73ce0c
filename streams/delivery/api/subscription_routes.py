"""Routes for the subscriptions of a token's subscriber, and their server-sent events."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Send
from starlette.types import Scope as ScopeOfRequest

from schemas.subscription import Stream, Subscription, Tier, Webhook
from streams.delivery.api.bodies import AskedSubscription, AskedWebhook, body_of, described
from streams.delivery.api.declared_problems import WITH_BODY, WITH_TOKEN, problems
from streams.delivery.api.guard import needs, the_service
from streams.delivery.api.preview_cursors import (
    Start,
    cursor_after_last,
    cursor_before_first,
    day_before,
    start_at,
)
from streams.delivery.api.problems import Problem, problem
from streams.delivery.api.read_model import ReadModel
from streams.delivery.api.response_schemas import ref
from streams.delivery.api.service import Service
from streams.delivery.api.tokens import Scope, Token
from streams.delivery.matching import PREVIEW_DAYS, would_send
from streams.delivery.outbox import Outbox
from streams.delivery.sending.signing_keys import derived_key
from streams.delivery.subscription_checks import require_sendable
from streams.delivery.subscription_status import SubscriptionStatus
from streams.delivery.tiers import Copy

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


@router.get("", response_model=SubscriptionList, responses=problems(WITH_TOKEN))
def list_subscriptions(service: TheService, token: Writer) -> SubscriptionList:
    """List your own subscriptions."""
    with service.outbox() as outbox:
        every = outbox.statuses(subscriber=token.subscriber)
        own = [status for status in every if _is_own(status, token)]
    return SubscriptionList(subscriptions=[_answer(status) for status in own])


@router.post(
    "",
    status_code=201,
    response_model=SubscriptionAnswer,
    responses=problems({*WITH_TOKEN, *WITH_BODY, HTTPStatus.CONFLICT}),
    openapi_extra=described(AskedSubscription),
)
def create_subscription(
    service: TheService, token: Writer, asked: Asked, response: Response
) -> SubscriptionAnswer:
    """Create a subscription. It receives alerts from now on, or from `after` on."""
    wanted = _wanted(asked, token, service)
    with service.outbox() as outbox, service.model() as model:
        earlier: Iterable[Copy] = ()
        if asked.after is not None:
            start = start_at(asked.after, model, wanted.tier, key=service.key)
            earlier = _published_from(start, model, outbox, service, wanted.tier)
        made_by = token.token_id
        stored = outbox.subscribe_new(wanted, service.now(), earlier, made_by=made_by)
        if stored is None:
            raise Problem(HTTPStatus.CONFLICT, "a subscription of yours of that name exists")
        status = _require_own(outbox, token, wanted.subscription_id)
    response.headers["location"] = f"/v1/subscriptions/{wanted.subscription_id}"
    return _answer(status, _key_of(stored, service))


@router.post(
    "/preview",
    response_model=Preview,
    responses=problems({*WITH_TOKEN, *WITH_BODY}),
    openapi_extra=described(AskedSubscription),
)
def preview_subscription(service: TheService, token: Writer, asked: Asked) -> Preview:
    """Count the alerts that it would have sent in the last 90 days; nothing is saved."""
    _require_reader(token)
    wanted = _wanted(asked, token, service)
    with service.model() as model:
        latest, last = model.latest_day(), model.last_position()
        since = latest and day_before(wanted.tier, latest - timedelta(days=PREVIEW_DAYS))
        found = would_send(wanted, model.between(wanted.tier, 0, last, since=since or date.min))
        after_last = cursor_after_last(model, wanted.tier, last)
    return Preview(
        days=PREVIEW_DAYS,
        alerts=found.total(),
        by_category_and_kind={
            f"{category} {kind}": number for (category, kind), number in sorted(found.items())
        },
        before_first=cursor_before_first(since, key=service.key),
        after_last=after_last,
    )


@router.get("/{name}", response_model=SubscriptionAnswer, responses=_OF_ONE)
def show_subscription(service: TheService, token: Writer, name: str) -> SubscriptionAnswer:
    """Show one of your subscriptions."""
    with service.outbox() as outbox:
        return _answer(_require_own(outbox, token, name))


@router.delete("/{name}", status_code=204, responses=_OF_ONE)
def delete_subscription(service: TheService, token: Writer, name: str) -> None:
    """Delete a subscription with its pending alerts. Corrections are no longer sent either."""
    with service.outbox() as outbox:
        _require_own(outbox, token, name)
        outbox.unsubscribe(name, token.subscriber)


@router.post("/{name}/pause", response_model=SubscriptionAnswer, responses=_OF_ONE)
def pause_subscription(service: TheService, token: Writer, name: str) -> SubscriptionAnswer:
    """Pause a subscription. Alerts stay pending until it is resumed."""
    with service.outbox() as outbox:
        _require_own(outbox, token, name)
        outbox.pause(name, "paused by the subscriber", token.subscriber)
        return _answer(_require_own(outbox, token, name))


@router.post("/{name}/resume", response_model=SubscriptionAnswer, responses=_OF_ONE)
def resume_subscription(service: TheService, token: Writer, name: str) -> SubscriptionAnswer:
    """Resume a subscription, also one that was paused by failures, a 410 or a revoked token."""
    with service.outbox() as outbox:
        status = _require_own(outbox, token, name)
        if isinstance(status.subscription.goes_to, Webhook):
            _require_reader(token)
        outbox.resume(name, token.subscriber, token_id=token.token_id)
        return _answer(_require_own(outbox, token, name))


@router.post("/{name}/rotate", response_model=SubscriptionAnswer, responses=_OF_ONE_STATE)
def rotate_signing_key(service: TheService, token: Writer, name: str) -> SubscriptionAnswer:
    """Rotate the signing key of a webhook. Messages are signed with the last two keys."""
    with service.outbox() as outbox:
        current = _require_own(outbox, token, name).subscription
        channel = current.goes_to
        if not isinstance(channel, Webhook) or channel.secrets:
            raise Problem(HTTPStatus.CONFLICT, "it has no derived signing key to rotate")
        changed = outbox.rotate_key(name, token.subscriber)
        return _answer(_require_own(outbox, token, name), _key_of(changed, service))


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
            status = _require_own(outbox, token, name)
        except Problem:
            return None
        if status.paused is not None:
            return []
        outbox.release(service.now())
        return outbox.streamed(name, last, service.now(), subscriber=token.subscriber)


def _require_stream(service: Service, token: Token, name: str) -> None:
    with service.outbox() as outbox:
        subscription = _require_own(outbox, token, name).subscription
    if not isinstance(subscription.goes_to, Stream):
        raise Problem(HTTPStatus.CONFLICT, "the subscription has another channel than a stream")


def _wanted(asked: AskedSubscription, token: Token, service: Service) -> Subscription:
    tiers = list(Tier)
    tier = asked.tier or token.tier
    if tiers.index(tier) > tiers.index(token.tier):
        raise Problem(HTTPStatus.FORBIDDEN, f"the token is of the {token.tier} tier")
    channel = asked.channel
    try:
        wanted = Subscription(
            subscription_id=asked.subscription_id,
            subscriber=token.subscriber,
            tier=tier,
            filters=asked.filters,
            channel=Webhook(url=channel.url) if isinstance(channel, AskedWebhook) else channel,
            digest=asked.digest,
            budget_per_day=asked.budget_per_day,
            urgent_per_day=asked.urgent_per_day,
        )
    except ValueError as error:
        msg = "budget_per_day has no effect with a digest; leave one of them out"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, msg) from error
    if isinstance(channel, AskedWebhook):
        _require_reader(token)
    require_sendable(wanted, service.allowed_hosts)
    return wanted


def _require_reader(token: Token) -> None:
    """Require the right to read alerts of who has them sent or counted."""
    if Scope.ALERTS_READ not in token.scopes:
        needed = f"a webhook or a preview needs a token with the scope {Scope.ALERTS_READ}"
        raise Problem(HTTPStatus.FORBIDDEN, needed)


def _published_from(
    start: Start, model: ReadModel, outbox: Outbox, service: Service, tier: Tier
) -> Iterator[Copy]:
    """Yield the copies of a tier from a start on, up to all that were put into the outbox.

    An alert is put into the read model first, and then into the outbox, where a repeat changes
    nothing; unless `tocsin deliver` puts alerts into the same outbox before the server reads them.
    """
    if any(model.place(source) < place for source, place in outbox.places().items()):
        msg = "alerts that are delivered are not read here yet; try again"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, msg)
    published = model.between(tier, start.position, model.last_position(), since=start.since)
    yield from service.with_assessments(tier, published)


def _is_own(status: SubscriptionStatus, token: Token) -> bool:
    """Return whether a subscription has the subscriber of a token, and at most its tier."""
    tiers, subscription = list(Tier), status.subscription
    return subscription.subscriber == token.subscriber and (
        tiers.index(subscription.tier) <= tiers.index(token.tier)
    )


def _require_own(outbox: Outbox, token: Token, name: str) -> SubscriptionStatus:
    for status in outbox.statuses(name, token.subscriber):
        if _is_own(status, token):
            return status
    raise Problem(HTTPStatus.NOT_FOUND, "you have no such subscription")


def _key_of(subscription: Subscription, service: Service) -> str | None:
    channel = subscription.channel
    if not isinstance(channel, Webhook):
        return None
    return derived_key(subscription, channel.generations[0], key=service.key)


def _answer(status: SubscriptionStatus, signing_key: str | None = None) -> SubscriptionAnswer:
    return SubscriptionAnswer(
        subscription=status.subscription.model_dump(mode="json", exclude_none=True),
        resting=status.paused,
        waiting=status.waiting,
        held=status.held,
        delivered=status.delivered,
        signing_key=signing_key,
    )
