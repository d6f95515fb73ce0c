"""The command line: help that teaches, one clear line for what is wrong, never a traceback."""

import gzip
import io
import json
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import typer
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from detectors import validation
from schemas.contracts import CONTRACTS, Direction
from schemas.counts import COUNTS
from streams.cli.app import command_line
from streams.cli.options import interval_days, parse_day, rules_from, windows_from, writable
from streams.cli.schema_commands import SchemaName
from streams.core.counting.windows import WindowSpec
from tests.support.cli import Run, require_refused
from tests.support.reports import report_line

ROW = {"drug": "A", "event": "x", "n_observed": 3, "n_drug": 20, "n_event": 100, "n_total": 10_000}


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    """The folder in which commands run, with a file of one report and one of counts."""
    line = report_line("A", date(2024, 2, 29), "zinc", "Rash")
    (tmp_path / "reports.jsonl").write_text(line, encoding="utf-8")
    pl.DataFrame([ROW]).write_parquet(tmp_path / "counts.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "taught"),
    [
        ("", ("demo", "replay", "score", "validate", "schema", "topics", "publish", "run")),
        ("", ("alerts", "recount")),
        ("demo", ("exosome", "Needs no broker")),
        ("replay", ("--every", "1d, 7d, 2w", "--window", "sliding:DAYS", "mhra", "tocsin replay")),
        ("score", ("n_observed, n_drug, n_event, n_total", "--methods", "ror")),
        ("validate", ("published values",)),
        ("schema", ("report", "alert")),
        ("topics", ("create",)),
        ("topics create", ("partitions", "--bootstrap")),
        ("publish", ("rejects", "VAERS")),
        ("run", ("--drain", "--stage", "state_dir", "--metrics-port", "/health", "--log")),
        ("alerts", ("--follow", "--json")),
    ],
)
def test_help_teaches(command: str, taught: tuple[str, ...], run: Run) -> None:
    ended = run(f"{command} --help")
    assert ended.code == 0
    for word in taught:
        assert word in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("replay", "Missing argument"),
        ("replay --nope reports.jsonl", "--nope"),
        ("replay --format xml reports.jsonl", "xml"),
        ("nonsense", "nonsense"),
        ("schema", "Missing argument"),
        ("schema nonsense", "nonsense"),
        ("score counts.parquet", "--output"),
        ("run --stage nonsense", "nonsense"),
        ("run --metrics-port 65536", "65535"),
        ("run --log-format xml", "xml"),
    ],
)
def test_a_usage_error_ends_with_2_and_says_what(
    arguments: str, said: str, run: Run, folder: Path
) -> None:
    ended = run(arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.startswith("tocsin: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("replay none.jsonl", "none.jsonl: must be a file; got nothing there"),
        ("replay .", ".: must be a file; got a folder"),
        ("replay notes.txt", "notes.txt: must be a zip file with *VAERSDATA.csv"),
        ("replay torn.zip", "torn.zip: must be a whole zip file; got "),
        ("replay other.zip", "other.zip: must be a zip file with *VAERSDATA.csv"),
        ("replay plain.jsonl.gz", "Not a gzipped file"),
        (
            "replay --window week reports.jsonl",
            "window: cumulative, month, quarter or sliding:DAYS",
        ),
        ("replay --window sliding:² reports.jsonl", "window: cumulative, month, quarter or slid"),
        ("replay --window sliding:9999999 reports.jsonl", "window: cumulative, month, quarter or "),
        ("replay --every 0d reports.jsonl", "--every: a number of days or weeks such as 1d or 2w"),
        ("replay --every 1h reports.jsonl", "--every: a number of days or weeks such as 1d or 2w"),
        ("replay --until 2024-02-30 reports.jsonl", "--until: a date such as 2024-05-31 must be "),
        ("replay --until yesterday reports.jsonl", "--until: a date such as 2024-05-31 must be "),
        ("replay --rules nonsense reports.jsonl", "load_rules: a rule must be a .toml file or "),
        ("replay --rules none.toml reports.jsonl", "load_rules: none.toml must be a readable TOML"),
        ("replay --rules , reports.jsonl", "load_rules: at least one rule must be given; got []"),
        ("replay --rules ic,ic reports.jsonl", "load_rules: a rule must be given once; got ['ic']"),
        ("replay --alerts no/a.jsonl reports.jsonl", "no/a.jsonl: the folder to write into must"),
        ("replay --counts no/c.parquet reports.jsonl", "no/c.parquet: the folder to write into"),
        ("replay --rejects no/r.jsonl reports.jsonl", "no/r.jsonl: the folder to write into must"),
        ("replay --alerts . reports.jsonl", "Is a directory"),
        ("replay --alerts reports.jsonl reports.jsonl", "a file to write must be another than "),
        ("replay --alerts a --rejects ./a reports.jsonl", "a file to write must be another than "),
        ("score none.parquet -o out.parquet", "none.parquet: must be a readable parquet file; got"),
        ("score notes.txt -o out.parquet", "notes.txt: must be a readable parquet file; got "),
        ("score narrow.parquet -o out.parquet", "narrow.parquet: must have the columns ['drug', "),
        ("score impossible.parquet -o out.parquet", "score: 0 <= n_observed <= min(n_drug, n_eve"),
        ("score text.parquet -o out.parquet", "score: n_drug must be an integer count of cases; "),
        ("score twice.parquet -o out.parquet", "score: a pair must stand in one row; 2 of 2 rows"),
        ("score counts.parquet -o no/out.parquet", "no/out.parquet: the folder to write into "),
        ("score counts.parquet -o out.parquet --methods zeta", "score: methods must be among "),
    ],
)
def test_bad_input_ends_with_2_and_one_line(
    arguments: str, line: str, run: Run, folder: Path
) -> None:
    (folder / "notes.txt").write_text("hello", encoding="utf-8")
    (folder / "plain.jsonl.gz").write_bytes(b"hello")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zipped:
        zipped.writestr("readme.txt", "hello")
    (folder / "other.zip").write_bytes(packed.getvalue())
    (folder / "torn.zip").write_bytes(packed.getvalue()[:-12])
    frame = pl.DataFrame([ROW])
    frame.drop("n_total").write_parquet(folder / "narrow.parquet")
    frame.with_columns(n_drug=pl.lit("20")).write_parquet(folder / "text.parquet")
    frame.with_columns(n_observed=pl.lit(21)).write_parquet(folder / "impossible.parquet")
    pl.concat([frame, frame]).write_parquet(folder / "twice.parquet")
    require_refused(run(arguments), line)


def test_a_counts_file_with_nothing_counted_is_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_bytes(b"")
    ended = run("replay none.jsonl --window month --counts out.parquet")
    assert ended.code == 0
    assert list(pl.read_parquet(tmp_path / "out.parquet").schema) == ["window", *COUNTS]


def test_a_replay_of_compressed_lines_counts_them(run: Run, folder: Path) -> None:
    raw = gzip.compress((folder / "reports.jsonl").read_bytes())
    (folder / "reports.jsonl.gz").write_bytes(raw)
    ended = run("replay reports.jsonl.gz reports.jsonl --counts out.parquet")
    assert ended.code == 0
    assert pl.read_parquet(folder / "out.parquet").row(0) == (
        *("cumulative", "zinc", "Rash", 1, 1, 1, 1),
    )
    rows = {line.strip(" │|") for line in ended.out.splitlines()}
    assert any(row.startswith("repeated") and row.endswith("1") for row in rows)


def test_scores_make_the_round_trip(run: Run, folder: Path) -> None:
    ended = run("score counts.parquet -o out.parquet --methods 'prr, ic'")
    assert (ended.code, "1 pairs scored" in ended.out) == (0, True)
    scored = pl.read_parquet(folder / "out.parquet")
    assert list(scored.schema)[: len(ROW)] == list(ROW)
    # (3 / 20) / (97 / 9980)
    assert scored["prr"].item() == pytest.approx(3 / 20 / (97 / 9980), rel=1e-12)
    assert "ror" not in scored.columns


@pytest.mark.parametrize("name", [*CONTRACTS, "REPORT"])
def test_a_schema_is_a_json_schema(name: str, run: Run) -> None:
    ended = run(f"schema {name}")
    schema = json.loads(ended.out)
    Draft202012Validator.check_schema(schema)
    contract = CONTRACTS[name.lower()]
    assert (ended.code, schema["type"], schema["$id"]) == (0, "object", contract.uri)
    # Who writes is told of a mistyped name; who reads must bear what is added later.
    assert ('"additionalProperties": false' in ended.out) is (contract.direction is Direction.INPUT)
    references = {part.split('"')[0] for part in ended.out.split('"$ref": "#/$defs/')[1:]}
    assert references <= set(schema.get("$defs", ()))


def test_everything_with_a_schema_has_a_name() -> None:
    assert {name.value for name in SchemaName} == {*CONTRACTS, "asyncapi", "openapi"}


def test_every_published_value_is_met(run: Run) -> None:
    ended = run("validate")
    assert ended.code == 0
    assert " 0 differ." in ended.out
    assert "DIFFERS" not in ended.out


def test_a_difference_ends_validation_with_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = validation.validate().head(1).with_columns(ok=pl.lit(False))
    monkeypatch.setattr(validation, "validate", lambda: checks)
    ended = run("validate")
    assert (ended.code, "DIFFERS" in ended.out) == (2, True)
    assert ended.err == (
        "tocsin: validate: every value must be within its tolerance; got 1 that are not\n"
    )


def test_the_demo_ends_with_its_alerts(run: Run) -> None:
    ended = run("demo")
    assert ended.code == 0
    for word in ("Sepsis", "2019-10-15", "2024-05-20", "weakened", "20,068 cases counted"):
        assert word in ended.out


def test_a_defect_is_one_line_and_ends_with_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> pl.DataFrame:
        msg = "two\nlines"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr(validation, "validate", broken)
    ended = run("validate")
    assert ended.code == 1
    assert ended.err.startswith("tocsin: defect: ZeroDivisionError: two lines (TOCSIN_DEBUG=1 ")
    monkeypatch.setenv("TOCSIN_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run("validate")


def test_a_reader_who_leaves_is_no_error() -> None:
    code = "from streams.cli import main; main()"
    command = (
        f'"{sys.executable}" -c "{code}" schema report | head -c 1; echo " ${{PIPESTATUS[0]}}"'
    )
    ended = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.stdout, ended.stderr) == ("{ 0\n", "")


def test_options_become_values(tmp_path: Path) -> None:
    assert [interval_days(text) for text in ("1d", "7d", "2w", "99999d")] == [1, 7, 14, 99_999]
    assert parse_day(None, "--until") is None
    assert parse_day("2024-02-29", "--until") == date(2024, 2, 29)
    assert windows_from(None) == [WindowSpec.parse("cumulative")]
    assert len(windows_from(["month", "month", "quarter"])) == 2
    assert [rule.name for rule in rules_from(" ic , mhra ").rules] == ["ic", "mhra"]
    watched = rules_from("ema", {"additional_monitoring": ["zinc"]})
    assert "additional_monitoring" in watched.rules[0].sentence
    assert writable(None) is None
    assert writable(tmp_path / "new") == tmp_path / "new"


def test_every_command_alone_is_what_it_is_among_all() -> None:
    among_all = {name: _help_of(command_line(), name) for name in _commands(command_line())}
    assert len(among_all) == 23
    for name, said in among_all.items():
        assert _help_of(command_line(name), name) == said
    assert set(_commands(command_line("no such command"))) == set(among_all)


def test_a_command_brings_no_other_with_it() -> None:
    assert set(_commands(command_line("replay"))) == {"replay", "validate"}
    code = """
import sys
from streams.cli.app import command_line
command_line("schema")
print(*(name for name in sys.modules if name.endswith("_commands")))
"""
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert asked.stdout.split() == ["streams.cli.schema_commands"]


def test_what_asks_no_broker_waits_for_no_client_of_one() -> None:
    code = """
import sys
from streams.cli.app import command_line
command_line("replay")
print("kafka" in sys.modules)
"""
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert asked.stdout.split() == ["False"]


def _commands(app: typer.Typer) -> list[str]:
    return list(typer.main.get_group(app).commands)


def _help_of(app: typer.Typer, name: str) -> str:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    return result.output
