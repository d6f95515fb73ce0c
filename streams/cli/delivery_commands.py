"""`tocsin subscribe`, `subscriptions` and `deliver`: alerts to webhooks."""

import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.errors import InputError
from schemas.subscription import Filters, Subscription, Tier
from streams.cli.tables import summary_table
from streams.delivery.matching import category_of, matches
from streams.delivery.outbox import Due, Outbox, deliver
from streams.delivery.reading import read_alert_lines
from streams.delivery.schedule import Attempt

__all__ = ["register"]

_PREVIEW = timedelta(days=90)
_IDLE_SECONDS = 5.0  # between two looks at the file
_KEY = "TIER_KEY"

OutboxOption = Annotated[
    Path, typer.Option("--outbox", help="SQLite file with subscriptions and what is due to them.")
]
ManyOption = Annotated[list[str] | None, typer.Option()]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("subscribe")(subscribe)
    app.command("subscriptions")(subscriptions)
    app.command("deliver")(deliver_command)


def subscribe(
    name: Annotated[str, typer.Argument(help="Name of the subscription.")],
    subscriber: Annotated[str, typer.Option(help="Who receives.")],
    url: Annotated[str, typer.Option(help="Where the webhook posts to; https.")],
    secret: Annotated[
        list[str],
        typer.Option(help="Environment variable with a signing key; two during a rotation."),
    ],
    tier: Annotated[Tier, typer.Option(help="How much they may see.")] = Tier.PUBLIC,
    category: ManyOption = None,
    kind: ManyOption = None,
    jurisdiction: ManyOption = None,
    product_class: Annotated[list[str] | None, typer.Option("--class")] = None,
    product: ManyOption = None,
    term: ManyOption = None,
    family: ManyOption = None,
    rule: ManyOption = None,
    window: ManyOption = None,
    urgent_only: Annotated[bool, typer.Option("--urgent-only")] = False,
    preview: Annotated[
        Path | None, typer.Option(help="Alerts to show what it would have sent in 90 days.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Save without asking.")] = False,
    outbox: OutboxOption = Path("outbox.db"),
) -> None:
    """Save a subscription, after a look at what it would have sent over the last 90 days.

    tocsin subscribe pmda --subscriber PMDA --tier authority --jurisdiction JP --url
    https://pmda.example/hook --secret PMDA_HOOK --preview alerts.jsonl
    """
    try:
        wanted = Subscription(
            subscription_id=name,
            subscriber=subscriber,
            tier=tier,
            url=url,
            secrets=tuple(secret),
            filters=Filters(
                categories=tuple(category or ()),
                kinds=tuple(kind or ()),
                jurisdictions=tuple(jurisdiction or ()),
                classes=tuple(product_class or ()),
                products=tuple(product or ()),
                terms=tuple(term or ()),
                families=tuple(family or ()),
                rules=tuple(rule or ()),
                windows=tuple(window or ()),
                urgent_only=urgent_only,
            ),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"subscription: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(msg) from error
    console = Console()
    if preview is not None:
        console.print(_previewed(wanted, preview))
    if not yes:
        typer.confirm("Save it?", abort=True)
    with _opened(outbox) as box:
        box.subscribe(wanted)
    console.print(f"{name} is saved in {outbox}; alerts from now on go to it.", highlight=False)


def subscriptions(
    resume: Annotated[
        str | None, typer.Option(help="Send again to a subscription that rests.")
    ] = None,
    outbox: OutboxOption = Path("outbox.db"),
) -> None:
    """Show every subscription, what waits for it, and why it rests if it does."""
    with _opened(outbox) as box:
        if resume is not None:
            box.resume(resume)
        table = Table("subscription", "subscriber", "tier", "waiting", "delivered", "standing")
        for one in box.standing():
            held = one.subscription
            table.add_row(
                held.subscription_id,
                escape(held.subscriber),
                held.tier,
                str(one.waiting),
                str(one.delivered),
                escape(one.resting or ("active" if not one.failures else "is tried again")),
            )
    Console().print(table)


def deliver_command(
    alerts: Annotated[Path, typer.Argument(help="Alerts as JSON lines; it may still grow.")],
    outbox: OutboxOption = Path("outbox.db"),
    once: Annotated[bool, typer.Option("--once", help="Try what is due now, and end.")] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Host that may be posted to in a private network or without https."),
    ] = None,
) -> None:
    """Send alerts to who subscribed: signed, in order, again until they are taken.

    What was sent once is known by its `webhook-id`. A receiver that fails is tried again after 5 s,
    5 min, 30 min, 2, 5, 10, 14, 20 and 24 h; then, or if it answers 410, its subscription rests
    until `tocsin subscriptions --resume`. Nothing that is due is forgotten.
    """
    try:
        from streams.delivery.webhook import WebhookSender, require_secret
    except ImportError as error:
        msg = f"delivery needs the extra 'serve': install tocsin[serve]; got no {error.name}"
        raise InputError(msg) from error
    sender = WebhookSender(allow_hosts=allow_host or ())
    ended: Counter[str] = Counter()
    with _opened(outbox) as box:
        named = {name for one in box.standing() for name in one.subscription.secrets}
        secrets = {name: require_secret(os.environ.get(name, ""), name) for name in named}
        while True:
            source = str(alerts.resolve())
            for number, alert in read_alert_lines(alerts, box.place(source)):
                box.put(alert, source=source, position=number)

            def send(due: Due, now: datetime) -> Attempt:
                keys = [secrets[name] for name in due.subscription.secrets]
                return sender.send(due.subscription.url, keys, due.alert_id, due.body, now)

            ended.update(deliver(box, send, lambda: datetime.now(UTC)))
            if once:
                break
            time.sleep(_IDLE_SECONDS)
    Console().print(summary_table(dict(sorted(ended.items())), "Attempts"))


def _previewed(wanted: Subscription, path: Path) -> Table:
    alerts = [alert for _, alert in read_alert_lines(path)]
    last = max((alert.evaluated_on for alert in alerts), default=None)
    found: Counter[tuple[str, str]] = Counter()
    told: set[str] = set()
    for alert in alerts:
        recent = last is not None and alert.evaluated_on > last - _PREVIEW
        if recent and matches(wanted, alert, sent_before=alert.signal_key in told):
            told.add(alert.signal_key)
            found[category_of(alert), alert.kind.value] += 1
    title = f"{wanted.subscription_id}: what 90 days to {last or 'no day'} would have sent"
    table = Table("category", "kind", "alerts", title=title, title_justify="left")
    for (category, kind), number in sorted(found.items()):
        table.add_row(category, kind, str(number))
    table.add_row("all", "", str(found.total()), style="bold")
    return table


def _opened(path: Path) -> Outbox:
    key = os.environ.get(_KEY, "")
    if len(key) < 16:
        msg = (
            f"{_KEY}: must be in the environment, at least 16 characters that nobody can guess: "
            "codes of lots and makers in copies for the public are made with it; keep it"
        )
        raise InputError(msg)
    return Outbox(path, key=key.encode())
