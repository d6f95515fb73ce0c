"""`tocsin replay`: its output files, and one error line for an invalid file or option."""

import gzip
import io
import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from schemas.counts import COUNTS
from tests.support.archives import write_zip
from tests.support.cli import Run, require_refused
from tests.support.faers_quarters import CURRENT, joined_quarter, members
from tests.support.reports import report_line


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    """The folder in which commands run, with a file of one report."""
    line = report_line("A", date(2024, 2, 29), "zinc", "Rash")
    (tmp_path / "reports.jsonl").write_text(line, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("replay none.jsonl", "none.jsonl: must be a file; got nothing there"),
        ("replay .", "torn.zip: must be a whole zip file; got "),
        ("replay notes.txt", "notes.txt: must be a zip file or a folder with *VAERSDATA.csv"),
        ("replay torn.zip", "torn.zip: must be a whole zip file; got "),
        ("replay other.zip", "other.zip: must be a zip file or a folder with *VAERSDATA.csv"),
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
    require_refused(run(arguments), line)


def test_a_counts_file_with_nothing_counted_is_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_bytes(b"")
    ended = run("replay none.jsonl --window month --rules mhra --counts out.parquet")
    assert ended.code == 0
    assert list(pl.read_parquet(tmp_path / "out.parquet").schema) == [
        *("window", *COUNTS, "expected_adjusted")
    ]


def test_a_replay_of_compressed_lines_counts_them(run: Run, folder: Path) -> None:
    raw = gzip.compress((folder / "reports.jsonl").read_bytes())
    (folder / "reports.jsonl.gz").write_bytes(raw)
    ended = run("replay reports.jsonl.gz reports.jsonl --counts out.parquet")
    assert ended.code == 0
    assert pl.read_parquet(folder / "out.parquet").row(0) == (
        *("cumulative", "zinc", "Rash", 1, 1, 1, 1, 1.0),
    )
    rows = {line.strip(" │|") for line in ended.out.splitlines()}
    assert any(row.startswith("repeated") and row.endswith("1") for row in rows)


def test_repairs_of_all_files_are_in_the_summary(run: Run, tmp_path: Path) -> None:
    write_zip(tmp_path / "one.zip", joined_quarter("17Q2"))
    write_zip(tmp_path / "two.zip", joined_quarter("17Q3"))
    write_zip(tmp_path / "sound.zip", members(CURRENT, "17Q4", {"DEMO": [{}]}))
    lines = run("replay one.zip two.zip sound.zip").rows()
    at = lines.index(["rejected", "0"])
    assert lines[at + 1 : at + 3] == [["repaired", "4"], ["rows that shared a line", "4"]]
    assert "repaired" not in run("replay sound.zip").out
