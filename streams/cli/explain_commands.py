"""`tocsin explain`: one pair of drug and event by every method."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from schemas.alert import Alert
from schemas.counts import MARGINS
from schemas.errors import InputError
from schemas.normal_form import normal_drug, normal_term
from streams.cli.fitting import fits
from streams.cli.kafka_commands import ConfigOption
from streams.cli.negative_controls import ControlsOption, control_pairs
from streams.cli.options import (
    ListOption,
    RulesOption,
    ScreeningOption,
    detector_from,
    parse_day,
)
from streams.cli.printable import printable
from streams.cli.progress import row_progress
from streams.cli.replay_commands import Format, replayed_daily
from streams.cli.terminal import Console
from streams.core.explanation.explanation import ExplainedRun, explain
from streams.core.explanation.section import Section
from streams.runtime.detector_settings import DetectorSettings
from streams.runtime.embedded.replay import Replay

__all__ = ["explained_run", "register", "section_table"]

_EPOCH = date(1970, 1, 1)
_MARGINS = {name: name.removeprefix("n_") for name in MARGINS}
_LEFT_OUT = {"drug", "event", "total"}  # margins, on a terminal too narrow for them
_INTERVAL = re.compile(r"^([-\d][^ (]*|inf)\s(\(.+\))$")  # a value and its bounds


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("explain")(explain_command)


def explain_command(
    drug: Annotated[str, typer.Argument(metavar="DRUG", help="Product, in any spelling.")],
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Event, in any spelling.")],
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...",
            help="Files to replay: native JSON Lines, VAERS yearly zips, FAERS quarterly zips.",
        ),
    ],
    source_format: Annotated[
        Format | None,
        typer.Option("--format", help="Format of the files; by default detected from the content."),
    ] = None,
    rules: RulesOption = None,
    screening: ScreeningOption = None,
    lists: ListOption = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Leave out reports after this day.")
    ] = None,
    negative_controls: ControlsOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of tables.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Print one pair by every method, from its counts to what was published.

    The files are replayed day by day in the cumulative window, and the methods asked of all cases
    counted by the last day. Nothing here is an alert: most methods look at a pair that somebody
    chose.

        tocsin explain RV Intussusception 1999VAERSData.zip --until 1999-03-03
    """
    settings = DetectorSettings.load(
        config, rules=rules, screening=screening, lists=lists, negative_controls=negative_controls
    )
    last = parse_day(until, "--until")
    run, alerts = replayed_daily("explain", sources, source_format, detector_from(settings), last)
    named = settings.negative_controls
    controls = [] if named is None else control_pairs(named)
    explained = explained_run("explain", run, alerts, controls)
    last_day = _EPOCH + timedelta(days=explained.last_day)
    sections: list[Section] = []
    with row_progress("methods") as progress:
        for section in explain(explained, drug, event):
            sections.append(section)
            progress.advance(1)
    if as_json:
        typer.echo(_document(drug, event, last_day, sections))
        return
    console = Console()
    console.print(Text(printable(f"{drug} and {event}, by {last_day}"), style="bold"))
    for section in sections:
        _print(console, section)


def explained_run(
    command: str,
    run: Replay,
    alerts: Sequence[Alert],
    controls: Iterable[tuple[str, str]] = (),
) -> ExplainedRun:
    """Return what explains a pair of a finished daily replay.

    Parameters
    ----------
    command
        Name of the command, for errors.
    run, alerts
        Result of `replayed_daily`.
    controls
        Negative controls, in any spelling.

    Raises
    ------
    InputError
        If no report was counted.
    """
    if run.last_day is None:
        msg = f"{command}: the sources must have a report by --until; got none"
        raise InputError(msg)
    (window,) = run.detector.windows
    (tally,) = window.tallies.values()
    return ExplainedRun(
        view=run.detector.view(),
        tally=tally,
        scorer=run.detector.scorer,
        last_day=(run.last_day - _EPOCH).days,
        alerts=alerts,
        controls=[(normal_drug(name), normal_term(term)) for name, term in controls],
    )


def _document(drug: str, event: str, day: date, sections: Sequence[Section]) -> str:
    content = {
        "drug": drug,
        "event": event,
        "day": day,
        "sections": {
            section.name: {
                "title": section.title,
                "says": section.says,
                "remark": section.remark,
                "rows": [
                    {name: _finite(value) for name, value in row.items()} for row in section.rows
                ],
            }
            for section in sections
        },
    }
    return json.dumps(content, ensure_ascii=False, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    """Return a value as JSON has it: an infinite one as the text inf or -inf."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _print(console: Console, section: Section) -> None:
    console.print()
    console.print(Text(section.title, style="bold"))
    console.print(Text(section.says, style="dim"))
    if section.rows:
        shown = [dict(_shown(row)) for row in section.rows[: section.shown]]
        console.print(section_table(shown, console))
        if len(section.rows) > section.shown:
            more = len(section.rows) - section.shown
            console.print(Text(f"{more:,} more rows: --json has all.", style="dim"))
    if section.remark:
        console.print(Text(printable(section.remark)))


def section_table(rows: Sequence[Mapping[str, str]], console: Console) -> Table:
    """Return a table that leaves intervals whole: beside the value, below it, or less margins."""
    table = _table_of(rows)
    if fits(table, console):
        return table
    below = [{name: _INTERVAL.sub(r"\1\n\2", text) for name, text in row.items()} for row in rows]
    table = _table_of(below)
    if fits(table, console) or not set(rows[0]) >= _LEFT_OUT:
        return table
    table = _table_of([{n: text for n, text in row.items() if n not in _LEFT_OUT} for row in below])
    table.caption, table.caption_justify = "Without drug, event and total: --json has all.", "left"
    return table


def _table_of(rows: Sequence[Mapping[str, str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in rows[0]:
        whole = any(_INTERVAL.match(row[name]) for row in rows)
        table.add_column(name, no_wrap=whole)
    for row in rows:
        table.add_row(*(Text(value) for value in row.values()))
    return table


def _shown(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the columns of a table: a value and its bounds are one."""
    bounds = {
        name: [end for end in (f"{name}_lower", f"{name}_upper") if end in row] for name in row
    }
    merged = {end for ends in bounds.values() for end in ends}
    for name, value in row.items():
        if name in merged:
            continue
        text = _text(value)
        if bounds[name] and value is not None:
            text += f" ({' to '.join(_text(row[end]) for end in bounds[name])})"
        yield _MARGINS.get(name, name.replace("_", " ")), text


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"
    return printable(str(value))
