"""Signing keys of webhooks: from the environment, or derived from the installation's secret."""

import base64
import hashlib
import hmac
import json
import os

from schemas.errors import InputError
from schemas.subscription import Subscription, Webhook

__all__ = ["TIER_KEY", "derived_key", "installation_key", "signing_keys"]

TIER_KEY = "TIER_KEY"
"""Environment variable with the installation's secret."""

_LEAST = 16  # characters


def installation_key() -> bytes:
    """Return the installation's secret.

    Raises
    ------
    InputError
        If it is missing or short.
    """
    key = os.environ.get(TIER_KEY, "")
    if len(key) < _LEAST:
        msg = (
            f"{TIER_KEY}: must be in the environment, at least {_LEAST} characters that nobody can "
            "guess: codes of lots and makers in copies for the public are made with it; keep it"
        )
        raise InputError(msg)
    return key.encode()


def derived_key(subscription: Subscription, generation: int, *, key: bytes) -> str:
    """Derive the signing key of a subscription; it is stored nowhere.

    Parameters
    ----------
    generation
        1, 2, 3 ...; each rotation uses the next number.
    key
        The installation's secret, from which every key can be derived.
    """
    name = [subscription.subscriber, subscription.subscription_id, generation]
    channel = subscription.goes_to
    if isinstance(channel, Webhook) and channel.key_salt:
        name.append(channel.key_salt)
    raw = hmac.new(key, b"webhook" + json.dumps(name).encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(raw).decode()


def signing_keys(subscription: Subscription, *, key: bytes) -> list[str]:
    """Return the keys that a webhook signs with, two during a rotation; none for other channels.

    Raises
    ------
    InputError
        If a named environment variable holds no valid key.
    """
    channel = subscription.goes_to
    if not isinstance(channel, Webhook):
        return []
    if not channel.secrets:
        return [derived_key(subscription, n, key=key) for n in channel.generations]
    # Imported here, since the library belongs to an extra that only webhooks need.
    from streams.delivery.sending.webhook import require_secret

    return [require_secret(os.environ.get(name, ""), name) for name in channel.secrets]
