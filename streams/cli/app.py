"""The application: its commands, and how it ends."""

import os
import sys
from importlib import import_module

import polars as pl
import typer
from rich.console import Console
from typer.exceptions import Abort, TyperException

from schemas.errors import TocsinError

__all__ = ["command_line", "run"]

# The commands and groups of commands, and the modules that bring them, in the order of the help.
_BROUGHT_BY = {
    "demo": "demo_commands",
    "replay": "replay_commands",
    "score": "score_commands",
    "state": "state_commands",
    "fit": "rule_commands",
    "backtest": "rule_commands",
    "topics": "kafka_commands",
    "publish": "kafka_commands",
    "run": "kafka_commands",
    "alerts": "kafka_commands",
    "link": "link_commands",
    "recount": "recount_commands",
    "rejected": "rejected_commands",
    "signals": "audit_commands",
    "audit": "audit_commands",
    "subscribe": "delivery_commands",
    "subscriptions": "delivery_commands",
    "deliver": "delivery_commands",
    "serve": "serve_commands",
    "tokens": "serve_commands",
    "schema": "schema_commands",
    "export": "export_commands",
}


def command_line(first: str = "") -> typer.Typer:
    """Return the application, with what a command needs and nothing else.

    All of it takes a second to import, one command half of that.

    Parameters
    ----------
    first
        The first argument. If no module brings it, every command is there, to be listed or
        suggested.
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
    named = _BROUGHT_BY.get(first)
    for name in [named] if named else dict.fromkeys(_BROUGHT_BY.values()):
        import_module(f"streams.cli.{name}").register(app)
    app.command("validate")(validate_command)
    return app


def validate_command() -> None:
    """Check every statistic against published values and print each difference.

    Ends with 2 if any differs by more than half a unit in the last published digit.
    """
    from detectors.validation import validate  # every estimator there is: a second to import
    from streams.cli.tables import validation_table

    checks = validate()
    validation_table(checks, Console())
    wrong = checks.filter(~pl.col("ok")).height
    for source in checks["source"].unique(maintain_order=True):
        typer.echo(f"Source: {source}")
    typer.echo(f"{checks.height} values checked, {wrong} differ.")
    if wrong:
        msg = f"validate: every value must be within its tolerance; got {wrong} that are not"
        raise TocsinError(msg)


def run(app: typer.Typer) -> None:
    """Run the command line; end with 0, or with 2 and one line, never with a traceback."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except TyperException as error:  # of the arguments; empty if the help was shown instead
        sys.exit(_complain(error) if error.format_message() else 2)
    except Abort:
        sys.exit(130)
    except TocsinError as error:
        sys.exit(_complain(error))
    except BrokenPipeError:
        # The reader of our output is gone; give Python no chance to complain at exit.
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
    return " ".join(text.split()) or type(error).__name__
