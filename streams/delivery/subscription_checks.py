"""Checks of a subscription when it is saved, over HTTP and on the command line alike."""

import os
from collections.abc import Callable, Collection, Mapping

from schemas.alert_reason import AlertKind, SignalLevel
from schemas.domain import domain_vocabulary
from schemas.errors import InputError
from schemas.normal_form import normal_drug, normal_term
from schemas.safety_alert import AlertCategory, SafetyAlertKind
from schemas.subscription import SDR, Filters, OwnTopic, Subscription, Webhook
from streams.delivery.matching import require_askable
from streams.delivery.sending.network_guard import NetworkGuard
from streams.delivery.sending.webhook_url import AllowedHosts, parse_webhook_url

__all__ = ["MOST_FILTER_VALUES", "require_sendable"]

MOST_FILTER_VALUES = 200
"""Values of all filters of a subscription together: each alert is compared with all of them."""


def require_sendable(
    subscription: Subscription,
    allowed: AllowedHosts | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Refuse a subscription that could never be sent, or that its tier may not ask for.

    Parameters
    ----------
    allowed
        Hosts that the operator exempts.
    environment
        Where the signing keys of a webhook are, by their names.

    Raises
    ------
    InputError
        If its URL is malformed, its address private, a signing key missing, a filter too large,
        unmatchable or not for its tier.
    """
    require_askable(subscription.tier, subscription.filters)
    _require_matchable(subscription.filters)
    channel = subscription.goes_to
    if isinstance(channel, Webhook):
        _require_webhook(channel, allowed or AllowedHosts(), environment)
    if isinstance(channel, OwnTopic) and channel.topic in (".", ".."):
        msg = f"topic: must be a name that Kafka accepts; got {channel.topic!r}"
        raise InputError(msg)


def _require_webhook(
    channel: Webhook, allowed: AllowedHosts, environment: Mapping[str, str]
) -> None:
    # Imported here, since the library of signatures is slow to import.
    from streams.delivery.sending.webhook import require_secret

    url = parse_webhook_url(channel.url, allowed)
    if not allowed.allows(url.host, url.port) and _is_private(url.host):
        msg = f"webhook: the URL must have a public address; got {url.host}"
        raise InputError(msg)
    for name in channel.secrets:
        require_secret(environment.get(name, ""), name)


def _is_private(host: str) -> bool:
    """Return whether a host is an address that is not public; names are looked up when sending."""
    try:
        return not NetworkGuard().is_public(host)
    except ValueError:
        return False


def _require_matchable(filters: Filters) -> None:
    """Refuse values that no alert can have."""
    known: Mapping[str, Collection[str]] = {
        "categories": (SDR, *AlertCategory),
        "kinds": {*AlertKind, *SafetyAlertKind},
        "families": domain_vocabulary().families,
        "levels": tuple(SignalLevel),
    }
    for field, values in known.items():
        folded = {value.casefold() for value in values}
        for asked in getattr(filters, field):
            if asked.casefold() not in folded:
                names = ", ".join(sorted(map(str, values)))
                msg = f"subscription: {field} must be of {names}; got {asked!r}, which no alert has"
                raise InputError(msg)
    forms: Mapping[str, Callable[[str], str]] = {
        "products": normal_drug,
        "terms": normal_term,
        "classes": str.strip,
    }
    for field, form in forms.items():
        for asked in getattr(filters, field):
            if not form(asked) or not asked.isprintable():
                msg = f"subscription: {field} must be names; got {asked!r}, which no alert has"
                raise InputError(msg)
    number = sum(len(found) for _, found in filters if isinstance(found, tuple))
    if number > MOST_FILTER_VALUES:
        msg = (
            f"subscription: all filters must have at most {MOST_FILTER_VALUES} values; got {number}"
        )
        raise InputError(msg)
