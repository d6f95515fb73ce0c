"""`tocsin plot`: the pictures of the desk as files, SVG, PNG or PDF."""

from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import InputError
from streams.cli.explain_commands import explained_run
from streams.cli.kafka_commands import ConfigOption
from streams.cli.options import (
    ListOption,
    RulesOption,
    ScreeningOption,
    detector_from,
    parse_day,
    require_apart,
    writable,
)
from streams.cli.pictures import OF_ALL, OF_PAIR, PictureKind, Sizes, plotted_pair
from streams.cli.printable import printable
from streams.cli.replay_commands import Format, replayed_daily
from streams.core.wording.catalogue import Language
from streams.exports.figure_file import require_suffix, write_figure
from streams.runtime.detector_settings import DetectorSettings

__all__ = ["register"]

_EPOCH = date(1970, 1, 1)
_NARROWEST, _WIDEST = 440, 4000  # [px]


class Theme(StrEnum):
    """Colours of a file."""

    LIGHT = "light"
    DARK = "dark"
    PRINT = "print"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("plot")(plot)


def plot(
    kind: Annotated[PictureKind, typer.Argument(metavar="KIND", help="Picture to draw.")],
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[DRUG EVENT] SOURCE...",
            help="Product and event in any spelling, of a picture of one pair; then files to "
            "replay: native JSON Lines, VAERS yearly zips, FAERS quarterly zips.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="File to write: .svg, .png or .pdf."),
    ],
    theme: Annotated[
        Theme | None, typer.Option(help="Colours; by default print for PDF, else light.")
    ] = None,
    language: Annotated[
        Language, typer.Option("--language", help="Language of the texts.")
    ] = Language.ENGLISH,
    width: Annotated[
        int | None,
        typer.Option(
            min=_NARROWEST,
            max=_WIDEST,
            metavar="PIXELS",
            help="Width; by default that of the desk. 680 fits a page of A4.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Leave out reports after this day.")
    ] = None,
    source_format: Annotated[
        Format | None,
        typer.Option("--format", help="Format of the files; by default detected from the content."),
    ] = None,
    rules: RulesOption = None,
    screening: ScreeningOption = None,
    lists: ListOption = None,
    config: ConfigOption = None,
) -> None:
    """Draw one pair, or all signals, as SVG, PNG or PDF.

    A picture of one pair is signal (day by day, with what was published), forest, swimlane,
    neighbours, evidence, onset or restricted; of all signals volcano, heatmap, calendar or months.
    Its description holds its numbers. The files are replayed day by day, in the cumulative window.

        tocsin plot signal RV Intussusception 1999VAERSData.zip -o trend.svg
    """
    where = f"plot {kind.value}"
    require_suffix(output)
    pair, sources = _split(where, kind, arguments)
    require_apart(sources, [output])
    writable(output)
    last = parse_day(until, "--until")
    settings = DetectorSettings.load(config, rules=rules, screening=screening, lists=lists)
    run, alerts = replayed_daily(where, sources, source_format, detector_from(settings), last)
    explained = explained_run(where, run, alerts)
    sizes: Sizes = {"language": language, **({} if width is None else {"width": width})}
    if pair is not None:
        svg = OF_PAIR[kind](plotted_pair(explained, *pair, language, where=where), sizes)
    else:
        day = _EPOCH + timedelta(days=explained.last_day)
        svg = OF_ALL[kind](alerts, day, sizes)
    chosen = theme or (Theme.PRINT if output.suffix.lower() == ".pdf" else Theme.LIGHT)
    write_figure(svg, output, theme=chosen)
    typer.echo(f"Wrote {printable(str(output))}")


def _split(
    where: str, kind: PictureKind, arguments: list[str]
) -> tuple[tuple[str, str] | None, list[Path]]:
    """Return the pair, of a picture of one, and the sources."""
    if kind not in OF_PAIR:
        return None, [Path(each) for each in arguments]
    if len(arguments) < 3:
        msg = f"{where}: DRUG, EVENT and a SOURCE must be given; got {arguments}"
        raise InputError(msg)
    drug, event, *sources = arguments
    return (drug, event), [Path(each) for each in sources]
