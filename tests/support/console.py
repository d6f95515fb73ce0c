"""Commands of the documentation: finds them in a page, runs them in a shell, compares the output.

A fenced block ``console`` holds commands, each on a line that begins with ``$ ``, and below each
the output it had, standard error included. A line ``...`` stands for any number of lines. A comment
``<!-- console`` to ``-->`` holds commands that a reader need not see, such as those that make a
file. All commands of a page share one shell and one folder. A fenced block with a path after its
language, such as ``python detectors/mine.py``, is a file of that folder.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Command", "Shell", "commands_of", "differs", "files_of", "rewritten", "shell_in"]

ELLIPSIS = "..."
_FENCE = re.compile(r"^(?:```console|<!-- console)\n(.*?)^(?:```|-->)$", re.M | re.S)
_FILE = re.compile(r"^```[a-z]+ (\S+)\n(.*?)^```$", re.M | re.S)
_PROMPT = "$ "
# What differs from run to run, each with the reason; compared as if it were one word.
_VOLATILE = (
    (
        re.compile(r"\d[\d,]*(?:\.\d+)? (?:ms|s|seconds|MB|GB)\b"),
        "durations and sizes of the machine",
    ),
    (re.compile(r"(?<= in )\d+\.\d\ds(?: \(\d:\d\d:\d\d\))?$"), "the time that tests took"),
    (re.compile(r"(?<=│) *seconds +│ +[\d.,]+ │"), "the time a replay took"),
    (re.compile(r"(?<=│) *messages a second +│ +[\d.,]+ │"), "and its rate"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:Z|\+00:00)"), "the time of now"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d+)?"), "likewise, in logs and tables"),
    (re.compile(r"\b(?:whsec|tocsin|whpk)_[\w+/=-]{16,}"), "keys and tokens, drawn at random"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "new ids"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ports that were free"),
    (re.compile(r"\[\d\] \d+"), "process ids of the shell"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\dZ"), "the time of a decision"),
    (re.compile(r"(?:, | hash |; got )[0-9a-f]{64}(?=:|$)"), "its hash, which covers that time"),
)


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page.

    Attributes
    ----------
    line
        Number of its first line in the page, from 1.
    text
        What the shell is given.
    expected
        The lines below it.
    """

    line: int
    text: str
    expected: tuple[str, ...]


def commands_of(page: str) -> list[Command]:
    """Return the commands of a page, in order."""
    return [command for match in _FENCE.finditer(page) for command in _of_block(page, match)]


def _of_block(page: str, match: re.Match[str]) -> Iterator[Command]:
    first = page.count("\n", 0, match.start(1)) + 1
    lines = match[1].splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(_PROMPT)]
    for start, after in zip(starts, [*starts[1:], len(lines)], strict=True):
        end = start + 1
        while lines[end - 1].endswith("\\") and end < after:
            end += 1
        text = "\n".join([lines[start].removeprefix(_PROMPT), *lines[start + 1 : end]])
        yield Command(first + start, text, tuple(lines[end:after]))


def files_of(page: str) -> dict[str, str]:
    """Return the files that a page shows whole: their text by path."""
    return {match[1]: match[2] for match in _FILE.finditer(page)}


def differs(expected: Sequence[str], got: str) -> str | None:
    """Return the first expected line that the output lacks in its place; `None` for none."""
    lines = [_comparable(line) for line in got.splitlines()]
    wanted = [_comparable(line) for line in expected]
    for text in (lines, wanted):
        while text and not text[-1]:
            text.pop()
    return _first_missing(wanted, lines)


def _first_missing(wanted: Sequence[str], lines: Sequence[str]) -> str | None:
    place, anywhere = 0, False
    for line in wanted:
        if line.strip() == ELLIPSIS:
            anywhere = True
            continue
        if anywhere:
            while place < len(lines) and lines[place] != line:
                place += 1
        if place == len(lines) or lines[place] != line:
            return line or "(an empty line)"
        place, anywhere = place + 1, False
    if place < len(lines) and not anywhere:
        return f"the end; got {lines[place]!r}"
    return None


def _comparable(line: str) -> str:
    for pattern, _ in _VOLATILE:
        line = pattern.sub("~", line)
    return " ".join(line.split())


def rewritten(page: str, outputs: Mapping[int, str]) -> str:
    """Return a page with the output of its commands, by line, in place of what it had.

    Output that is what the page has stays as it is there. Of other output, what the page cuts with
    ``...`` stays cut after as many lines as it showed.
    """
    lines = page.splitlines()
    for command in reversed(commands_of(page)):
        if differs(command.expected, outputs[command.line]) is None:
            continue
        start = command.line + command.text.count("\n")
        shown = [line.rstrip() for line in outputs[command.line].rstrip("\n").splitlines()]
        cut = [place for place, line in enumerate(command.expected) if line.strip() == ELLIPSIS]
        if cut:
            shown = [*shown[: cut[0]], ELLIPSIS]
        lines[start : start + len(command.expected)] = shown
    return "\n".join(lines) + "\n"


class Shell:
    """A bash that keeps its folder, variables and background jobs from command to command."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, text: str, *, seconds: float = 300.0) -> tuple[str, int]:
        """Run a command; return its output and its exit code.

        Raises
        ------
        TimeoutError
            If it does not end in time; the shell is of no use then.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        mark = f"--ended-{time.monotonic_ns()}--"
        self._process.stdin.write(f"{text}\necho {mark}$?\n".encode())
        self._process.stdin.flush()
        os.set_blocking(self._process.stdout.fileno(), False)
        found, end = b"", time.monotonic() + seconds
        while mark.encode() not in found:
            if time.monotonic() > end:
                msg = f"{text}: must end within {seconds:.0f} s; got {found.decode()[-2000:]}"
                raise TimeoutError(msg)
            found += self._process.stdout.read() or b""
            time.sleep(0.02)
        output, _, code = found.decode().partition(mark)
        return output, int(code.split()[0])

    def close(self) -> None:
        """End the shell and all that it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                continue
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def shell_in(folder: Path, **variables: str) -> Iterator[Shell]:
    """Open a shell whose `tocsin` and `python` are those of this run."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    fixed = {"PATH": path, "COLUMNS": "100", "TERM": "dumb", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    shell = Shell(folder, {**os.environ, **fixed, **variables})
    try:
        yield shell
    finally:
        shell.close()
