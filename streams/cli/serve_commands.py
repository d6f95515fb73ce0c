"""`tocsin serve` and `tocsin tokens`: the HTTP API and its access tokens."""

import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table
from starlette.types import ASGIApp

from schemas.errors import InputError
from schemas.subscription import Tier
from streams.cli.delivery_commands import AllowHostOption, open_tail
from streams.cli.kafka_commands import BootstrapOption, ConfigOption
from streams.cli.stopping import StopSignal
from streams.cli.subscription_commands import OutboxOption
from streams.cli.terminal import Console
from streams.delivery.alert_sources import KafkaTail, Tail
from streams.delivery.api.tokens import Scope, TokenStore
from streams.delivery.report_sources import ReportTail
from streams.delivery.sending.signing_keys import installation_key
from streams.delivery.sending.webhook_url import AllowedHosts
from streams.runtime.broker.topic_writer import TopicWriter
from streams.runtime.broker.topics import topic_name
from streams.runtime.operations.audit_anchors import keep_anchor, names_broker
from streams.runtime.operations.audit_log import AuditLog
from streams.runtime.settings import Settings

__all__ = ["register"]

Place = Callable[[str], int]

DeskOption = Annotated[
    bool, typer.Option("--desk", help="Serve the reviewer's desk at /desk as well.")
]
DeskFolderOption = Annotated[
    Path,
    typer.Option(metavar="FOLDER", help="Accounts, sessions, sign-offs and visits of the desk."),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Address that readers open, such as https://desk.example: other hosts are refused.",
    ),
]
OpenIdOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.toml",
        help="OpenID provider of the desk; the client's secret is in OPENID_SECRET.",
    ),
]
WorkerOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        help="Monitoring endpoint of a worker, such as http://127.0.0.1:9100, whose stages the "
        "desk shows; may be repeated.",
    ),
]
LocalAccountsOption = Annotated[
    bool,
    typer.Option("--local-accounts", help="Let accounts of `tocsin accounts` sign in to the desk."),
]


_SWITCH_SECONDS = 0.0005
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("serve")(serve)
    tokens = typer.Typer(help="Manage the access tokens of the HTTP API.", no_args_is_help=True)
    tokens.command("add")(add)
    tokens.command("list")(list_tokens)
    tokens.command("narrow")(narrow)
    tokens.command("revoke")(revoke)
    app.add_typer(tokens, name="tokens")


def serve(
    alerts: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE.jsonl",
            help="Alerts as JSON Lines; the file may still grow. By default pv.alerts on Kafka.",
        ),
    ] = None,
    reports: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="SOURCE",
            help="Reports for line listings, of any format that replay reads; may be repeated.",
        ),
    ] = None,
    cases: Annotated[
        bool, typer.Option("--cases", help="Read the reports on Kafka, for line listings.")
    ] = False,
    notices: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="File to append verifications to. By default pv.notices on Kafka.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", help="Port; 0 chooses a free one.")
    ] = 8080,
    beyond: Annotated[
        bool,
        typer.Option(
            "--beyond-this-machine",
            help="Allow an address that other machines can reach; put a TLS proxy in front.",
        ),
    ] = False,
    log: Annotated[
        Path, typer.Option(metavar="FILE.jsonl", help="The audit log of decisions.")
    ] = Path("audit.jsonl"),
    model: Annotated[
        Path,
        typer.Option(
            metavar="FILE.db", help="SQLite file of the read model; rebuilt if it is deleted."
        ),
    ] = Path("signals.db"),
    outbox: OutboxOption = Path("outbox.db"),
    token_rate: Annotated[
        str, typer.Option(metavar="RATE", help="Rate limit per token.")
    ] = "120/minute",
    address_rate: Annotated[
        str, typer.Option(metavar="RATE", help="Rate limit per client address, without a token.")
    ] = "600/minute",
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Proxy whose X-Forwarded-For states the client's address; may be repeated.",
        ),
    ] = None,
    allow_host: AllowHostOption = None,
    with_pages: DeskOption = False,
    desk_folder: DeskFolderOption = Path("tocsin-desk"),
    desk_address: AddressOption = None,
    openid: OpenIdOption = None,
    local_accounts: LocalAccountsOption = False,
    worker: WorkerOption = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Serve signals, alerts, cases, subscriptions and decisions over HTTP, by token and tier.

    tocsin serve alerts.jsonl --reports reports.jsonl --notices notices.jsonl

    Every response is the copy for the token's tier. The API is described at /v1/openapi.json. With
    --desk the same process serves the reviewer's pages at /desk; on Kafka it follows the counts.
    """
    from streams.cli.served_desk import ServedDesk
    from streams.console.application import with_desk
    from streams.delivery.api.application import make_application
    from streams.delivery.api.feed import OpenTail, feeding
    from streams.delivery.api.service import (
        FileNotices,
        KafkaNotices,
        NoticeSink,
        Service,
        ServiceHealth,
    )
    from streams.delivery.server.http_server import http_server

    key = installation_key()
    settings = Settings.load(config, bootstrap=bootstrap)
    if host not in _LOOPBACK:
        _require_guarded(host, outbox, beyond=beyond)
    pages = ServedDesk(
        desk_folder, desk_address, openid, local_accounts, alerts is None, tuple(worker or ())
    )
    if with_pages:
        pages.require_guarded(loopback=host in _LOOPBACK)

    def read_alerts(place: Place) -> Tail:
        return open_tail(settings, alerts, place)

    def read_reports(place: Place) -> Tail:
        return ReportTail(reports, place) if reports else KafkaTail(settings, "reports", place)

    with ExitStack() as opened:
        anchored = alerts is None or names_broker(settings)
        sink: NoticeSink | None = FileNotices(notices) if notices else None
        if sink is None and alerts is None:
            writer = opened.enter_context(closing(TopicWriter(settings)))
            sink = KafkaNotices(writer, settings)
        service = Service(
            outbox_path=outbox,
            model_path=model,
            key=key,
            audit=AuditLog(log, partial(keep_anchor, settings) if anchored else None),
            notices=sink,
            health=ServiceHealth("alerts are not yet read to the end"),
            token_rate=token_rate,
            address_rate=address_rate,
            allowed_hosts=AllowedHosts(allow_host or ()),
        )
        for open_file in (service.tokens, service.model):  # fail now if a file is broken
            open_file().close()
        if alerts:
            with closing(read_alerts(lambda source: 0)) as first:
                next(first.read(), None)
        if reports:
            read_reports(lambda source: 0).close()
        open_reports: OpenTail | None = read_reports if reports or cases else None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = opened.enter_context(closing(socket.create_server((host, port), family=family)))
        application: ASGIApp = make_application(service)
        if with_pages:
            names = (alerts.name,) if alerts else (topic_name(settings, "reports"),)
            bound = listening.getsockname()[1]
            desk = opened.enter_context(pages.opened(service, settings, names, bound))
            application = with_desk(application, desk)
        server = http_server(application, trusted_proxies=trusted_proxy or ())
        # The feed's transactions hold a lock that `tocsin deliver` waits for: a thread that has
        # something to run waits at most this long for each of the others, not the usual 5 ms.
        sys.setswitchinterval(_SWITCH_SECONDS)
        opened.enter_context(feeding(service, read_alerts, open_reports))
        opened.enter_context(closing(StopSignal()))  # uvicorn raises its signal again when it exits
        where = f"[{host}]" if ":" in host else host
        page = "desk" if with_pages else "v1/openapi.json"
        typer.echo(f"http://{where}:{listening.getsockname()[1]}/{page}")
        server.run(sockets=[listening])


def _require_guarded(host: str, outbox: Path, *, beyond: bool) -> None:
    if not beyond:
        msg = f"serve: --host {host} can be reached by others; allow it by --beyond-this-machine"
        raise InputError(msg)
    with TokenStore(outbox) as store:
        if not any(token.revoked_at is None for token in store.tokens()):
            msg = (
                f"serve: {host} can be reached by others, and there is no token: tocsin tokens add"
            )
            raise InputError(msg)


def add(
    subscriber: Annotated[
        str,
        typer.Argument(
            metavar="SUBSCRIBER", help="Person or organisation that will use the token."
        ),
    ],
    scope: Annotated[list[Scope], typer.Option(help="Permission to grant; may be repeated.")],
    tier: Annotated[
        Tier, typer.Option(help="How much of each alert the token may see.")
    ] = Tier.PUBLIC,
    outbox: OutboxOption = Path("outbox.db"),
) -> None:
    """Create a token and print it once; only its hash is stored.

    tocsin tokens add PMDA --tier authority --scope alerts:read --scope cases:read
    """
    with TokenStore(outbox) as store:
        typer.echo(store.add(subscriber, tier, frozenset(scope), datetime.now(UTC)))


def list_tokens(outbox: OutboxOption = Path("outbox.db")) -> None:
    """List tokens, without their secrets."""
    table = Table(Column("token", no_wrap=True), "subscriber", "tier", "scopes", "made", "revoked")
    with TokenStore(outbox) as store:
        for token in store.tokens():
            table.add_row(
                token.token_id,
                escape(token.subscriber),
                token.tier,
                " ".join(sorted(token.scopes)),
                f"{token.made_at:%Y-%m-%d}",
                f"{token.revoked_at:%Y-%m-%d}" if token.revoked_at else "",
            )
    Console().print(table)


def narrow(
    token_id: Annotated[
        str, typer.Argument(metavar="TOKEN_ID", help="Id of the token, from tocsin tokens list.")
    ],
    tier: Annotated[Tier | None, typer.Option(help="Its tier from now on, not higher.")] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="Permission that it keeps; may be repeated. By default all."),
    ] = None,
    outbox: OutboxOption = Path("outbox.db"),
) -> None:
    """Lower the tier of a token or take scopes away; what it may no longer make is paused."""
    with TokenStore(outbox) as store:
        kept = frozenset(scope) if scope else None
        now = store.narrow(token_id, tier=tier, scopes=kept)
    typer.echo(f"{token_id} is of the {now.tier} tier: {' '.join(sorted(now.scopes))}.")


def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="TOKEN_ID", help="Id of the token, from tocsin tokens list.")
    ],
    outbox: OutboxOption = Path("outbox.db"),
) -> None:
    """Revoke a token: requests are refused, streams close, its subscriptions are paused."""
    with TokenStore(outbox) as store:
        store.revoke(token_id, datetime.now(UTC))
    typer.echo(f"{token_id} is revoked.")
