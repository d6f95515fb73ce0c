"""The application: its commands, and its exit codes."""

import os
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer
from typer.exceptions import Abort, TyperException

from schemas.errors import TocsinError
from streams.cli.printable import printable
from streams.cli.terminal import printable_output

__all__ = ["command_line", "run"]

# The commands by panel of the help, in its order, each with the module that registers it.
_COMMANDS = {
    "On files, without a broker": {
        "demo": "demo_commands",
        "desk": "desk_commands",
        "replay": "replay_commands",
        "top": "top_commands",
        "explain": "explain_commands",
        "plot": "plot_commands",
        "score": "score_commands",
        "fit": "rule_commands",
        "backtest": "rule_commands",
        "export": "export_commands",
        "ack": "ack_commands",
        "map": "map_commands",
    },
    "On Kafka": {
        "topics": "kafka_commands",
        "publish": "kafka_commands",
        "run": "kafka_commands",
        "alerts": "alert_commands",
        "link": "link_commands",
    },
    "Subscriptions and the HTTP API": {
        "subscribe": "delivery_commands",
        "subscriptions": "subscription_commands",
        "deliver": "delivery_commands",
        "serve": "serve_commands",
        "tokens": "serve_commands",
        "accounts": "account_commands",
    },
    "Decisions": {"signals": "audit_commands", "audit": "audit_commands"},
    "Check and repair": {
        "validate": "validate_commands",
        "recount": "recount_commands",
        "rejected": "rejected_commands",
        "state": "state_commands",
    },
    "Contracts": {"schema": "schema_commands", "fixtures": "demo_commands"},
}
_MODULES = {name: module for names in _COMMANDS.values() for name, module in names.items()}
_PANELS = {name: panel for panel, names in _COMMANDS.items() for name in names}


def command_line(first: str = "") -> typer.Typer:
    """Return the application, with only the module of one command imported.

    All modules take a second to import, that of one command half of that.

    Parameters
    ----------
    first
        The first argument of the command line. If it names no command, all are registered, so
        that help can list them and errors can suggest one.
    """
    app = typer.Typer(
        name="tocsin",
        help="Adverse-event reports in, explained and correctable alerts out.\n\n"
        "Start with [bold]tocsin demo[/]. On files: [bold]tocsin replay[/]. On Kafka: [bold]tocsin "
        "topics create[/], [bold]publish[/], [bold]run[/], [bold]alerts[/].",
        rich_markup_mode="rich",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    named = _MODULES.get(first)
    for name in [named] if named else dict.fromkeys(_MODULES.values()):
        import_module(f"streams.cli.{name}").register(app)
    for command in app.registered_commands:
        command.rich_help_panel = _PANELS[str(command.name)]
    for group in app.registered_groups:
        group.rich_help_panel = _PANELS[str(group.name)]
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tocsin {version('tocsin')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    del version


def run(app: typer.Typer) -> None:
    """Run the application; exit with 0, or with 2 and one error line, never with a traceback.

    Nothing that it prints steers a terminal.
    """
    with printable_output():
        _run(app)


def _run(app: typer.Typer) -> NoReturn:
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except TyperException as error:  # a usage error; the message is empty if help was shown instead
        sys.exit(_complain(error) if error.format_message() else 2)
    except Abort:
        sys.exit(130)
    except TocsinError as error:
        sys.exit(_complain(error))
    except BrokenPipeError:
        # The reader of the pipe is gone; keep Python from reporting it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        sys.exit(_complain(error))
    except Exception as error:
        if "TOCSIN_DEBUG" in os.environ:
            raise
        typer.echo(
            f"tocsin: defect: {type(error).__name__}: {_one_line(error)} (TOCSIN_DEBUG=1 shows "
            "where; please report it)",
            err=True,
        )
        sys.exit(1)


def _complain(error: Exception) -> int:
    typer.echo(f"tocsin: {_one_line(error)}", err=True)
    return 2


def _one_line(error: Exception) -> str:
    text = error.format_message() if isinstance(error, TyperException) else str(error)
    return printable(" ".join(text.split())) or type(error).__name__
