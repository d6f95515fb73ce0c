"""What is printed steers no terminal, whichever way it is printed; colours of our own stay."""

import io
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

import pytest
import rich.console
import typer
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from streams.cli.terminal import Console, printable_output
from tests.support.cli import tocsin

HOSTILE = "\x1b[8m\x1b]52;c;eA==\x07\x1b]8;;http:x\x1b\\\x9b2J\x7f\r\b\u202e\u200b\u2028\udcff"
STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\udc80-\udcff]")
COLOURS = re.compile(r"\x1b\[(?!8m)[0-9;]*m")
LIVE = re.compile(r"\x1b\[\?25[lh]|\x1b\[1A|\r?\x1b\[2K|\r(?=\x1b\[1A)")
"""Of a progress display: the cursor hidden and shown, a line up, a line erased."""


def by_echo() -> None:
    typer.echo(HOSTILE)


def by_error() -> None:
    typer.echo(HOSTILE, err=True)


def by_write() -> None:
    sys.stdout.writelines([HOSTILE, "\n"])


def by_another_console() -> None:
    rich.console.Console().print(Text(HOSTILE))


def by_console() -> None:
    Console(stderr=True).print(Text(HOSTILE, style="bold red"), soft_wrap=True)


def by_table() -> None:
    table = Table(width=200)
    table.add_column("name", style="red")
    table.add_row(Text(HOSTILE))
    Console(width=210).print(table)


def by_progress() -> None:
    with Progress(console=Console(stderr=True, width=200), transient=True) as progress:
        progress.add_task(HOSTILE, total=1)


def printed(write: Callable[[], None]) -> str:
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out), printable_output():
        write()
    return out.getvalue()


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours and live displays are printed as to a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    "write",
    [by_echo, by_error, by_write, by_another_console, by_console, by_table, by_progress],
)
def test_hostile_text_is_escaped(
    write: Callable[[], None], live: bool, request: pytest.FixtureRequest
) -> None:
    if live:
        request.getfixturevalue("colours")
    elif write is by_progress:
        return  # nothing of it is printed but to a terminal
    text = printed(write)
    assert not STEERS.search(LIVE.sub("", COLOURS.sub("", text)))
    assert r"\x1b]52;c;eA==" in text


def test_lines_tabs_and_blanks_of_any_width_stay() -> None:
    assert printed(lambda: typer.echo("a\tb\u3000c\n日本")) == "a\tb\u3000c\n日本\n"


@pytest.mark.usefixtures("colours")
def test_colours_of_our_own_are_printed_and_those_of_another_console_are_not() -> None:
    assert printed(lambda: Console().print("[red]a[/]")) == "\x1b[31ma\x1b[0m\n"
    assert printed(lambda: rich.console.Console().print("[red]a[/]")) == "\\x1b[31ma\\x1b[0m\n"


@pytest.mark.usefixtures("colours")
def test_a_link_is_not_printed() -> None:
    assert printed(lambda: Console().print("[red link=http://x]a[/]")) == "\x1b[31ma\x1b[0m\n"


@pytest.mark.usefixtures("colours")
def test_help_has_its_colours() -> None:
    ended = tocsin("schema", "--help")
    assert COLOURS.search(ended.out)
    assert r"\x1b" not in ended.out


def test_bytes_are_refused() -> None:
    with printable_output():
        assert not hasattr(sys.stdout, "buffer")


def test_the_streams_are_as_before_at_the_end() -> None:
    out, err = sys.stdout, sys.stderr
    with printable_output():
        assert sys.stdout is not out
    assert (sys.stdout, sys.stderr) == (out, err)
