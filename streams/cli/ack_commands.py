"""`tocsin ack`: acknowledge a batch of ICH E2B messages to its sender."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import InputError
from streams.cli.printable import printable
from streams.exports.result_file import result_file
from streams.intake.bounded import open_unpacked, require_file
from streams.intake.e2b.ack.acknowledgement import acknowledge
from streams.intake.e2b.content import is_e2b, is_zip

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("ack")(ack)


def ack(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="ICH E2B document in XML, gzipped or not.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="By default FILE with .ack at its end."
        ),
    ] = None,
) -> None:
    """Write the ICH acknowledgement of a batch: each message accepted, or its wrong elements.

    The answer to release 3 is MCCI_IN200101UV01, to release 2 ichicsrack. Nothing is published.

        tocsin ack batch.xml -o batch.xml.ack
    """
    require_file(source)
    if is_zip(source) or not is_e2b(source):
        msg = f"{source}: must be an ICH E2B document in XML, gzipped or not; got something else"
        raise InputError(msg)
    with open_unpacked(source) as stream:
        found = acknowledge(stream, source.name)
    now = datetime.now(UTC)
    target = output or source.with_name(f"{source.name}.ack")
    with result_file(target) as part:
        part.write_bytes(found.xml(number=f"ACK-{now:%Y%m%d%H%M%S%f}", now=now))
    n_rejected = len(found.answers) - found.n_accepted
    typer.echo(f"{found.n_accepted} accepted, {n_rejected} rejected: {printable(str(target))}")
    if found.malformed is not None:
        typer.echo(printable(found.malformed))
