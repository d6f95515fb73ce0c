"""`tocsin subscriptions`: list, pause, resume, remove and rotate; what waits and why."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from schemas.errors import InputError
from schemas.subscription import Subscription, Webhook
from streams.cli.terminal import Console
from streams.delivery.outbox import Outbox
from streams.delivery.sending.signing_keys import derived_key, installation_key

__all__ = ["OutboxOption", "open_outbox", "print_key", "register"]

OutboxOption = Annotated[
    Path,
    typer.Option(
        "--outbox", metavar="FILE.db", help="SQLite file of subscriptions and pending deliveries."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("subscriptions")(subscriptions)


def subscriptions(
    pause: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Pause a subscription; its alerts stay pending."),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="NAME", help="Resume a paused subscription.")
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Remove a subscription with its pending alerts; corrections are no longer sent.",
        ),
    ] = None,
    rotate: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Give a webhook with a derived signing key the next one, and print it once.",
        ),
    ] = None,
    waiting: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="List what waits for a subscription, and why, and nothing else."
        ),
    ] = None,
    subscriber: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only subscriptions of this subscriber."),
    ] = None,
    outbox: OutboxOption = Path("outbox.db"),
) -> None:
    """List subscriptions with their pending deliveries; pause, resume or remove one first."""
    asked = [name for name in (pause, resume, remove, rotate, waiting) if name is not None]
    if len(asked) > 1:
        msg = (
            "subscriptions: give one of --pause, --resume, --remove, --rotate and --waiting; got "
            f"{len(asked)}"
        )
        raise InputError(msg)
    if waiting is not None:
        _print_waiting(waiting, subscriber, outbox)
        return
    with open_outbox(outbox) as box:
        if pause is not None:
            box.pause(pause, "paused by the operator", subscriber)
        if resume is not None:
            box.resume(resume, subscriber)
        if remove is not None:
            box.unsubscribe(remove, subscriber)
        if rotate is not None:
            print_key(box.rotate_key(rotate, subscriber))
        table = Table(
            "subscription",
            "subscriber",
            "tier",
            "channel",
            "waiting",
            "held",
            "delivered",
            "standing",
        )
        for status in box.statuses(subscriber=subscriber):
            current = status.subscription
            table.add_row(
                current.subscription_id,
                escape(current.subscriber),
                current.tier,
                current.goes_to.kind + (f", {current.digest}" if current.digest else ""),
                str(status.waiting),
                str(status.held),
                str(status.delivered),
                escape(status.paused or ("is tried again" if status.failures else "active")),
            )
    Console().print(table)


def print_key(stored: Subscription) -> None:
    """Print the signing key of a webhook, if it has a derived one."""
    if isinstance(stored.channel, Webhook) and not stored.channel.secrets:
        newest = stored.channel.generations[0]
        key = derived_key(stored, newest, key=installation_key())
        Console().print(f"It is signed with {key}", highlight=False, soft_wrap=True)


def _print_waiting(name: str, subscriber: str | None, outbox: Path) -> None:
    """Print the alerts that wait for a subscription, each with its reason."""
    with open_outbox(outbox) as box:
        statuses = box.statuses(name, subscriber)
        if not statuses:
            msg = f"subscriptions: --waiting: must be one that exists; got {name!r}"
            raise InputError(msg)
        for status in statuses:
            table = Table("signal", "revision", "why", "until (UTC)")
            table.title = f"{name} of {escape(status.subscription.subscriber)}"
            for one in box.waiting(status.subscription):
                why = f"{one.why.value}: {status.paused}" if status.paused else one.why.value
                table.add_row(
                    escape(one.body["signal_key"]),
                    str(one.body["revision"]),
                    escape(why),
                    f"{one.until:%Y-%m-%d %H:%M:%S}" if one.until else "",
                )
            Console().print(table)


def open_outbox(path: Path) -> Outbox:
    """Open an outbox with the installation's secret from the environment."""
    return Outbox(path, key=installation_key())
