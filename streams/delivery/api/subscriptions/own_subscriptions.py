"""Subscriptions of one subscriber, as the HTTP API and the pages of the desk change them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

from schemas.subscription import Subscription, Tier, Webhook
from streams.delivery.api.bodies import AskedSubscription, AskedWebhook
from streams.delivery.api.problems import Problem
from streams.delivery.api.read_model import ReadModel
from streams.delivery.api.service import Service
from streams.delivery.api.subscriptions.preview_cursors import Start, start_at
from streams.delivery.api.tokens import Scope, Token
from streams.delivery.outbox import Outbox
from streams.delivery.sending.signing_keys import derived_key
from streams.delivery.subscription_checks import require_sendable
from streams.delivery.subscription_status import SubscriptionStatus
from streams.delivery.tiers import Copy

__all__ = ["Changed", "OwnSubscriptions", "Owner"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Subscriber that a request is of.

    Attributes
    ----------
    tier
        Highest tier of its subscriptions.
    may_read
        Whether it may read alerts, and so have them sent or counted.
    token_id
        Token that makes its subscriptions; None: the operator.
    """

    subscriber: str
    tier: Tier
    may_read: bool
    token_id: str | None

    @classmethod
    def of(cls, token: Token) -> Self:
        """Return the owner that a token is of."""
        may_read = Scope.ALERTS_READ in token.scopes
        return cls(token.subscriber, token.tier, may_read, token.token_id)

    def owns(self, subscription: Subscription) -> bool:
        """Return whether a subscription is of this subscriber, and at most of its tier."""
        tiers = list(Tier)
        return subscription.subscriber == self.subscriber and (
            tiers.index(subscription.tier) <= tiers.index(self.tier)
        )

    def require_reader(self) -> None:
        """Require the right to read alerts of who has them sent or counted.

        Raises
        ------
        Problem
            403 if it may not.
        """
        if not self.may_read:
            needed = f"a webhook or a preview needs a token with the scope {Scope.ALERTS_READ}"
            raise Problem(HTTPStatus.FORBIDDEN, needed)


@dataclass(frozen=True, slots=True)
class Changed:
    """A subscription after a change, with its signing key if the change gave it a new one."""

    status: SubscriptionStatus
    signing_key: str | None = None


class OwnSubscriptions:
    """Subscriptions of one owner.

    Every method raises a `Problem` of status 404 for a name that the owner has none of.
    """

    def __init__(self, service: Service, owner: Owner) -> None:
        self._service = service
        self.owner = owner

    def all(self) -> list[SubscriptionStatus]:
        """Return their statuses, by name."""
        with self._service.outbox() as outbox:
            every = outbox.statuses(subscriber=self.owner.subscriber)
        return [status for status in every if self.owner.owns(status.subscription)]

    def find(self, name: str) -> SubscriptionStatus:
        """Return the status of one."""
        with self._service.outbox() as outbox:
            return self.require(outbox, name)

    def require(self, outbox: Outbox, name: str) -> SubscriptionStatus:
        """Return the status of one in an open outbox."""
        for status in outbox.statuses(name, self.owner.subscriber):
            if self.owner.owns(status.subscription):
                return status
        raise Problem(HTTPStatus.NOT_FOUND, "you have no such subscription")

    def wanted(self, asked: AskedSubscription) -> Subscription:
        """Return the subscription that is asked for, unsaved.

        Raises
        ------
        Problem
            403 if the owner may not have it, 422 if its parts do not fit together.
        InputError
            If it could never be sent, or its tier may not ask for it.
        """
        tiers = list(Tier)
        tier = asked.tier or self.owner.tier
        if tiers.index(tier) > tiers.index(self.owner.tier):
            raise Problem(HTTPStatus.FORBIDDEN, f"the token is of the {self.owner.tier} tier")
        channel = asked.channel
        try:
            wanted = Subscription(
                subscription_id=asked.subscription_id,
                subscriber=self.owner.subscriber,
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
            self.owner.require_reader()
        require_sendable(wanted, self._service.allowed_hosts)
        return wanted

    def create(self, asked: AskedSubscription) -> Changed:
        """Save a subscription: it receives alerts from now on, or from `after` on.

        Raises
        ------
        Problem
            As `wanted`, and 409 if the owner has one of that name.
        """
        wanted = self.wanted(asked)
        service = self._service
        with service.outbox() as outbox, service.model() as model:
            earlier: Iterable[Copy] = ()
            if asked.after is not None:
                start = start_at(asked.after, model, wanted.tier, key=service.key)
                earlier = _published_from(start, model, outbox, service, wanted.tier)
            stored = outbox.subscribe_new(
                wanted, service.now(), earlier, made_by=self.owner.token_id
            )
            if stored is None:
                msg = "a subscription of yours of that name exists"
                raise Problem(HTTPStatus.CONFLICT, msg)
            return Changed(self.require(outbox, wanted.subscription_id), self._key_of(stored))

    def delete(self, name: str) -> None:
        """Delete one with its pending alerts."""
        with self._service.outbox() as outbox:
            self.require(outbox, name)
            outbox.unsubscribe(name, self.owner.subscriber)

    def pause(self, name: str) -> Changed:
        """Pause one; its alerts stay pending."""
        with self._service.outbox() as outbox:
            self.require(outbox, name)
            outbox.pause(name, "paused by the subscriber", self.owner.subscriber)
            return Changed(self.require(outbox, name))

    def resume(self, name: str) -> Changed:
        """Resume one, whatever paused it.

        Raises
        ------
        Problem
            403 if it is a webhook and the owner may not read alerts.
        """
        with self._service.outbox() as outbox:
            if isinstance(self.require(outbox, name).subscription.goes_to, Webhook):
                self.owner.require_reader()
            outbox.resume(name, self.owner.subscriber, token_id=self.owner.token_id)
            return Changed(self.require(outbox, name))

    def rotate(self, name: str) -> Changed:
        """Give a webhook the next signing key; messages are signed with the last two.

        Raises
        ------
        Problem
            409 if it has no derived key.
        """
        with self._service.outbox() as outbox:
            channel = self.require(outbox, name).subscription.goes_to
            if not isinstance(channel, Webhook) or channel.secrets:
                raise Problem(HTTPStatus.CONFLICT, "it has no derived signing key to rotate")
            changed = outbox.rotate_key(name, self.owner.subscriber)
            return Changed(self.require(outbox, name), self._key_of(changed))

    def _key_of(self, subscription: Subscription) -> str | None:
        channel = subscription.channel
        if not isinstance(channel, Webhook):
            return None
        return derived_key(subscription, channel.generations[0], key=self._service.key)


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
