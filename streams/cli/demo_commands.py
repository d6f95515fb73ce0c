"""`tocsin demo` and `tocsin fixtures`: the exosome scenario, on the terminal and as files."""

from collections import defaultdict
from datetime import date
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.padding import Padding

from schemas.alert import Alert
from schemas.notice import Notice, NoticeKind
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.safety_alert import SafetyAlert
from schemas.vocabulary import LinkKind
from schemas.watch_item import WatchItem
from streams.cli.options import DEFAULT_RULES, DEFAULT_SCREENING, rules_from, tomorrow
from streams.cli.tables import KIND_COLOURS
from streams.cli.terminal import Console
from streams.core.counting.windows import WindowSpec
from streams.demo import PRODUCT_CLASS, ScenarioStep, background, story
from streams.runtime.embedded.replay import Replay

__all__ = ["ScenarioName", "register"]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("demo")(demo)
    app.command("fixtures")(fixtures)


class ScenarioName(StrEnum):
    """Scenarios with golden files."""

    EXOSOME = "exosome"


def fixtures(
    scenario: Annotated[ScenarioName, typer.Option(help="Scenario whose files are written.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder to write into.")
    ],
) -> None:
    """Write golden files for tests of programs that send reports or receive alerts.

    tocsin fixtures --scenario exosome -o fixtures

    Reports, notices and alerts of both ends of the scenario, with corrections and a retraction:
    alerts as JSON Lines, as CloudEvents, and as the copies of the lower tiers. The same version
    writes the same bytes.
    """
    from streams.exports.fixtures import write_fixtures

    for path in write_fixtures(output):
        typer.echo(path)


def demo(
    refuted: Annotated[
        bool,
        typer.Option("--refuted", help="Refute the rumour of deaths, not confirm it."),
    ] = False,
) -> None:
    """Print the exosome scenario step by step, with every alert on its day. Needs no broker.

    The scenario is a synthetic background of 20,060 reports, then three events: sepsis after
    exosome injections of one lot, a rumour of deaths that nobody could confirm or refute, and lung
    cancers that grew rapidly after stem-cell culture supernatant. The background alone raises no
    alert, and rumours are never counted.
    """
    console = Console()
    steps = story(refuted=refuted)
    alerts: dict[date, list[Alert | SafetyAlert]] = defaultdict(list)
    watched: dict[date, list[WatchItem]] = defaultdict(list)
    rejected: list[Rejected] = []
    run = Replay(
        [WindowSpec.parse("cumulative")],
        rules_from(DEFAULT_RULES, DEFAULT_SCREENING, {"additional_monitoring": [PRODUCT_CLASS]}),
        every=1,
        until=None,
        horizon=tomorrow(),
        on_alert=lambda alert: alerts[alert.evaluated_on].append(alert),
        on_safety_alert=lambda alert: alerts[alert.evaluated_on].append(alert),
        on_watch_item=lambda item: watched[item.known_on].append(item),
        on_rejected=rejected.append,
        notices=[entry.item for entry in steps if isinstance(entry.item, Notice)],
    )
    reports = [*background(), *(entry.item for entry in steps if isinstance(entry.item, Report))]
    for _ in run.feed("demo", enumerate(reports, start=1)):
        pass
    run.finish()
    console.print(
        f"{run.summary.population['counted'] - 8:,} synthetic reports of other products, and of "
        f"{PRODUCT_CLASS}, 2012 to 2019: no alert. Then, as it was received:\n",
        highlight=False,
    )
    for day, entries in groupby(steps, key=lambda entry: entry.day):
        for entry in entries:
            kind = "" if isinstance(entry.item, Report) else " [dim](a notice: never counted)[/]"
            line = f"[bold]{day}[/]  step {entry.step:>2}  {escape(entry.line)}{kind}"
            console.print(line, highlight=False)
            _print_effect(console, entry)
        for item in watched.pop(day, ()):
            asked = f"; ask for: {', '.join(item.ask)}" if item.ask else ""
            _indented(console, f"[cyan]watch[/] {item.case_id}: {escape(item.why + asked)}")
        for alert in alerts.pop(day, ()):
            _print_alert(console, alert)
    counted = run.summary.population
    console.print(
        f"\n{counted['counted']:,} cases counted, {counted['duplicate']} duplicate and "
        f"{counted['nullified']} nullified case kept out, {len(rejected)} rejected.\n\n"
        "Read it as pages, with every case, figure and statement: [bold]tocsin desk[/]",
        highlight=False,
    )


def _print_effect(console: Console, entry: ScenarioStep) -> None:
    """Print the effect of a report or notice other than on the counts."""
    item = entry.item
    if isinstance(item, Report):
        for link in item.links:
            if link.kind is LinkKind.DUPLICATE_OF:
                effect = f"linked to {link.case_id} as its duplicate: the patient counts once"
                _indented(console, f"[cyan]{escape(effect)}[/]")
    elif item.kind is NoticeKind.REGULATORY_ACTION and item.product_class is not None:
        effect = "recorded beside the signals; reports from here on may be stimulated by it"
        _indented(console, f"[cyan]{effect}[/]")
    elif item.derived_from:
        effect = f"a repetition of {', '.join(item.derived_from)}: no second source"
        _indented(console, f"[cyan]{escape(effect)}[/]")


def _print_alert(console: Console, alert: Alert | SafetyAlert) -> None:
    kind = alert.kind.value
    name = f"SDR {alert.grade}" if isinstance(alert, Alert) else alert.category.value
    urgent = ", [bold red]urgent[/]" if alert.urgent else ""
    head = f"[{KIND_COLOURS[kind]}]{name} {kind}[/], revision {alert.revision}{urgent}"
    if alert.priority is not None:
        head += f", priority {alert.priority.level} ({alert.priority.total:.2f})"
    lines = [head, escape(alert.sentence)]
    around = alert if isinstance(alert, SafetyAlert) else alert.context
    if around is not None:
        lines += [f"[dim]{escape(line)}[/]" for line in around.duty]
        if around.flags and isinstance(alert, Alert):
            lines.append(f"[dim]note: {escape(', '.join(around.flags)).replace('_', ' ')}[/]")
    if alert.next_step:
        lines.append(f"[dim]Next: {escape(alert.next_step)}[/]")
    _indented(console, "\n".join(lines))


def _indented(console: Console, text: str) -> None:
    console.print(Padding(text, (0, 0, 0, 4)), highlight=False)
