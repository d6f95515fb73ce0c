"""`tocsin subscribe` and `tocsin deliver`: delivery of alerts to subscribers."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Table

from schemas.alert import SignalGrade
from schemas.errors import InputError
from schemas.priority import PriorityLevel
from schemas.rules_change import RulesChange
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
from streams.cli.audit_commands import assessments_in
from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.stopping import StopSignal
from streams.cli.subscription_commands import OutboxOption, open_outbox, print_key
from streams.cli.tables import summary_table
from streams.cli.terminal import Console
from streams.core.alerts.assessment import assessed
from streams.delivery.alert_sources import (
    AlertHistory,
    FileTail,
    KafkaTail,
    Tail,
    parse_published,
    read_alert_lines,
)
from streams.delivery.channels import Delivery
from streams.delivery.matching import PREVIEW_DAYS, would_send
from streams.delivery.sending.parallel_senders import ParallelSenders
from streams.delivery.sending.signing_keys import installation_key
from streams.delivery.sending.webhook_url import AllowedHosts
from streams.delivery.subscription_checks import require_sendable
from streams.delivery.tier_copies import dated_copies
from streams.runtime.broker.topic_writer import TopicWriter
from streams.runtime.settings import Settings

__all__ = ["AllowHostOption", "open_tail", "register"]

_IDLE_SECONDS = 1.0  # s between two reads of the file
_ROUND_SECONDS = 1.0  # s of sending, at most, before alerts are read again

AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST[:PORT]",
        help="Webhook host that may have a private address, use http or have another port than "
        "443; with a port only there. May be repeated.",
    ),
]


def _filter(name: str, metavar: str, what: str) -> Any:
    return typer.Option(name, metavar=metavar, help=f"Only alerts of this {what}; may be repeated.")


Values = list[str] | None


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("subscribe")(subscribe)
    app.command("deliver")(deliver_command)


def subscribe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the subscription.")],
    subscriber: Annotated[str, typer.Option(metavar="NAME", help="Name of the subscriber.")],
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Deliver to a webhook at this https address.")
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VARIABLE",
            help="Environment variable with the signing key of the webhook; give two during a "
            "rotation. By default a key is derived and shown once.",
        ),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Deliver to the subscriber's Kafka topic.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Deliver to a folder, as JSON and Markdown files."),
    ] = None,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Deliver as server-sent events from tocsin serve."),
    ] = False,
    digest: Annotated[
        DigestPeriod | None,
        typer.Option(help="Combine alerts into one message per period; urgent ones go at once."),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="COUNT",
            help="Maximum alerts per day; the rest is sent after midnight UTC, as a digest.",
        ),
    ] = None,
    tier: Annotated[
        Tier, typer.Option(help="How much of each alert the subscriber may see.")
    ] = Tier.PUBLIC,
    category: Annotated[Values, _filter("--category", "CATEGORY", "category (SDR, ...)")] = None,
    kind: Annotated[Values, _filter("--kind", "KIND", "kind (new, ...)")] = None,
    jurisdiction: Annotated[
        Values, _filter("--jurisdiction", "COUNTRY", "country (ISO 3166-1 alpha-2)")
    ] = None,
    product_class: Annotated[Values, _filter("--class", "CLASS", "product class")] = None,
    product: Annotated[Values, _filter("--product", "PRODUCT", "product")] = None,
    term: Annotated[Values, _filter("--term", "TERM", "preferred term")] = None,
    family: Annotated[Values, _filter("--family", "FAMILY", "hazard family")] = None,
    level: Annotated[Values, _filter("--level", "LEVEL", "aggregation level")] = None,
    grade: Annotated[
        list[SignalGrade] | None,
        typer.Option(
            "--grade",
            help="Only signals of this grade; may be repeated. By default alarms. Safety alerts "
            "have no grade and always pass.",
        ),
    ] = None,
    rule: Annotated[Values, _filter("--rule", "RULE", "signal rule")] = None,
    window: Annotated[Values, _filter("--window", "WINDOW", "time window")] = None,
    urgent_only: Annotated[bool, typer.Option("--urgent-only", help="Only urgent alerts.")] = False,
    min_priority: Annotated[
        PriorityLevel | None,
        typer.Option(
            help="Only signals of at least this priority, and those that are urgent or have none."
        ),
    ] = None,
    urgent_budget: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Most urgent alerts a day; one message reports the others, which wait for the "
            "digest of midnight.",
        ),
    ] = 100,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Alerts as JSON Lines; shows what the subscription would have sent in 90 days.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Save without confirmation.")] = False,
    allow_host: AllowHostOption = None,
    outbox: OutboxOption = Path("outbox.db"),
) -> None:
    """Save a subscription; --preview first shows what it would have sent in the last 90 days.

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
            urgent_per_day=urgent_budget,
            filters=Filters.asked(
                categories=category,
                kinds=kind,
                jurisdictions=jurisdiction,
                classes=product_class,
                products=product,
                terms=term,
                families=family,
                levels=level,
                grades=grade,
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
    require_sendable(wanted, AllowedHosts(allow_host or ()))
    console = Console()
    if preview is not None:
        console.print(_previewed(wanted, preview))
    if not yes:
        typer.confirm("Save it?", abort=True)
    with open_outbox(outbox) as box:
        stored = box.subscribe(wanted)
    console.print(f"{name} is saved in {outbox}; alerts from now on go to it.", highlight=False)
    print_key(stored)


def deliver_command(
    alerts: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE.jsonl",
            help="Alerts as JSON Lines; the file may still grow. By default pv.alerts on Kafka.",
        ),
    ] = None,
    outbox: OutboxOption = Path("outbox.db"),
    once: Annotated[
        bool, typer.Option("--once", help="Attempt what is due now, then exit.")
    ] = False,
    allow_host: AllowHostOption = None,
    nat64_prefix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PREFIX",
            help="NAT64 prefix of your network besides 64:ff9b::/96; may be repeated.",
        ),
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Audit log of decisions: copies for authorities include each signal's assessment.",
        ),
    ] = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Deliver alerts to subscribers: signed, side by side, in order for each, with retries.

    A repeated delivery has the same id. A failed delivery is retried after 5 s, 5 min, 30 min,
    2, 5, 10, 14, 20 and 24 h. After that, or if the receiver answers 410, the subscription is
    paused until `tocsin subscriptions --resume`. Pending deliveries are kept.
    """
    from streams.delivery.channels import ChannelSender
    from streams.delivery.sending.network_guard import NetworkGuard
    from streams.delivery.sending.webhook import WebhookSender

    settings = Settings.load(config, bootstrap=bootstrap)
    key = installation_key()
    with ExitStack() as opened:
        stop = opened.enter_context(closing(StopSignal()))
        box = opened.enter_context(open_outbox(outbox))
        tail = opened.enter_context(closing(open_tail(settings, alerts, box.place)))
        topics = opened.enter_context(closing(TopicWriter(settings)))
        guard = NetworkGuard(nat64_prefix or ())
        web = WebhookSender(allow_hosts=allow_host or (), guard=guard)
        senders = opened.enter_context(ParallelSenders(ChannelSender(web, topics, key=key).send))
        delivery = Delivery(box, senders, lambda: datetime.now(UTC))
        if audit:
            assessments_in(audit)  # fail on a broken log before anything is sent
        history = AlertHistory(partial(open_tail, settings, alerts))
        while not stop.asked():
            # The log is read at most once per round, and only if there are alerts.
            assessments = cache(partial(assessments_in, audit)) if audit else None
            for source, position, raw in tail.read():
                alert = parse_published(raw, tail.where(source, position))
                if isinstance(alert, RulesChange):
                    box.put_rules_change(alert, source=source, position=position)
                    continue
                if assessments:
                    history.add(alert)
                    today = datetime.now(UTC).date()
                    alert = assessed(alert, assessments(), history.of, today=today)
                box.put(alert, source=source, position=position, now=datetime.now(UTC))
            idle = delivery.run(None if once else _ROUND_SECONDS)
            if once:
                break
            stop.wait(_IDLE_SECONDS if alerts and idle else 0)
    Console().print(summary_table(dict(sorted(delivery.ended.items())), "Attempts"))


def open_tail(settings: Settings, alerts: Path | None, place: Callable[[str], int]) -> Tail:
    """Open the tail of a file of alerts, or of `pv.alerts` if no file is given."""
    return FileTail(alerts, place) if alerts else KafkaTail(settings, "alerts", place)


def _previewed(wanted: Subscription, path: Path) -> Table:
    alerts = [alert for _, alert in read_alert_lines(path)]
    last = max((alert.evaluated_on for alert in alerts), default=date.min)
    copies = dated_copies(wanted.tier, alerts, key=installation_key())
    recent = (copy for day, copy in copies if (last - day).days < PREVIEW_DAYS)
    found = would_send(wanted, recent)
    until = last if alerts else "no day"
    title = f"{wanted.subscription_id}: what {PREVIEW_DAYS} days to {until} would have sent"
    table = Table("category", "kind", "alerts", title=title, title_justify="left")
    for (category, kind), number in sorted(found.items()):
        table.add_row(category, kind, str(number))
    table.add_row("all", "", str(found.total()), style="bold")
    return table
