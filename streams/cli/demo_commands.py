"""`tocsin demo`: the founding case, told step by step, without a broker."""

from collections import defaultdict
from datetime import date
from itertools import groupby
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from schemas.alert import Alert
from schemas.notice import Notice
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.safety_alert import SafetyAlert
from streams.cli.options import DEFAULT_RULES, rules_from, tomorrow
from streams.cli.tables import KIND_COLOURS
from streams.demo import PRODUCT_CLASS, background, story
from streams.runtime.replay import Replay
from streams.topology.windows import WindowSpec

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo")(demo)


def demo(
    refuted: Annotated[
        bool, typer.Option("--refuted", help="Let the rumour of deaths end refuted, not confirmed.")
    ] = False,
) -> None:
    """Tell the exosome scenario, step by step, with every alert on its day. Needs no broker.

    A synthetic background of 20,060 reports, then what happened: sepsis after exosome injections of
    one lot, a rumour of deaths that nobody could confirm or refute, lung cancers that grew rapidly
    after stem-cell culture supernatant. No alert comes of the background, and none of a rumour
    enters a count.
    """
    console = Console()
    told = story(refuted=refuted)
    alerts: dict[date, list[Alert | SafetyAlert]] = defaultdict(list)
    rejected: list[Rejected] = []
    run = Replay(
        [WindowSpec.parse("cumulative")],
        rules_from(DEFAULT_RULES, {"additional_monitoring": [PRODUCT_CLASS]}),
        every=1,
        until=None,
        horizon=tomorrow(),
        on_alert=lambda alert: alerts[alert.evaluated_on].append(alert),
        on_safety_alert=lambda alert: alerts[alert.evaluated_on].append(alert),
        on_rejected=rejected.append,
        notices=[entry.item for entry in told if isinstance(entry.item, Notice)],
    )
    reports = [*background(), *(entry.item for entry in told if isinstance(entry.item, Report))]
    for _ in run.feed("demo", enumerate(reports, start=1)):
        pass
    run.finish()
    console.print(
        f"{run.summary.population['counted'] - 8:,} synthetic reports of other products, and of "
        f"{PRODUCT_CLASS}, 2012 to 2019: no alert. Then, as it was received:\n",
        highlight=False,
    )
    for day, entries in groupby(told, key=lambda entry: entry.day):
        for entry in entries:
            kind = "" if isinstance(entry.item, Report) else " [dim](a notice: never counted)[/]"
            line = f"[bold]{day}[/]  step {entry.step:>2}  {escape(entry.line)}{kind}"
            console.print(line, highlight=False)
        for alert in alerts.pop(day, ()):
            _tell(console, alert)
    counted = run.summary.population
    console.print(
        f"\n{counted['counted']:,} cases counted, {counted['duplicate']} duplicate and "
        f"{counted['nullified']} nullified case kept out, {len(rejected)} rejected.",
        highlight=False,
    )


def _tell(console: Console, alert: Alert | SafetyAlert) -> None:
    kind = alert.kind.value
    name = "SDR" if isinstance(alert, Alert) else alert.category.value
    urgent = ", [bold red]urgent[/]" if isinstance(alert, SafetyAlert) and alert.urgent else ""
    head = f"[{KIND_COLOURS[kind]}]{name} {kind}[/], revision {alert.revision}{urgent}"
    lines = [head, escape(alert.sentence)]
    if kind != "new":
        lines.append(f"[dim]because: {escape(alert.reason)}[/]")
    if isinstance(alert, SafetyAlert):
        lines += [f"[dim]{escape(line)}[/]" for line in alert.duty]
        if alert.flags:
            lines.append(f"[dim]note: {escape(', '.join(alert.flags).replace('_', ' '))}[/]")
    console.print(Padding("\n".join(lines), (0, 0, 0, 4)), highlight=False)
