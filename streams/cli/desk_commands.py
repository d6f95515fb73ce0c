"""`tocsin desk`: replay files and open the reviewer's desk on this machine, without a broker."""

import socket
import webbrowser
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import InputError
from streams.cli.kafka_commands import ConfigOption
from streams.cli.negative_controls import ControlsOption
from streams.cli.options import (
    DEFAULT_RULES,
    DEFAULT_SCREENING,
    DetectorChoice,
    ListOption,
    RulesOption,
    ScreeningOption,
    detector_from,
    parse_day,
    rules_from,
)
from streams.cli.replay_commands import Format
from streams.cli.replayed_desk import ReplayedDesk
from streams.cli.stopping import StopSignal
from streams.console.application import desk_application, with_desk
from streams.delivery.api.application import make_application
from streams.delivery.server.http_server import http_server
from streams.demo import PRODUCT_CLASS
from streams.runtime.detector_settings import DetectorSettings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("desk")(desk_command)


def desk_command(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Files to replay, of any format that replay reads; by default the story of demo.",
        ),
    ] = None,
    source_format: Annotated[
        Format | None,
        typer.Option("--format", help="Format of the files; by default detected from the content."),
    ] = None,
    notices: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Notices as JSON Lines: rumours, denials, usage; never counted. May be repeated.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Leave out reports received after this day.")
    ] = None,
    folder: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Where decisions, sign-offs and views are kept."),
    ] = Path("tocsin-desk"),
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", help="Port; 0 chooses a free one.")
    ] = 8765,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not open a browser; print the address alone.")
    ] = False,
    rules: RulesOption = None,
    screening: ScreeningOption = None,
    lists: ListOption = None,
    negative_controls: ControlsOption = None,
    config: ConfigOption = None,
) -> None:
    """Replay files, then show their signals on pages of this machine. Needs no broker.

    The pages answer on loopback alone, until Ctrl-C. Decisions are logged in FOLDER/audit.jsonl, as
    by `tocsin audit`.

        tocsin desk 1998VAERSData.zip 1999VAERSData.zip
        tocsin desk
    """
    settings = DetectorSettings.load(
        config, rules=rules, screening=screening, lists=lists, negative_controls=negative_controls
    )
    with ExitStack() as opened:
        # The port first: a replay takes minutes, and an address in use would waste them.
        listening = opened.enter_context(closing(_listening(port)))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        replayed = ReplayedDesk(
            folder,
            detector_from(settings) if sources else _of_the_story(detector_from(settings)),
            until=parse_day(until, "--until"),
            hosts=frozenset({address, address.replace("127.0.0.1", "localhost")}),
        )
        if sources:
            replayed.replay(sources, source_format, notices or [])
        else:
            replayed.replay_story()
        desk = replayed.desk
        server = http_server(with_desk(make_application(desk.service), desk_application(desk)))
        opened.enter_context(closing(StopSignal()))  # uvicorn raises its signal again when it exits
        typer.echo(f"http://{address}/")
        if not no_open:
            webbrowser.open(f"http://{address}/")
        server.run(sockets=[listening])


def _of_the_story(chosen: DetectorChoice) -> DetectorChoice:
    """Return a detector with the rules of `tocsin demo`."""
    monitored = {"additional_monitoring": [PRODUCT_CLASS]}
    return replace(chosen, rules=rules_from(DEFAULT_RULES, DEFAULT_SCREENING, monitored))


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        msg = f"desk: --port {port}: must be free; got {error.strerror}. 0 chooses a free one"
        raise InputError(msg) from error
