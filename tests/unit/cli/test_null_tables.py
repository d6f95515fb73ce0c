"""Tables of a null: shares by rule, the pair that several rules raise, and years."""

import io
from datetime import date

import polars as pl
from rich.console import Console

from schemas.alert import SignalGrade
from schemas.delta import CASE_CHANGES
from streams.cli.null_tables import null_tables
from streams.core.cases.permutation import Block
from streams.runtime.embedded.backtest import History
from tests.support.cli import Ended
from tests.support.deltas import case_change

ALARM = SignalGrade.ALARM
A, B, C = (("zinc", name) for name in ("rash", "fever", "pain"))


def tables(
    rules: dict[str, SignalGrade], nulls: list[History], real: History
) -> tuple[list[str], Ended, Ended]:
    facts, *printed = null_tables("--rules [x]", rules, [Block.DAY, Block.SEX], nulls, real)
    found = []
    for table in printed:
        out = io.StringIO()
        Console(file=out, width=150).print(table)
        found.append(Ended(0, out.getvalue(), ""))
    shares, years = found
    return facts.splitlines(), shares, years


def history(n_pairs: int, **first_on: dict[tuple[str, str], date]) -> History:
    """Rules by name, with the first day of each of their pairs."""
    rows = [
        case_change(str(n), age_years=-1.0, subdivision="", day=date(2023, 6, 1 + n // 2))
        for n in range(4)
    ]
    rows[0]["drugs"] = ["iron"]  # on the first day cases can move, on the second not
    cases = pl.DataFrame(rows, schema=dict(CASE_CHANGES), orient="row")
    return History(n_pairs=n_pairs, first_on=first_on, cases=cases)


def test_a_pair_counts_once_whichever_rules_raise_it_from_its_first_day() -> None:
    nulls = [
        history(10, one={A: date(2022, 3, 1)}, two={A: date(2024, 3, 1), B: date(2024, 5, 1)}),
        history(10, two={C: date(2024, 1, 1)}),
    ]
    grades = {"one": ALARM, "two": ALARM, "three": SignalGrade.SCREENING}
    facts, shares, years = tables(grades, nulls, history(8, one={A: date(2023, 1, 1)}))
    assert facts[0] == "--rules [x]: reported pairs that ever alerted, null within day, sex"
    assert facts[1] == (
        "Permutations: 2; cases: 4, follow-ups collapsed; could not move: 50.0%; reported pairs: 10"
    )
    # Of 10% and none, and of 20% and 10%: t of one degree of freedom is 12.7, both exceed 0 and 1.
    assert shares.rows()[1:] == [
        ["one", "alarm", "5.00%", "0.00% to 68.53%", "permutations", "12.50%"],
        ["two", "alarm", "15.00%", "0.00% to 78.53%", "permutations", "0.00%"],
        ["three", "screening", "0.00%", "0.00% to 30.85%", "Clopper-Pearson", "0.00%"],
        ["any of the alarm", "alarm", "15.00%", "0.00% to 78.53%", "permutations", "12.50%"],
    ]
    assert years.rows() == [
        ["first alert in", "one", "two", "three", "any of the alarm"],
        ["2022", "0.5", "0.0", "0.0", "0.5"],
        ["2023", "0.0", "0.0", "0.0", "0.0"],
        ["2024", "0.0", "1.5", "0.0", "1.0"],
    ]


def test_a_single_rule_has_no_row_for_any() -> None:
    null = history(10, one={A: date(2023, 3, 1)})
    _, shares, years = tables({"one": ALARM}, [null], null)
    assert [row[0] for row in shares.rows()] == ["rule", "one"]
    assert years.rows() == [["first alert in", "one"], ["2023", "1.0"]]
