"""Progress of long commands is shown on a terminal, and nowhere else."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest

import streams
from streams.cli import kafka_commands, main
from streams.cli.progress import Done, FileProgress, RowProgress
from tests.support.cli import tocsin
from tests.support.reports import make_report

ROOT = Path(streams.__file__).parents[1]
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    """Standard error that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def lines_of(drawn: str) -> list[str]:
    """Return the lines that were drawn one over the other."""
    lines = re.split(r"[\r\n]+", CONTROL.sub("", drawn))
    return [line.strip() for line in lines if line.strip()]


def write_reports(path: Path, number: int = 40) -> Path:
    reports = [make_report(f"C{n}") for n in range(number)]
    path.write_text("".join(f"{report.model_dump_json()}\n" for report in reports))
    return path


def sized(path: Path, size: int) -> Path:
    path.write_bytes(b"x" * size)
    return path


def test_rows_of_a_file_of_lines_are_estimated_from_its_bytes(tmp_path: Path) -> None:
    files = FileProgress([sized(tmp_path / "a.jsonl", 1_000)])
    meter = files.begin(tmp_path / "a.jsonl")
    assert files.done() == Done("0% of a.jsonl read", 0, None)
    meter.n_bytes, meter.n_lines = 250, 10
    files.advance(4)
    assert files.done() == Done("a.jsonl", 4, 40)


def test_an_archive_states_what_is_read_and_then_its_reports(tmp_path: Path) -> None:
    files = FileProgress([sized(tmp_path / "a.zip", 1_000)])
    meter = files.begin(tmp_path / "a.zip")
    meter.n_bytes = 300
    assert files.done() == Done("30% of a.zip read", 0, None)
    meter.n_bytes, meter.n_reports = 1_100, 50  # members may be read more than once
    files.advance(20)
    assert files.done() == Done("a.zip", 20, 50)


def test_files_to_come_have_as_many_rows_a_byte(tmp_path: Path) -> None:
    paths = [
        sized(tmp_path / f"{name}.zip", size)
        for name, size in zip("abc", (100, 300, 600), strict=True)
    ]
    files = FileProgress([*paths, tmp_path / "missing.zip"])
    assert files.done() == Done("", 0, None)
    files.begin(paths[0]).n_reports = 20
    files.advance(5)
    assert files.done() == Done("1/4 a.zip", 5, 200)
    files.advance(15)
    meter = files.begin(paths[1])
    assert files.done() == Done("2/4 b.zip", 20, 200)
    meter.n_reports = 180
    assert files.done() == Done("2/4 b.zip", 20, 500)


def test_rows_beyond_the_estimate_raise_it(tmp_path: Path) -> None:
    files = FileProgress([sized(tmp_path / "a.zip", 100)])
    files.begin(tmp_path / "a.zip").n_reports = 3
    files.advance(4)  # with rejects
    assert files.done() == Done("a.zip", 4, 4)


def test_rows_of_a_topic_are_estimated_from_the_part_that_was_read() -> None:
    alerts = RowProgress("alerts")
    assert alerts.done() == Done("alerts", 0, None)
    alerts.poll(0, 0.0)
    assert alerts.done() == Done("alerts", 0, None)
    alerts.poll(30, 0.25)
    assert alerts.done() == Done("alerts", 30, 120)


LONG = r"""
import time
from streams.cli.progress import row_progress
with row_progress("a\x1b[2J" + "x" * 60, 100_000_000) as rows:
    print("result", flush=True)
    while rows.done().rows < 90_000_000:
        done = rows.done().rows + 100_000
        rows.poll(100_000, done / (100_000_000 + done))  # the estimate changes, the speed stays
        time.sleep(0.05)
"""


@contextmanager
def running_on_a_terminal(
    *command: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[str]]]:
    """Run a command whose standard error is a real terminal; yield it and what that shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    variables = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=variables | {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | environment,
    )
    os.close(theirs)
    with process, os.fdopen(ours, "rb", buffering=0) as shown:
        yield process, _lines(shown)
        process.kill()


def _lines(shown: io.RawIOBase) -> Iterator[str]:
    """Yield the lines as they are drawn; a terminal whose program has ended raises an error."""
    with suppress(OSError):
        while drawn := shown.read(65_536):
            yield from lines_of(drawn.decode(errors="replace"))


def test_rows_share_speed_and_time_left_are_one_line_of_a_terminal() -> None:
    with running_on_a_terminal(sys.executable, "-c", LONG) as (process, lines):
        found = next(
            line
            for line in lines
            if re.fullmatch(
                r"a\\x1b\[2Jx{15}… +[━╺╸]+ +\d+% +[\d,]+ rows +[\d,]+/s +0:\d\d:\d\d left", line
            )
        )
        assert len(found) <= 80
        assert process.stdout is not None
        assert process.stdout.readline() == b"result\n"


@pytest.mark.parametrize("name", ["pipe", "dumb terminal"])
def test_nothing_is_shown_where_no_line_can_be_written_over(name: str) -> None:
    program = LONG.replace("time.sleep(0.05)", "pass")
    if name == "pipe":
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "FORCE_COLOR": "1"},
            check=True,
        )
        assert (done.stdout, done.stderr) == (b"result\n", b"")
    else:
        with running_on_a_terminal(sys.executable, "-c", program, TERM="dumb") as (_, lines):
            assert list(lines) == []


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("replay reports.jsonl", "reports.jsonl"),
        ("top reports.jsonl", "reports.jsonl"),
        ("backtest reports.jsonl --against mhra", "reports.jsonl"),
        ("backtest reports.jsonl --null permute --permutations 1", "permutation 1/1"),
        ("explain zinc Rash reports.jsonl", "reports.jsonl"),
        ("recount --alerts alerts.jsonl --source reports.jsonl", "reports.jsonl"),
        ("publish reports.jsonl", "reports.jsonl"),
        ("publish --notices reports.jsonl", "reports.jsonl"),
    ],
)
def test_every_long_command_shows_its_rows(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_commands, "publish_source", published)
    monkeypatch.setattr(kafka_commands, "publish_notices", published)
    write_reports(tmp_path / "reports.jsonl")
    assert tocsin("replay", "reports.jsonl", "--alerts", "alerts.jsonl", folder=tmp_path).code == 0
    lines = shown_by(command, tmp_path, monkeypatch)
    assert any(re.match(rf"{shown} .* 100% +40 rows", line) for line in lines), lines
    assert all(len(line) <= 80 for line in lines)


def test_methods_of_an_explanation_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_reports(tmp_path / "reports.jsonl")
    lines = shown_by("explain zinc Rash reports.jsonl", tmp_path, monkeypatch)
    assert re.match(r"methods .* \d+ rows", lines[-1])
    assert not re.match(r"methods .* 0 rows", lines[-1])


def published(
    settings: object, source: str, items: Iterable[object], *more: object
) -> Iterator[int]:
    yield len(list(items))


def shown_by(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run a command in this process; return what its standard error shows as a terminal."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["tocsin", *command.split()])
    err = Terminal()
    with redirect_stdout(io.StringIO()), redirect_stderr(err), suppress(SystemExit):
        main()
    return lines_of(err.getvalue())
