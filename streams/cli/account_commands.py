"""`tocsin accounts`: local accounts of the desk."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from schemas.subscription import Tier
from streams.cli.subscription_commands import OutboxOption
from streams.cli.terminal import Console
from streams.delivery.api.tokens import Scope, TokenStore, reader_token_id
from streams.delivery.sending.signing_keys import installation_key

__all__ = ["AccountsFolder", "register"]

AccountsFolder = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Folder of accounts, sessions and visits.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name that decisions are signed with.")]
_FOLDER = Path("tocsin-desk")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    accounts = typer.Typer(help="Manage the local accounts of the desk.", no_args_is_help=True)
    accounts.command("add")(add)
    accounts.command("list")(list_accounts)
    accounts.command("disable")(disable)
    app.add_typer(accounts, name="accounts")


def add(
    name: Name,
    scope: Annotated[list[Scope], typer.Option(help="Permission to grant; may be repeated.")],
    tier: Annotated[
        Tier, typer.Option(help="How much of each alert the account may see.")
    ] = Tier.PUBLIC,
    folder: AccountsFolder = _FOLDER,
) -> None:
    """Create an account; its password is asked for, or read from standard input.

    tocsin accounts add "M. Okafor" --tier authority --scope alerts:read --scope decisions:write

    Prints the address of its one-time codes once: enter it in an authenticator.
    """
    from streams.console.access.accounts import AccountStore
    from streams.runtime.owner_only import owner_only_folder

    owner_only_folder(folder)
    with AccountStore(folder / "accounts.db", key=installation_key()) as accounts:
        if sys.stdin.isatty():
            password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        else:
            password = sys.stdin.readline().rstrip("\r\n")
        enrolled = accounts.add(name, password, tier, frozenset(scope), datetime.now(UTC))
    typer.echo(enrolled.uri)


def list_accounts(folder: AccountsFolder = _FOLDER) -> None:
    """List accounts, without their secrets."""
    from streams.console.access.accounts import AccountStore

    table = Table(Column("account"), "tier", "scopes", "made", "disabled")
    with AccountStore(folder / "accounts.db", key=installation_key()) as accounts:
        for account in accounts.accounts():
            table.add_row(
                escape(account.name),
                account.tier,
                " ".join(sorted(account.scopes)),
                f"{account.made_at:%Y-%m-%d}",
                f"{account.disabled_at:%Y-%m-%d}" if account.disabled_at else "",
            )
    Console().print(table)


def disable(
    name: Name,
    folder: AccountsFolder = _FOLDER,
    outbox: OutboxOption = Path("outbox.db"),
) -> None:
    """Disable an account; its sessions end at their next request, its subscriptions are paused."""
    from streams.console.access.accounts import AccountStore

    now = datetime.now(UTC)
    with AccountStore(folder / "accounts.db", key=installation_key()) as accounts:
        accounts.disable(name, now)
    if outbox.is_file():
        with TokenStore(outbox) as tokens:
            if any(token.token_id == reader_token_id(name) for token in tokens.tokens()):
                tokens.revoke(reader_token_id(name), now)
    typer.echo(f"{name} is disabled.")
