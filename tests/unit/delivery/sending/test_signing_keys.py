"""Signing keys: derived from the installation's secret, or named in the environment."""

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from schemas.errors import InputError
from schemas.subscription import Stream, Webhook
from streams.delivery.sending.signing_keys import (
    TIER_KEY,
    derived_key,
    installation_key,
    signing_keys,
)
from tests.support.alerts import KEY, SECRET, subscription

HOOK = Webhook(url="https://receiver.example/hook")
ASKED = subscription().model_copy(update={"url": None, "secrets": (), "channel": HOOK})


@pytest.mark.parametrize("value", [None, "", "k" * 15])
def test_the_secret_of_an_installation_must_be_set_and_long(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TIER_KEY, raising=False)
    if value is not None:
        monkeypatch.setenv(TIER_KEY, value)
    with pytest.raises(InputError, match="must be in the environment, at least 16 characters"):
        installation_key()
    monkeypatch.setenv(TIER_KEY, "k" * 16)
    assert installation_key() == b"k" * 16


def test_a_derived_key_is_of_one_subscription_generation_and_installation() -> None:
    others = [
        derived_key(ASKED, 2, key=KEY),
        derived_key(ASKED.model_copy(update={"subscription_id": "t"}), 1, key=KEY),
        derived_key(ASKED.model_copy(update={"subscriber": "EMA"}), 1, key=KEY),
        derived_key(ASKED, 1, key=b"z" * 32),
    ]
    first = derived_key(ASKED, 1, key=KEY)
    assert first == derived_key(ASKED, 1, key=KEY)
    assert len({first, *others}) == 5
    Verifier(first)  # raises if it is invalid


def test_during_a_rotation_a_webhook_is_signed_with_both_keys() -> None:
    rotated = ASKED.model_copy(update={"channel": HOOK.model_copy(update={"generations": (2, 1)})})
    assert signing_keys(ASKED, key=KEY) == [derived_key(ASKED, 1, key=KEY)]
    assert signing_keys(rotated, key=KEY) == [derived_key(rotated, n, key=KEY) for n in (2, 1)]


def test_named_keys_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOOK", SECRET)
    assert signing_keys(subscription(), key=KEY) == [SECRET]
    monkeypatch.delenv("HOOK")
    with pytest.raises(InputError, match="HOOK: must hold base64"):
        signing_keys(subscription(), key=KEY)


def test_other_channels_have_none() -> None:
    stream = ASKED.model_copy(update={"channel": Stream()})
    assert signing_keys(stream, key=KEY) == []
