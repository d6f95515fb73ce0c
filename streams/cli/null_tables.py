"""Tables of the false-alert rate of rules on a null made of the installation's own cases."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import fmean
from typing import NamedTuple

from rich.markup import escape
from rich.table import Table

from detectors.false_alarms import null_alert_rate
from schemas.alert import SignalGrade
from streams.core.cases.permutation import Block, n_unmovable
from streams.runtime.embedded.backtest import History

__all__ = ["null_tables"]


class _Row(NamedTuple):
    """A rule, or several of which any may be on."""

    label: str
    grade: str
    rules: tuple[str, ...]


def null_tables(
    heading: str,
    rules: Mapping[str, SignalGrade],
    within: Sequence[Block],
    nulls: Sequence[History],
    real: History,
) -> tuple[str, Table, Table]:
    """Return the facts of a null, the share of pairs that ever alerted, and their number by year.

    Parameters
    ----------
    heading
        Names the rules in the facts.
    rules
        Grade of each rule, by name, in order.
    within
        The blocks of the null.
    nulls
        Histories of the permutations, at least one.
    real
        History of the reports that they were made of.
    """
    n_cases, n_fixed = real.cases.height, n_unmovable(real.cases, within)
    facts = (
        f"{heading}: reported pairs that ever alerted, null within {', '.join(within)}\n"
        f"Permutations: {len(nulls):,}; cases: {n_cases:,}, follow-ups collapsed; could not move: "
        f"{n_fixed / n_cases:.1%}; reported pairs: {fmean(null.n_pairs for null in nulls):,.0f}"
    )
    rows = [_Row(name, grade.value, (name,)) for name, grade in rules.items()]
    for grade in SignalGrade:
        alike = tuple(name for name in rules if rules[name] is grade)
        if len(alike) > 1:
            rows.append(_Row(f"any of the {grade.value}", grade.value, alike))
    return facts, _shares(rows, nulls, real), _years(rows, nulls, real)


def _shares(rows: Sequence[_Row], nulls: Sequence[History], real: History) -> Table:
    table = Table()
    table.add_column("rule")
    table.add_column("grade")
    table.add_column("null", justify="right")
    table.add_column("95% limits", justify="right")
    table.add_column("limits by")
    table.add_column("data", justify="right")
    n_pairs = [null.n_pairs for null in nulls]
    for row in rows:
        rate = null_alert_rate([len(_first_days(null, row)) for null in nulls], n_pairs)
        table.add_row(
            escape(row.label),
            row.grade,
            f"{rate.rate:.2%}",
            f"{rate.lower:.2%} to {rate.upper:.2%}",
            rate.limits,
            f"{len(_first_days(real, row)) / max(real.n_pairs, 1):.2%}",
        )
    return table


def _years(rows: Sequence[_Row], nulls: Sequence[History], real: History) -> Table:
    table = Table()
    table.add_column("first alert in")
    counts = [_by_year(row, nulls) for row in rows]
    for row in rows:
        table.add_column(escape(row.label), justify="right")
    years = {day.year for day in real.cases["day"].to_list()}.union(*counts)
    for year in sorted(years):
        table.add_row(str(year), *(f"{count[year] / len(nulls):,.1f}" for count in counts))
    return table


def _by_year(row: _Row, nulls: Sequence[History]) -> Counter[int]:
    return Counter(day.year for null in nulls for day in _first_days(null, row).values())


def _first_days(history: History, row: _Row) -> dict[tuple[str, str], date]:
    """Return the day of the first alert of each pair with one of the rules on."""
    found: dict[tuple[str, str], date] = {}
    for rule in row.rules:
        for pair, day in history.first_on.get(rule, {}).items():
            found[pair] = min(day, found.get(pair, day))
    return found
