"""Tables on the terminal: alerts, summaries, validation."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import polars as pl
from rich import box
from rich.markup import escape
from rich.table import Table

from schemas.alert import Alert
from schemas.decision import Assessment
from schemas.priority import Priority
from schemas.safety_alert import SafetyAlert
from streams.cli.terminal import Console

if TYPE_CHECKING:
    from streams.runtime.operations.source_account import SourceAccount

__all__ = [
    "KIND_COLOURS",
    "account_rows",
    "alert_table",
    "due_in_words",
    "priority_text",
    "repair_rows",
    "summary_table",
    "unmapped_rows",
    "validation_table",
]

_MOST_UNMAPPED = 20  # different values in a summary
KIND_COLOURS = {
    "new": "bold red",
    "strengthened": "red",
    "weakened": "yellow",
    "update": "yellow",
    "retraction": "green",
    "closed": "green",
}
"""Styles of the kinds of alert revision."""


def alert_table(alerts: Iterable[Alert | SafetyAlert], title: str) -> Table:
    """Return a table of one row per alert revision, for the authority tier: keys name lots."""
    # Names wrap at words, keys anywhere, numbers never do.
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("day", no_wrap=True)
    table.add_column("what happened")
    table.add_column("event [dim]with drug; key, id[/]", overflow="fold")
    table.add_column("cases, ROR, IC [dim](95%)[/]", no_wrap=True)
    for alert in alerts:
        if isinstance(alert, SafetyAlert):
            table.add_row(*_safety_row(alert))
            continue
        numbers = alert.statistics
        kind = alert.kind.value
        table.add_row(
            f"{alert.evaluated_on}\n[dim]revision {alert.revision}[/]",
            f"[{KIND_COLOURS[kind]}]{kind}[/], {alert.grade}\n"
            f"[dim]{', '.join(alert.rules_fired) or 'no rule'}[/]\n{priority_text(alert)}"
            f"{_assessment(alert)}",
            f"{escape(alert.event)}\n[dim]{escape(alert.drug)}[/]\n{_identity(alert)}",
            f"n {alert.counts.n_observed}, {_number(numbers.expected)} expected\n"
            f"ROR {_interval(numbers.ror, numbers.ror_lower, numbers.ror_upper)}\n"
            f"IC {_interval(numbers.ic, numbers.ic_lower, numbers.ic_upper)}",
        )
    table.caption = "expected: if unrelated; below what happened stand the rules that are on"
    table.caption_justify = "left"
    return table


def due_in_words(assessment: Assessment) -> str:
    """Return the day by which somebody must decide, or since when that is overdue; empty: never."""
    if assessment.due is None:
        return ""
    return f"overdue since {assessment.due}" if assessment.overdue else str(assessment.due)


def _assessment(alert: Alert | SafetyAlert) -> str:
    """Return the line on the assessment of an alert's signal; empty if it is not known."""
    if (assessment := alert.assessment) is None:
        return ""
    due = due_in_words(assessment)
    words = f"[bold red]{due}[/]" if assessment.overdue else f"due {due}" if due else ""
    return f"\n{assessment.state.value}" + (f"\n{words}" if words else "")


def _safety_row(alert: SafetyAlert) -> tuple[str, str, str, str]:
    kind = alert.kind.value
    count = alert.patients
    patients = [f"patients {count.at_least}{'' if count.exact else ' or more'}"] if count else []
    urgent = "urgent, " if alert.urgent else ""
    return (
        f"{alert.evaluated_on}\n[dim]revision {alert.revision}[/]",
        f"[{KIND_COLOURS[kind]}]{kind}[/]\n[dim]{urgent}{alert.category.value}[/]\n"
        f"{priority_text(alert)}{_assessment(alert)}",
        f"{escape(alert.headline or alert.sentence)}\n{_identity(alert)}",
        "\n".join([f"cases {len(alert.case_ids)}", *patients]),
    )


def priority_text(alert: Alert | SafetyAlert) -> str:
    """Return the level and total of an alert's priority, or that it has none."""
    priority: Priority | None = getattr(alert, "priority", None)
    return "no priority" if priority is None else f"priority {priority.level} {priority.total:.2f}"


def _identity(alert: Alert | SafetyAlert) -> str:
    return f"[dim]{escape(alert.signal_key)}\n{escape(alert.alert_id)}[/]"


def repair_rows(repaired: Counter[str]) -> dict[str, object]:
    """Return the rows of a summary for repairs, by kind; none if nothing was repaired."""
    rows: dict[str, object] = {"repaired": repaired.total()} if repaired.total() else {}
    return rows | {f"  {kind}": number for kind, number in sorted(repaired.items()) if number}


def unmapped_rows(unmapped: Counter[str]) -> dict[str, object]:
    """Return the rows of a summary for values without a place in a report, most frequent first."""
    if not unmapped:
        return {}
    shown = sorted(unmapped.items(), key=lambda item: (-item[1], item[0]))[:_MOST_UNMAPPED]
    rows: dict[str, object] = {"values that a report cannot carry": unmapped.total()}
    rows |= {f"  {escape(value)}": number for value, number in shown}
    rest = unmapped.total() - sum(number for _, number in shown)
    return rows | ({"  other values": rest} if rest else {})


def summary_table(rows: Mapping[str, object], title: str) -> Table:
    """Return a table of two columns: name and value."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    return table


def account_rows(account: "SourceAccount") -> dict[str, object]:
    """Return the rows of a summary for what became of the rows of a source."""
    rows: dict[str, object] = {
        f"rows that name a report ({account.source_format})": account.rows,
        "  cases counted": account.counted,
    }
    for reason, number in sorted(account.excluded.items()):
        rows[f"  excluded, {escape(reason)}"] = number
    rows["  further reports of a case"] = account.further
    for reason, number in sorted(account.left_out.items()):
        rows[f"  left out, {escape(reason)}"] = number
    rows |= {"  rejected": account.rejected, "  unexplained": account.unexplained}
    if account.others_rejected:
        rows["rejected rows of other tables"] = account.others_rejected
    return rows | unmapped_rows(account.unmapped)


def validation_table(checks: pl.DataFrame, console: Console) -> None:
    """Print every oracle value beside the computed one."""
    table = Table(title="Validation against published and independent values", title_justify="left")
    table.add_column("check [dim]and statistic[/]")
    for heading in ("expected [dim]and got[/]", "difference [dim]and tolerance[/]"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for check in checks.iter_rows(named=True):
        got, difference = check["got"], check["difference"]
        table.add_row(
            f"{check['check']}\n[dim]{check['statistic']}[/]",
            f"{check['expected']:.10g}\n" + ("null" if got is None else f"{got:.10g}"),
            ("" if difference is None else f"{difference:.1e}") + f"\n{check['tolerance']:.1e}",
            "[green]ok[/]" if check["ok"] else "[bold red]DIFFERS[/]",
        )
    console.print(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _interval(point: float | None, lower: float | None, upper: float | None) -> str:
    if point is None:
        return "-"
    return rf"{point:.2f} \[{_bound(lower)}, {_bound(upper)}]"


def _bound(value: float | None) -> str:
    return "∞" if value is None else f"{value:.2f}"
