"""Runners of the command line: in this process, which is fast, or in one of its own."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner, Result

import streams
from streams.cli import main
from streams.cli.app import command_line

_FOLDER = str(Path(streams.__file__).parents[1])
_CODE = f"import sys; sys.path.insert(0, {_FOLDER!r}); from streams.cli import main; main()"
COMMAND = (sys.executable, "-W", "ignore", "-c", _CODE)
"""Starts the command line that this process would import, installed or not, in any folder."""


@dataclass(frozen=True)
class Ended:
    """A command that ended: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    def rows(self) -> list[list[str]]:
        """Return the cells of the printed table."""
        lines = [line for line in self.out.splitlines() if line.startswith(("│", "┃"))]
        return [
            [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
            for line in lines
        ]


Run = Callable[[str], Ended]
"""The fixture `run`: run a command line, split as a shell does, in a folder of the test's own."""


def tocsin(*arguments: object, folder: Path | None = None, columns: int = 200) -> Ended:
    """Run a command in this process, by default in the current folder; it leaves no traceback."""
    out, err, code = io.StringIO(), io.StringIO(), None
    with (
        chdir(folder or Path.cwd()),
        redirect_stdout(out),
        redirect_stderr(err),
        patch.dict(os.environ, COLUMNS=str(columns)),
        patch.object(sys, "argv", ["tocsin", *map(str, arguments)]),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int), "it ends with a code, whatever it does"
    assert "Traceback" not in out.getvalue() + err.getvalue()
    return Ended(code, out.getvalue(), err.getvalue())


def tocsin_process(
    *arguments: object, folder: Path | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a process of its own."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a process of its own; it is killed if it still runs at the end."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:  # closes its pipes, however it ended: an open one would fail another test
        try:
            yield process
        finally:
            process.kill()


def invoke(*arguments: object, answer: str | None = None) -> Result:
    """Call a command without what turns its errors into a line: the error is in the result."""
    words, wide = list(map(str, arguments)), {"COLUMNS": "200"}
    return CliRunner().invoke(command_line(), words, input=answer, env=wide)


def require_refused(ended: Ended, line: str) -> None:
    """Check that a command ended with 2 and one line, which contains this."""
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.strip().count("\n") == 0
    assert ended.err.strip().startswith("tocsin: ")
    assert line in ended.err
