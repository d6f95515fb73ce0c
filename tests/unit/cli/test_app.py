"""The command line: help texts, one error line, never a traceback."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from detectors import validation
from streams.cli.app import command_line
from streams.runtime.operations import source_account
from tests.support.cli import Run
from tests.support.reports import make_report


@pytest.mark.parametrize(
    ("command", "named"),
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
def test_help_names_options_and_terms(command: str, named: tuple[str, ...], run: Run) -> None:
    ended = run(f"{command} --help")
    assert ended.code == 0
    for word in named:
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
def test_a_usage_error_exits_with_2_and_names_the_argument(
    arguments: str, said: str, run: Run
) -> None:
    ended = run(arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.startswith("tocsin: ")
    assert ended.err.count("\n") == 1


def test_validate_accounts_for_the_rows_of_sources(run: Run, tmp_path: Path) -> None:
    line = make_report("A").model_dump_json()
    (tmp_path / "a.jsonl").write_text(f"{line}\n{line}\nno report\n")
    ended = run("validate a.jsonl")
    assert ended.code == 0
    assert ended.rows() == [
        ["rows that name a report (native)", "3"],
        ["cases counted", "1"],
        ["further reports of a case", "1"],
        ["rejected", "1"],
        ["unexplained", "0"],
    ]
    assert "1 sources, 3 rows." in ended.out


def test_validate_refuses_a_row_of_which_nothing_became(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_text(make_report("A").model_dump_json())
    lost = property(lambda account: 1)
    monkeypatch.setattr(source_account.SourceAccount, "unexplained", lost)
    ended = run("validate a.jsonl")
    assert ended.code == 2
    assert "every row must be explained; got 1 sources with others" in ended.err


def test_validate_finds_no_difference(run: Run) -> None:
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


def test_a_closed_pipe_is_not_an_error() -> None:
    code = "from streams.cli import main; main()"
    command = (
        f'"{sys.executable}" -c "{code}" schema report | head -c 1; echo " ${{PIPESTATUS[0]}}"'
    )
    ended = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.stdout, ended.stderr) == ("{ 0\n", "")


def test_every_command_has_the_same_help_alone_and_among_all() -> None:
    among_all = {name: _help_of(command_line(), name) for name in _commands(command_line())}
    assert len(among_all) == 31
    for name, said in among_all.items():
        assert _help_of(command_line(name), name) == said
    assert set(_commands(command_line("no such command"))) == set(among_all)


def test_a_command_imports_no_other_command() -> None:
    assert set(_commands(command_line("replay"))) == {"replay"}
    code = """
import sys
from streams.cli.app import command_line
command_line("schema")
print(*(name for name in sys.modules if name.endswith("_commands")))
"""
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert asked.stdout.split() == ["streams.cli.schema_commands"]


def test_commands_without_a_broker_import_no_kafka_client() -> None:
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


def test_the_version_is_that_of_the_distribution() -> None:
    code = "from streams.cli import main; main()"
    asked = [sys.executable, "-c", code, "--version"]
    ended = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert ended.stdout == f"tocsin {version('tocsin')}\n"


def test_every_command_is_in_one_panel_of_the_help() -> None:
    app = command_line()
    panels = [each.rich_help_panel for each in [*app.registered_commands, *app.registered_groups]]
    assert len(panels) == 31
    assert all(isinstance(panel, str) for panel in panels)
