"""`tocsin subscribe`, `subscriptions` and `deliver`: alerts to those who asked for them."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.errors import InputError
from schemas.priority import PriorityLevel
from schemas.subscription import (
    DigestPeriod,
    Filters,
    Folder,
    OwnTopic,
    Stream,
    Subscription,
    Tier,
    Webhook,
)
from streams.cli.audit_commands import standing_in
from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.stopping import StopSignal
from streams.cli.tables import summary_table
from streams.core.alerts.assessment import assessed
from streams.delivery.alert_sources import FileTail, KafkaTail, Tail, parse_alert, read_alert_lines
from streams.delivery.matching import PREVIEW_DAYS, require_askable, would_send
from streams.delivery.outbox import Outbox, deliver
from streams.delivery.signing_keys import derived_key, installation_key, signing_keys
from streams.runtime.broker.topic_writer import TopicWriter
from streams.runtime.settings import Settings

__all__ = ["OutboxOption", "open_outbox", "open_tail", "register"]

_IDLE_SECONDS = 5.0  # between two looks at the file

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
    url: Annotated[str | None, typer.Option(help="A webhook: where it posts to; https.")] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            help="Environment variable with its signing key; two during a rotation. Without one, a "
            "key is derived and shown once."
        ),
    ] = None,
    topic: Annotated[str | None, typer.Option(help="A Kafka topic of the subscriber's.")] = None,
    folder: Annotated[Path | None, typer.Option(help="A folder for JSON and Markdown.")] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Server-sent events, fetched from tocsin serve.")
    ] = False,
    digest: Annotated[
        DigestPeriod | None, typer.Option(help="One message a day or week; urgent ones at once.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Most alerts a day; the rest comes after midnight.")
    ] = None,
    tier: Annotated[Tier, typer.Option(help="How much they may see.")] = Tier.PUBLIC,
    category: ManyOption = None,
    kind: ManyOption = None,
    jurisdiction: ManyOption = None,
    product_class: Annotated[list[str] | None, typer.Option("--class")] = None,
    product: ManyOption = None,
    term: ManyOption = None,
    family: ManyOption = None,
    level: ManyOption = None,
    rule: ManyOption = None,
    window: ManyOption = None,
    urgent_only: Annotated[bool, typer.Option("--urgent-only")] = False,
    min_priority: Annotated[
        PriorityLevel | None, typer.Option(help="Only signals of this priority or a higher one.")
    ] = None,
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
        channels = [
            url and Webhook(url=url, secrets=tuple(secret or ())),
            topic and OwnTopic(topic=topic),
            folder and Folder(path=str(folder.resolve())),
            Stream() if stream else None,
        ]
        given = [channel for channel in channels if channel]
        if len(given) != 1:
            msg = "subscribe: give one of --url, --topic, --folder and --stream; got "
            raise InputError(msg + str(len(given)))
        wanted = Subscription(
            subscription_id=name,
            subscriber=subscriber,
            tier=tier,
            channel=given[0],
            digest=digest,
            budget_per_day=budget,
            filters=Filters.asked(
                categories=category,
                kinds=kind,
                jurisdictions=jurisdiction,
                classes=product_class,
                products=product,
                terms=term,
                families=family,
                levels=level,
                rules=rule,
                windows=window,
                urgent_only=urgent_only,
                min_priority=min_priority,
            ),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"subscription: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(msg) from error
    require_askable(wanted)
    console = Console()
    if preview is not None:
        console.print(_previewed(wanted, preview))
    if not yes:
        typer.confirm("Save it?", abort=True)
    with open_outbox(outbox) as box:
        box.subscribe(wanted)
    console.print(f"{name} is saved in {outbox}; alerts from now on go to it.", highlight=False)
    if isinstance(wanted.channel, Webhook) and not wanted.channel.secrets:
        key = derived_key(wanted, 1, key=installation_key())
        console.print(f"It is signed with {key}", highlight=False, soft_wrap=True)


def subscriptions(
    resume: Annotated[
        str | None, typer.Option(help="Send again to a subscription that rests.")
    ] = None,
    outbox: OutboxOption = Path("outbox.db"),
) -> None:
    """Show every subscription, what waits for it, and why it rests if it does."""
    with open_outbox(outbox) as box:
        if resume is not None:
            box.resume(resume)
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
        for one in box.standing():
            held = one.subscription
            table.add_row(
                held.subscription_id,
                escape(held.subscriber),
                held.tier,
                held.goes_to.kind + (f", {held.digest}" if held.digest else ""),
                str(one.waiting),
                str(one.held),
                str(one.delivered),
                escape(one.resting or ("active" if not one.failures else "is tried again")),
            )
    Console().print(table)


def deliver_command(
    alerts: Annotated[
        Path | None,
        typer.Argument(help="Alerts as JSON lines; it may still grow. By default from Kafka."),
    ] = None,
    outbox: OutboxOption = Path("outbox.db"),
    once: Annotated[bool, typer.Option("--once", help="Try what is due now, and end.")] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Host that may be posted to in a private network or without https."),
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(help="The log of decisions: an authority is told where each signal stands."),
    ] = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Send alerts to who subscribed: signed, in order, again until they are taken.

    What was sent once is known by its id. A receiver that fails is tried again after 5 s,
    5 min, 30 min, 2, 5, 10, 14, 20 and 24 h; then, or if it answers 410, its subscription rests
    until `tocsin subscriptions --resume`. Nothing that is due is forgotten.
    """
    from streams.delivery.channels import ChannelSender
    from streams.delivery.webhook import WebhookSender

    settings = Settings.load(config, bootstrap=bootstrap)
    key = installation_key()
    ended: Counter[str] = Counter()
    with ExitStack() as opened:
        stop = opened.enter_context(closing(StopSignal()))
        box = opened.enter_context(open_outbox(outbox))
        for one in box.standing():  # before anything is sent: what is missing is said at once
            signing_keys(one.subscription, key=key)
        tail = opened.enter_context(closing(open_tail(settings, alerts, box.place)))
        topics = opened.enter_context(closing(TopicWriter(settings)))
        sender = ChannelSender(WebhookSender(allow_hosts=allow_host or ()), topics, key=key)
        if audit:
            standing_in(audit)  # what is wrong with it is said before anything is sent
        while not stop.asked():
            standing = cache(partial(standing_in, audit)) if audit else None  # once for all
            for source, position, raw in tail.read():
                alert = parse_alert(raw, tail.where(source, position))
                if standing:
                    alert = assessed(alert, standing())
                box.put(alert, source=source, position=position, now=datetime.now(UTC))
            ended.update(deliver(box, sender.send, lambda: datetime.now(UTC)))
            if once:
                break
            stop.wait(_IDLE_SECONDS if alerts else 0)
    Console().print(summary_table(dict(sorted(ended.items())), "Attempts"))


def open_tail(settings: Settings, alerts: Path | None, place: Callable[[str], int]) -> Tail:
    """Return where alerts are read from: a file, else the topic."""
    return FileTail(alerts, place) if alerts else KafkaTail(settings, "alerts", place)


def _previewed(wanted: Subscription, path: Path) -> Table:
    alerts = [alert for _, alert in read_alert_lines(path)]
    last = max((alert.evaluated_on for alert in alerts), default=date.min)
    recent = (alert for alert in alerts if (last - alert.evaluated_on).days < PREVIEW_DAYS)
    found = would_send(wanted, recent)
    until = last if alerts else "no day"
    title = f"{wanted.subscription_id}: what {PREVIEW_DAYS} days to {until} would have sent"
    table = Table("category", "kind", "alerts", title=title, title_justify="left")
    for (category, kind), number in sorted(found.items()):
        table.add_row(category, kind, str(number))
    table.add_row("all", "", str(found.total()), style="bold")
    return table


def open_outbox(path: Path) -> Outbox:
    """Open an outbox with the installation's secret, which must be in the environment."""
    return Outbox(path, key=installation_key())
