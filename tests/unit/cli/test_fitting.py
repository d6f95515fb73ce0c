"""Tables fit a terminal of 80 columns without breaking a word, or are printed as records."""

import io
import os
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from rich.table import Table

from schemas.rejected import Rejected
from streams.cli import rejected_commands, state_commands
from streams.cli.fitting import fits
from streams.cli.tables import alert_table
from streams.cli.terminal import Console
from tests.support.alerts import safety, signal
from tests.support.cli import tocsin
from tests.support.reports import make_report

FRAME = re.compile(r"[─━│┃┏┓┗┛┡┩╇╈└┘┴┳┻├┤┼╞╡]+")
VOLATILE = re.compile(r"\d[\d,.]*")  # durations differ, and margins are left out of a narrow table
LONGEST = 24  # characters; a longer word is an id or a key, which may be broken
JANUARY = date(2024, 1, 1)
NAMES = {
    "drugs": ("measles-mumps-rubella", "oseltamivir", "rotavirus vaccine (oral, tetravalent)"),
    "events": ("Immune thrombocytopenia", "Intussusception", "Hypotonic-hyporesponsive episode"),
}


def words(text: str) -> set[str]:
    found = {word for word in FRAME.sub(" ", text).split() if len(word) <= LONGEST}
    return {word for word in found if "|" not in word}


def printed(table: Table, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def table_of(*rows: tuple[str, ...], folded: bool = False) -> Table:
    table = Table(title="title", caption="caption")
    for number in range(len(rows[0])):
        table.add_column(f"heading {number}", overflow="fold" if folded else "ellipsis")
    for row in rows:
        table.add_row(*row)
    return table


def test_a_table_that_fits_is_as_rich_prints_it() -> None:
    table = table_of(("a b", "c"), ("d", "e"))
    text = printed(table, 40)
    assert "│ a b" in text
    assert [column.width for column in table.columns] == [None, None]


def test_a_narrow_table_wraps_at_words_only() -> None:
    cell = "thrombocytopenia and petechiae"
    table = table_of((cell, "cases 1,234", cell), ("x", "y", "z"))
    for width in range(49, 90):
        text = printed(table_of((cell, "cases 1,234", cell), ("x", "y", "z")), width)
        assert max(map(len, text.splitlines())) <= width
        assert words(cell) <= words(text), width
        assert "┃" in text
    assert fits(table, Console(width=49))
    assert not fits(table, Console(width=48))


def test_the_room_is_used_to_the_last_column() -> None:
    text = printed(table_of(("a " * 30, "b " * 30, "c " * 30)), 79)
    assert {len(line) for line in text.splitlines() if line.startswith("│")} == {79}


def test_rows_that_cannot_fit_are_records() -> None:
    row = ("authority", "subscriptions:write", "", "[dim]Paul-Ehrlich-Institut[/]")
    table = table_of(row, ("b", "c", "d", "e"))
    assert not fits(table, Console(width=40))
    lines = [line.rstrip() for line in printed(table, 40).splitlines()]
    assert lines == [
        "title",
        "heading 0  authority",
        "heading 1  subscriptions:write",
        "heading 2",
        "heading 3  Paul-Ehrlich-Institut",
        "",
        "heading 0  b",
        "heading 1  c",
        "heading 2  d",
        "heading 3  e",
        "",
        "caption",
    ]


def test_keys_of_a_folded_column_are_broken_and_words_are_not() -> None:
    key = "measles-mumps-rubella|immune thrombocytopenia|cumulative"
    table = table_of((key + " thrombocytopenia", "cases"), folded=True)
    text = printed(table, 40)
    assert "┃" in text
    assert "thrombocytopenia" in words(text)
    assert key.replace(" ", "") in "".join(FRAME.sub(" ", text).split()).replace("cases", "")


def write_reports(path: Path) -> None:
    lines = [
        make_report(
            f"C{n}",
            day=JANUARY + timedelta(days=n),
            drugs=NAMES["drugs"][: 1 + n % 3] if n % 2 else ("zinc",),
            events=NAMES["events"][: 1 + n % 3] if n % 2 else ("Rash",),
        ).model_dump_json()
        for n in range(60)
    ]
    path.write_text("\n".join(lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with reports, alerts, decisions, tokens and subscriptions."""
    folder = tmp_path_factory.mktemp("tables")
    with patch.dict(os.environ, TIER_KEY="a key of sixteen characters"):
        fill(folder)
        yield folder


def fill(folder: Path) -> None:
    write_reports(folder / "reports.jsonl")
    key = "oseltamivir|intussusception|cumulative"
    by = "--by 'Dr Maximiliana Featherstonehaugh' --alerts alerts.jsonl"
    for line in (
        "replay reports.jsonl --alerts alerts.jsonl --counts counts.parquet --rules mhra,ic",
        f"signals decide '{key}' under_triage {by} --reason 'Confirmed by three rheumatologists'",
        "tokens add 'Paul-Ehrlich-Institut, Pharmacovigilance' --tier authority "
        "--scope alerts:read --scope cases:read --scope subscriptions:write",
        "subscribe paul-ehrlich-institut --subscriber 'Paul-Ehrlich-Institut, Langen' "
        "--tier authority --folder out --yes",
    ):
        done = tocsin(*shlex.split(line), folder=folder)
        assert done.code == 0, done.err


@pytest.mark.parametrize(
    "line",
    [
        "replay reports.jsonl",
        "top reports.jsonl --rules mhra,ic",
        "explain oseltamivir Intussusception reports.jsonl --rules mhra,ic",
        "backtest reports.jsonl --rules mhra,ema,ic --against ema --null permute --permutations 1",
        "fit counts.parquet -o prior.json",
        "validate",
        "signals list",
        "signals list --alerts alerts.jsonl",
        "audit show 'oseltamivir|intussusception|cumulative'",
        "tokens list",
        "subscriptions",
        "subscribe new --subscriber 'Paul-Ehrlich-Institut' --tier consumer --folder new --yes "
        "--preview alerts.jsonl --grade screening --grade alarm",
    ],
)
def test_no_command_breaks_a_word_at_80_columns(folder: Path, line: str) -> None:
    require_words_kept(line, folder)


def test_alerts_keep_their_words_at_80_columns() -> None:
    rules = {"rules_fired": ("ema", "ic", "mhra", "screening", "tocsin")}
    one = signal(event="Hypotonic-hyporesponsive episode", revision=2).model_copy(update=rules)
    alerts = [one, signal(event="Immune thrombocytopenia"), safety()]
    wide, narrow = (printed(alert_table(alerts, "Alerts"), width) for width in (400, 80))
    assert words(wide) <= words(narrow)


def test_rejects_keep_their_words_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    rejected = Rejected(
        source="2021NonDomesticVAERSData.zip!2021NonDomesticVAERSDATA.csv",
        position=1_234_567,
        reason="RECVDATE must not be after the release of the file, 2021-11-26; got '12/31/2099'",
        raw=b"x",
        first="pv.reports[11]@1234567890",
        attempts=3,
    )
    reject = SimpleNamespace(
        rejected=rejected,
        at=datetime(2024, 1, 1, 12, tzinfo=UTC),
        coordinates="2021NonDomesticVAERSData.zip!2021NonDomesticVAERSDATA.csv 1234567",
        size=1_048_576,
    )
    monkeypatch.setattr(rejected_commands, "read_rejects", lambda *_, **__: [(reject, "unchanged")])
    require_words_kept("rejected list --all")


def test_databases_keep_their_words_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    database = SimpleNamespace(
        identity="12 of pv.reports[11], a prefix of some length",
        next_offset=12_345_678,
        cases=12_345_678,
        counted=12_345_678,
        unpublished=1_000,
    )
    snapshot = SimpleNamespace(topic="pharmacovigilance.pv.deltas", next_offset=12_345_678, form=3)
    monkeypatch.setattr(state_commands, "inspect_cases", lambda settings: [database])
    monkeypatch.setattr(state_commands, "inspect_snapshot", lambda settings: snapshot)
    require_words_kept("state inspect")


def require_words_kept(line: str, folder: Path | None = None) -> None:
    wide, narrow = (
        tocsin(*shlex.split(line), folder=folder, columns=columns) for columns in (400, 80)
    )
    assert wide.code == narrow.code == 0, narrow.err
    sentences = set(wide.out.splitlines())  # which the terminal itself wraps
    assert all(len(row) <= 80 for row in narrow.out.splitlines() if row not in sentences)
    lost = words(wide.out) - words(narrow.out)
    assert not {word for word in lost if not VOLATILE.fullmatch(word)}
