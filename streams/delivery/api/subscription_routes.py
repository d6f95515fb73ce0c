"""Subscriptions of who holds the token, and their streams of server-sent events."""

from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from schemas.subscription import Stream, Subscription, Tier, Webhook
from streams.delivery.api.bodies import AskedSubscription, AskedWebhook, body_of, described
from streams.delivery.api.guard import needs, the_service
from streams.delivery.api.problems import Problem
from streams.delivery.api.service import Service
from streams.delivery.api.tokens import Scope, Token
from streams.delivery.matching import PREVIEW_DAYS, require_askable, would_send
from streams.delivery.outbox import Outbox
from streams.delivery.signing_keys import derived_key
from streams.delivery.subscription_status import SubscriptionStatus

__all__ = ["router"]

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"])

MOST_STREAMS = 4  # of one token at a time; each costs a connection and a look every second
_PING_SECONDS = 15

TheService = Annotated[Service, Depends(the_service)]
Writer = Annotated[Token, Depends(needs(Scope.SUBSCRIPTIONS_WRITE))]
Asked = Annotated[AskedSubscription, Depends(body_of(AskedSubscription))]


class SubscriptionAnswer(BaseModel):
    """A subscription and how it stands."""

    subscription: dict[str, Any] = Field(description="As it is held.")
    resting: str | None = Field(description="Why nothing is sent; null while it is active.")
    waiting: int = Field(description="Alerts that are not delivered.")
    held: int = Field(description="Those of them that wait for a digest or the day after.")
    delivered: int = Field(description="Alerts that were delivered.")
    signing_key: str | None = Field(
        default=None, description="Of a webhook that was just made, or whose key was; shown once."
    )


class SubscriptionList(BaseModel):
    """The subscriptions of who asks."""

    subscriptions: list[SubscriptionAnswer] = Field(description="By name.")


class Preview(BaseModel):
    """What a subscription would have sent."""

    days: int = Field(description="Days up to the latest alert.")
    alerts: int = Field(description="How many alerts.")
    by_category_and_kind: dict[str, int] = Field(description="The same, by category and kind.")


@router.get("", response_model=SubscriptionList)
def list_own(service: TheService, token: Writer) -> SubscriptionList:
    """Show your own subscriptions."""
    with service.outbox() as outbox:
        own = [one for one in outbox.standing() if _is_own(one, token)]
    return SubscriptionList(subscriptions=[_answer(one) for one in own])


@router.post(
    "",
    status_code=201,
    response_model=SubscriptionAnswer,
    openapi_extra=described(AskedSubscription),
)
def create(
    service: TheService, token: Writer, asked: Asked, response: Response
) -> SubscriptionAnswer:
    """Subscribe. Alerts from now on go to it."""
    wanted = _wanted(asked, token)
    with service.outbox() as outbox:
        if not outbox.subscribe_new(wanted):
            raise Problem(HTTPStatus.CONFLICT, "a subscription of that name exists")
        standing = _require_own(outbox, token, wanted.subscription_id)
    response.headers["location"] = f"/v1/subscriptions/{wanted.subscription_id}"
    return _answer(standing, _key_of(wanted, service))


@router.post("/preview", response_model=Preview, openapi_extra=described(AskedSubscription))
def preview(service: TheService, token: Writer, asked: Asked) -> Preview:
    """Show what it would have sent over the last 90 days; nothing is saved."""
    with service.model() as model:
        found = would_send(_wanted(asked, token), model.recent(PREVIEW_DAYS))
    named = {f"{category} {kind}": number for (category, kind), number in sorted(found.items())}
    return Preview(days=PREVIEW_DAYS, alerts=found.total(), by_category_and_kind=named)


@router.get("/{name}", response_model=SubscriptionAnswer)
def show(service: TheService, token: Writer, name: str) -> SubscriptionAnswer:
    """Show one of your subscriptions."""
    with service.outbox() as outbox:
        return _answer(_require_own(outbox, token, name))


@router.delete("/{name}", status_code=204)
def delete(service: TheService, token: Writer, name: str) -> None:
    """Unsubscribe. What waits is dropped, and corrections of what was sent no longer come."""
    with service.outbox() as outbox:
        _require_own(outbox, token, name)
        outbox.unsubscribe(name)


@router.post("/{name}/pause", response_model=SubscriptionAnswer)
def pause(service: TheService, token: Writer, name: str) -> SubscriptionAnswer:
    """Send nothing until it is resumed; what comes meanwhile waits."""
    with service.outbox() as outbox:
        _require_own(outbox, token, name)
        outbox.pause(name, "paused by the subscriber")
        return _answer(_require_own(outbox, token, name))


@router.post("/{name}/resume", response_model=SubscriptionAnswer)
def resume(service: TheService, token: Writer, name: str) -> SubscriptionAnswer:
    """Send again, also after a 410 or days without an answer."""
    with service.outbox() as outbox:
        _require_own(outbox, token, name)
        outbox.resume(name)
        return _answer(_require_own(outbox, token, name))


@router.post("/{name}/rotate", response_model=SubscriptionAnswer)
def rotate(service: TheService, token: Writer, name: str) -> SubscriptionAnswer:
    """Give a webhook a new signing key. Messages are signed with the last two."""
    with service.outbox() as outbox:
        held = _require_own(outbox, token, name).subscription
        channel = held.goes_to
        if not isinstance(channel, Webhook) or channel.secrets:
            raise Problem(HTTPStatus.CONFLICT, "it has no key that can be made anew here")
        newest = channel.generations[0]
        channel = channel.model_copy(update={"generations": (newest + 1, newest)})
        changed = held.model_copy(update={"channel": channel})
        outbox.subscribe(changed)
        return _answer(_require_own(outbox, token, name), _key_of(changed, service))


@router.get("/{name}/events", response_class=EventSourceResponse)
async def events(
    request: Request,
    service: TheService,
    token: Annotated[Token, Depends(needs(Scope.ALERTS_READ))],
    name: str,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventSourceResponse:
    """Send the alerts of a stream, in order, for ever; each event has the id of its message.

    `Last-Event-ID` goes on after an event; without it, or with one that is not known, everything
    comes from the first.
    """
    await run_in_threadpool(_require_stream, service, token, name)
    open_streams: Counter[str] = request.app.state.streams
    if open_streams[token.token_id] >= MOST_STREAMS:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"a token may have {MOST_STREAMS} streams open",
            {"retry-after": str(_PING_SECONDS)},
        )
    bearer = request.headers["authorization"].partition(" ")[2]

    async def messages() -> AsyncIterator[ServerSentEvent]:
        open_streams[token.token_id] += 1
        last = last_event_id
        try:
            while True:
                found = await run_in_threadpool(_further, service, bearer, name, last)
                if found is None:
                    return  # the token was revoked, or the subscription is gone
                for last, body in found:
                    yield ServerSentEvent(data=body, id=last, event="alert")
                if not found:
                    await anyio.sleep(service.poll_seconds)
        finally:
            open_streams[token.token_id] -= 1

    return EventSourceResponse(messages(), ping=_PING_SECONDS)


def _further(
    service: Service, bearer: str, name: str, last: str | None
) -> list[tuple[str, str]] | None:
    with service.tokens() as store:
        token = store.find(bearer)
    if token is None:
        return None
    with service.outbox() as outbox:
        try:
            standing = _require_own(outbox, token, name)
        except Problem:
            return None
        if standing.resting is not None:
            return []
        outbox.release(service.now())
        return outbox.streamed(name, last, service.now())


def _require_stream(service: Service, token: Token, name: str) -> None:
    with service.outbox() as outbox:
        held = _require_own(outbox, token, name).subscription
    if not isinstance(held.goes_to, Stream):
        raise Problem(HTTPStatus.CONFLICT, "it goes to another channel")


def _wanted(asked: AskedSubscription, token: Token) -> Subscription:
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
        )
    except ValueError as error:
        msg = "budget_per_day has nothing to hold back where there is a digest; leave one out"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, msg) from error
    require_askable(wanted)
    return wanted


def _is_own(standing: SubscriptionStatus, token: Token) -> bool:
    """Whether a token may have to do with a subscription: one of its subscriber, in its tier."""
    tiers, held = list(Tier), standing.subscription
    return held.subscriber == token.subscriber and (
        tiers.index(held.tier) <= tiers.index(token.tier)
    )


def _require_own(outbox: Outbox, token: Token, name: str) -> SubscriptionStatus:
    for standing in outbox.standing(name):
        if _is_own(standing, token):
            return standing
    raise Problem(HTTPStatus.NOT_FOUND, "you have no such subscription")


def _key_of(subscription: Subscription, service: Service) -> str | None:
    channel = subscription.channel
    if not isinstance(channel, Webhook):
        return None
    return derived_key(subscription, channel.generations[0], key=service.key)


def _answer(standing: SubscriptionStatus, signing_key: str | None = None) -> SubscriptionAnswer:
    return SubscriptionAnswer(
        subscription=standing.subscription.model_dump(mode="json", exclude_none=True),
        resting=standing.resting,
        waiting=standing.waiting,
        held=standing.held,
        delivered=standing.delivered,
        signing_key=signing_key,
    )
