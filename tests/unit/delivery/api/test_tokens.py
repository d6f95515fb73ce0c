"""Tokens: created once, found by their full text, refused after revocation."""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.subscription import Tier
from streams.delivery.api.tokens import Scope, TokenStore, reader_token_id
from tests.support.alerts import NOW

READ = frozenset({Scope.ALERTS_READ})


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "outbox.db")


def test_a_token_is_found_by_its_text_and_nothing_else(store: TokenStore) -> None:
    with store:
        text = store.add("PMDA", Tier.CONSUMER, READ, NOW)
        found = store.find(text)
        assert found is not None
        assert (found.subscriber, found.tier, found.scopes) == ("PMDA", Tier.CONSUMER, READ)
        assert text.split("_")[1] == found.token_id
        other = store.add("EMA", Tier.CONSUMER, READ, NOW)
        mixed = "_".join(["tocsin", text.split("_")[1], other.split("_")[2]])
        for wrong in ("", "x", text[:-1], text + "0", text.upper(), mixed):
            assert store.find(wrong) is None


def test_a_revoked_token_is_listed_and_refused(store: TokenStore) -> None:
    with store:
        text = store.add("PMDA", Tier.CONSUMER, READ, NOW)
        name = text.split("_")[1]
        for later in (1, 2):  # a repetition keeps the first time
            store.revoke(name, NOW + timedelta(hours=later))
        assert store.find(text) is None
        (listed,) = store.tokens()
        assert (listed.made_at, listed.revoked_at) == (NOW, NOW + timedelta(hours=1))
        with pytest.raises(InputError, match="must be the id of one that exists; got 'nobody'"):
            store.revoke("nobody", NOW)


@pytest.mark.parametrize(
    ("subscriber", "tier", "scopes", "rule"),
    [
        ("PMDA", Tier.AUTHORITY, frozenset(), r"must have a scope .* got none"),
        ("X", Tier.CONSUMER, READ | {Scope.DECISIONS_WRITE}, "of the authority tier for decisions"),
        (" ", Tier.AUTHORITY, READ, "must name its subscriber"),
        ("x" * 201, Tier.AUTHORITY, READ, "at most 200 characters"),
    ],
)
def test_an_invalid_token_is_not_created(
    store: TokenStore, subscriber: str, tier: Tier, scopes: frozenset[Scope], rule: str
) -> None:
    with store:
        with pytest.raises(InputError, match=rule):
            store.add(subscriber, tier, scopes, NOW)
        assert store.tokens() == []


def test_a_token_is_narrowed_and_never_widened(store: TokenStore) -> None:
    with store:
        both = READ | {Scope.SUBSCRIPTIONS_WRITE}
        text = store.add("PMDA", Tier.CONSUMER, both, NOW)
        name = text.split("_")[1]
        assert store.narrow(name).scopes == both
        narrowed = store.narrow(name, tier=Tier.PUBLIC, scopes=READ)
        assert (narrowed.tier, narrowed.scopes) == (Tier.PUBLIC, READ)
        assert store.find(text) == narrowed
        for wider in ({"tier": Tier.CONSUMER}, {"scopes": both}):
            with pytest.raises(InputError, match="may only be narrowed, from public and alerts:re"):
                store.narrow(name, **wider)
        assert store.find(text) == narrowed
        with pytest.raises(InputError, match="must be the id of one that exists; got 'nobody'"):
            store.narrow("nobody", tier=Tier.PUBLIC)
        decides = store.add("PMDA", Tier.AUTHORITY, READ | {Scope.DECISIONS_WRITE}, NOW)
        with pytest.raises(InputError, match="must be of the authority tier for decisions"):
            store.narrow(decides.split("_")[1], tier=Tier.CONSUMER)


def test_a_readers_token_has_no_text_and_what_the_reader_has_now(store: TokenStore) -> None:
    with store:
        token_id = store.of_reader("M. Okafor", Tier.AUTHORITY, READ, NOW)
        assert token_id == reader_token_id("M. Okafor") != reader_token_id("another")
        for text in ("-", "0" * 64, "f" * 64):
            assert store.find(f"tocsin_{token_id}_{text}") is None
        later = NOW + timedelta(hours=1)
        assert store.of_reader("M. Okafor", Tier.PUBLIC, READ, later) == token_id
        (listed,) = store.tokens()
        assert (listed.subscriber, listed.tier, listed.made_at) == ("M. Okafor", Tier.PUBLIC, NOW)
        store.revoke(token_id, NOW)
        assert store.of_reader("M. Okafor", Tier.AUTHORITY, READ, later) is None


def test_operations_are_of_authorities_alone(store: TokenStore) -> None:
    with store, pytest.raises(InputError, match="of the authority tier for operations:write"):
        store.add("PMDA", Tier.CONSUMER, READ | {Scope.OPERATIONS_WRITE}, NOW)
