"""Subscriptions of one owner: whose they are, and what the operator's own have no need of."""

from http import HTTPStatus

import pytest

from schemas.subscription import Tier
from streams.delivery.api.bodies import AskedSubscription, AskedWebhook
from streams.delivery.api.problems import Problem
from streams.delivery.api.service import Service
from streams.delivery.api.subscriptions.own_subscriptions import Owner, OwnSubscriptions

OPERATOR = Owner("M. Okafor", Tier.AUTHORITY, may_read=True, token_id=None)
HOOK = AskedSubscription(
    subscription_id="hook", channel=AskedWebhook(url="https://receiver.example/hook")
)


def _refused(status: HTTPStatus) -> "pytest.RaisesExc[Problem]":
    return pytest.RaisesExc(Problem, check=lambda problem: problem.status == status)


@pytest.mark.parametrize(
    ("subscriber", "tier"), [("PMDA", Tier.AUTHORITY), ("M. Okafor", Tier.CONSUMER)]
)
def test_one_of_another_subscriber_or_a_higher_tier_is_none(
    service: Service, subscriber: str, tier: Tier
) -> None:
    mine = OwnSubscriptions(service, OPERATOR)
    mine.create(HOOK)
    other = OwnSubscriptions(service, Owner(subscriber, tier, may_read=True, token_id=None))
    assert other.all() == []
    for act in (other.find, other.pause, other.resume, other.rotate, other.delete):
        with _refused(HTTPStatus.NOT_FOUND):
            act("hook")
    assert [status.paused for status in mine.all()] == [None]


def test_the_operators_are_not_paused_for_want_of_a_token(service: Service) -> None:
    mine = OwnSubscriptions(service, OPERATOR)
    created = mine.create(HOOK)
    assert created.signing_key is not None
    mine.pause("hook")
    assert mine.resume("hook").status.paused is None
    assert mine.find("hook").paused is None


def test_who_may_not_read_has_no_webhook_made_or_resumed(service: Service) -> None:
    OwnSubscriptions(service, OPERATOR).create(HOOK)
    blind = OwnSubscriptions(
        service, Owner("M. Okafor", Tier.AUTHORITY, may_read=False, token_id=None)
    )
    with _refused(HTTPStatus.FORBIDDEN):
        blind.resume("hook")
    with _refused(HTTPStatus.FORBIDDEN):
        blind.create(HOOK.model_copy(update={"subscription_id": "another"}))
    with _refused(HTTPStatus.CONFLICT):
        OwnSubscriptions(service, OPERATOR).create(HOOK)
