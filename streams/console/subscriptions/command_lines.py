"""Command lines that do what a form of the pages does, ready to be copied."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from schemas.subscription import Filters, Subscription

__all__ = ["of_act", "of_subscribing"]

# Options of `tocsin subscribe` by the name of the filter.
_OPTIONS = {
    "categories": "--category",
    "kinds": "--kind",
    "jurisdictions": "--jurisdiction",
    "classes": "--class",
    "products": "--product",
    "terms": "--term",
    "families": "--family",
    "levels": "--level",
    "grades": "--grade",
    "rules": "--rule",
    "windows": "--window",
}


def of_act(act: str, subscription: Subscription, outbox: Path) -> str:
    """Return the command that pauses, resumes, removes, rotates or lists what waits.

    >>> wanted = Subscription.model_validate_json(
    ...     '{"subscription_id": "s", "subscriber": "M. O", "tier": "public",'
    ...     ' "channel": {"kind": "stream"}}')
    >>> of_act("pause", wanted, Path("outbox.db"))
    "tocsin subscriptions --pause s --subscriber 'M. O' --outbox outbox.db"
    """
    return shlex.join(
        [
            "tocsin",
            "subscriptions",
            f"--{act}",
            subscription.subscription_id,
            "--subscriber",
            subscription.subscriber,
            "--outbox",
            str(outbox),
        ]
    )


def of_subscribing(
    name: str, subscriber: str, tier: str, filters: Filters, channel: str, outbox: Path
) -> str:
    """Return the command that saves a subscription with these filters.

    Parameters
    ----------
    channel
        Option of the channel, such as ``--stream``.
    """
    words = ["tocsin", "subscribe", name, "--subscriber", subscriber, "--tier", tier, channel]
    return shlex.join([*words, *_filter_options(filters), "--outbox", str(outbox)])


def _filter_options(filters: Filters) -> Iterator[str]:
    for name, option in _OPTIONS.items():
        found = getattr(filters, name)
        if found != getattr(Filters(), name):
            for value in found:
                yield from (option, str(value))
    if filters.urgent_only:
        yield "--urgent-only"
    if filters.min_priority is not None:
        yield from ("--min-priority", filters.min_priority.value)
