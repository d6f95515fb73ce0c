"""Stored subscriptions: names by subscriber, keys that are never used again, and their tokens."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.subscription import Subscription, Tier, Webhook
from streams.delivery.api.tokens import Scope, TokenStore
from streams.delivery.outbox import Outbox
from streams.delivery.sending.signing_keys import derived_key
from streams.delivery.subscription_book import MOST_OF_A_TOKEN
from tests.support.alerts import KEY, NOW, signal, subscription

READ = frozenset({Scope.ALERTS_READ, Scope.SUBSCRIPTIONS_WRITE})


def webhook(
    name: str = "hook", subscriber: str = "PMDA", tier: Tier = Tier.CONSUMER
) -> Subscription:
    channel = Webhook(url="https://x.example/")
    fields = {"channel": channel, "url": None, "secrets": (), "subscriber": subscriber}
    return subscription(tier, name=name).model_copy(update=fields)


def key_of_first(outbox: Outbox) -> str:
    (status,) = outbox.statuses()
    channel = status.subscription.goes_to
    assert isinstance(channel, Webhook)
    return derived_key(status.subscription, channel.generations[0], key=KEY)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", key=KEY) as opened:
        yield opened


@pytest.fixture
def tokens(tmp_path: Path, outbox: Outbox) -> Iterator[TokenStore]:
    with TokenStore(tmp_path / "outbox.db") as opened:
        yield opened


def made(tokens: TokenStore, tier: Tier = Tier.CONSUMER) -> str:
    return tokens.add("PMDA", tier, READ, NOW).split("_")[1]


def test_a_key_is_never_used_again_after_a_deletion(outbox: Outbox) -> None:
    keys = set()
    for n in range(4):
        if n % 2:
            outbox.subscribe(webhook())
        else:
            assert outbox.subscribe_new(webhook(), NOW) is not None
        keys.add(key_of_first(outbox))
        outbox.unsubscribe("hook")
    assert len(keys) == 4


def test_a_replaced_subscription_keeps_its_keys_also_after_a_rotation(outbox: Outbox) -> None:
    outbox.subscribe(webhook())
    outbox.rotate_key("hook")
    rotated = key_of_first(outbox)
    stored = outbox.subscribe(webhook(tier=Tier.AUTHORITY))
    assert isinstance(stored.channel, Webhook)
    assert stored.channel.generations == (2, 1)
    assert key_of_first(outbox) == rotated
    outbox.subscribe(subscription(name="hook"))  # keys of the environment, and back
    outbox.subscribe(webhook())
    assert key_of_first(outbox) != rotated
    for name, rule in (("none", "must be one that exists"), ("s", "must have a derived key")):
        outbox.subscribe(subscription(name="s"))
        with pytest.raises(InputError, match=rule):
            outbox.rotate_key(name)


def test_an_outbox_of_the_second_format_keeps_its_keys_and_messages(tmp_path: Path) -> None:
    path, old = tmp_path / "old.db", webhook()
    key = derived_key(old, 1, key=KEY)
    with Outbox(path, key=KEY) as outbox:
        outbox.subscribe(old)
        outbox.put(signal(), source="a", position=0, now=NOW)
    with sqlite3.connect(path) as db:  # as it was before names were by subscriber
        db.execute("UPDATE subscription SET id = 'hook', body = ?", (old.model_dump_json(),))
        db.executescript("""
        UPDATE due SET subscription = 'hook';
        UPDATE told SET subscription = 'hook';
        ALTER TABLE subscription DROP COLUMN made_by;
        PRAGMA user_version = 2;
        """)
    db.close()
    with Outbox(path, key=KEY) as outbox:
        assert key_of_first(outbox) == key
        assert [due.subscription.subscription_id for due in outbox.due(NOW)] == ["hook"]
        outbox.put(signal(revision=2), source="a", position=1, now=NOW)
        (status,) = outbox.statuses()
        assert (status.waiting, status.paused) == (2, None)
        outbox.unsubscribe("hook")
        assert outbox.subscribe_new(webhook(), NOW)
        assert key_of_first(outbox) != key


def test_subscribers_have_the_same_name_and_their_own_messages(outbox: Outbox) -> None:
    for who in ("PMDA", "EMA"):
        assert outbox.subscribe_new(webhook(subscriber=who), NOW) is not None
        assert outbox.subscribe_new(webhook(subscriber=who), NOW) is None
    outbox.put(signal(), source="a", position=0, now=NOW)
    with pytest.raises(InputError, match="must be of one subscriber; got 'hook' of EMA, PMDA"):
        outbox.pause("hook", "x")
    outbox.pause("hook", "x", "EMA")
    assert [due.subscription.subscriber for due in outbox.due(NOW)] == ["PMDA"]
    outbox.unsubscribe("hook", "PMDA")
    (status,) = outbox.statuses()
    assert (status.subscription.subscriber, status.paused, status.waiting) == ("EMA", "x", 1)
    with pytest.raises(InputError, match="must be one that exists; got 'hook'"):
        outbox.resume("hook", "PMDA")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("revoked", "was revoked on 2024-01-01"),
        ("tier", "is of the public tier now"),
        ("scope", "no longer has the scope alerts:read"),
    ],
)
def test_a_revoked_or_narrowed_token_pauses_what_it_made_before_the_next_message(
    outbox: Outbox, tokens: TokenStore, change: str, reason: str
) -> None:
    token, other = made(tokens), made(tokens)
    outbox.subscribe_new(webhook(), NOW, made_by=token)
    outbox.subscribe_new(webhook("other"), NOW, made_by=other)
    outbox.subscribe(webhook("operator"))
    outbox.put(signal(), source="a", position=0, now=NOW)
    assert len(outbox.due(NOW)) == 3
    if change == "revoked":
        tokens.revoke(token, NOW)
    elif change == "tier":
        tokens.narrow(token, tier=Tier.PUBLIC)
    else:
        tokens.narrow(token, scopes=frozenset({Scope.SUBSCRIPTIONS_WRITE}))
    names = {due.subscription.subscription_id for due in outbox.due(NOW)}
    assert names == {"operator", "other"}
    assert outbox.statuses("hook")[0].paused == f"the token {token} that made it {reason}"
    outbox.resume("hook")  # the operator gives it no token
    assert len(outbox.due(NOW)) == 2
    outbox.resume("hook", token_id=other)  # another token takes it over
    assert len(outbox.due(NOW)) == 3
    tokens.revoke(other, NOW + timedelta(days=1))
    assert [due.subscription.subscription_id for due in outbox.due(NOW)] == ["operator"]
    outbox.subscribe(webhook())  # the operator makes it
    outbox.resume("hook")
    assert len(outbox.due(NOW)) == 2


def test_a_token_may_make_a_limited_number(outbox: Outbox, tokens: TokenStore) -> None:
    token = made(tokens)
    for n in range(MOST_OF_A_TOKEN):
        assert outbox.subscribe_new(webhook(f"s{n}"), NOW, made_by=token)
    with pytest.raises(InputError, match="a token may have made 20; got one more: delete one"):
        outbox.subscribe_new(webhook("more"), NOW, made_by=token)
    assert outbox.subscribe_new(webhook("more"), NOW, made_by=made(tokens))
    outbox.unsubscribe("s0")
    assert outbox.subscribe_new(webhook("again"), NOW, made_by=token)
