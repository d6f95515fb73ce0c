"""Tables of the false-alert rate of rules on a null made of the installation's own cases."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from statistics import fmean

from rich.markup import escape
from rich.table import Table

from detectors.false_alarms import null_alert_rate
from streams.core.cases.permutation import Block, n_unmovable
from streams.runtime.embedded.backtest import History

__all__ = ["ANY_RULE", "null_tables"]

ANY_RULE = "any of them"
"""Name of the row that counts a pair once, whichever rules are on."""


def null_tables(
    heading: str,
    rules: Sequence[str],
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
        Names of the rules, in order.
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
    rows = [*rules, ANY_RULE] if len(rules) > 1 else list(rules)
    return facts, _shares(rows, nulls, real), _years(rows, nulls, real)


def _shares(rows: Sequence[str], nulls: Sequence[History], real: History) -> Table:
    table = Table()
    table.add_column("rule")
    table.add_column("null", justify="right")
    table.add_column("95% limits", justify="right")
    table.add_column("limits by")
    table.add_column("data", justify="right")
    n_pairs = [null.n_pairs for null in nulls]
    for rule in rows:
        rate = null_alert_rate([len(_first_days(null, rule)) for null in nulls], n_pairs)
        table.add_row(
            escape(rule),
            f"{rate.rate:.2%}",
            f"{rate.lower:.2%} to {rate.upper:.2%}",
            rate.limits,
            f"{len(_first_days(real, rule)) / max(real.n_pairs, 1):.2%}",
        )
    return table


def _years(rows: Sequence[str], nulls: Sequence[History], real: History) -> Table:
    table = Table()
    table.add_column("first alert in")
    counts = {rule: _by_year(rule, nulls) for rule in rows}
    for rule in rows:
        table.add_column(escape(rule), justify="right")
    years = {day.year for day in real.cases["day"].to_list()}.union(*counts.values())
    for year in sorted(years):
        table.add_row(str(year), *(f"{counts[rule][year] / len(nulls):,.1f}" for rule in rows))
    return table


def _by_year(rule: str, nulls: Sequence[History]) -> Counter[int]:
    return Counter(day.year for null in nulls for day in _first_days(null, rule).values())


def _first_days(history: History, rule: str) -> dict[tuple[str, str], date]:
    """Return the day of the first alert of each pair with the rule, or with any rule, on."""
    if rule != ANY_RULE:
        return history.first_on.get(rule, {})
    found: dict[tuple[str, str], date] = {}
    for days in history.first_on.values():
        for pair, day in days.items():
            found[pair] = min(day, found.get(pair, day))
    return found
