"""Progress of long commands: rows, share, speed and time left, on standard error of a terminal.

A command states how much is done and, as far as it knows, how much there is; the display asks for
it twice a second, so that work is never interrupted. Where standard error is no terminal, or one
whose cursor cannot be moved, nothing is written.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from streams.cli.printable import printable
from streams.cli.terminal import Console
from streams.intake.bounded import ReadMeter

__all__ = ["Done", "FileProgress", "RowProgress", "file_progress", "progress", "row_progress"]

_REFRESHES = 2  # a second; each takes about 2 ms
_NAME_WIDTH = 24  # characters, those of "2021NonDomesticVAERSData"; a longer name is cut


@dataclass(frozen=True)
class Done:
    """How much is done, of how much in all if that is known, and what is being done."""

    doing: str
    rows: int
    total: float | None


class RowProgress:
    """Rows done, of a number that is known or not.

    Parameters
    ----------
    doing
        Name of what is done.
    total
        Number of rows in all; `None` if it is not known.
    """

    def __init__(self, doing: str, total: int | None = None) -> None:
        self._doing, self._total, self._rows = doing, total, 0

    def advance(self, rows: int) -> None:
        """Add rows that are done."""
        self._rows += rows

    def poll(self, rows: int, part: float) -> None:
        """Add rows of a topic that were read, and state the part of the topic that was."""
        self._rows += rows
        self._total = round(self._rows / part) if part else None

    def done(self) -> Done:
        """Return how much is done."""
        return Done(self._doing, self._rows, self._total)


class FileProgress:
    """Rows done of source files, of an estimate from the bytes and rows read so far.

    Files of which nothing is known yet are estimated to have as many rows a byte as those before.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._n_files = len(paths)
        self._bytes_after = sum(map(_size, paths))  # of the files that are not begun
        self._bytes_before = self._rows_before = 0  # of the files that are done
        self._number = self._size = self._rows = 0  # of the file being read
        self._name = ""
        self._meter = ReadMeter()

    def begin(self, path: Path) -> ReadMeter:
        """Begin the next file; return the meter for its reader."""
        self._bytes_before += self._size
        self._rows_before += self._rows
        self._number += 1
        self._name, self._size, self._rows = path.name, _size(path), 0
        self._bytes_after -= self._size
        self._meter = ReadMeter()
        return self._meter

    def advance(self, rows: int) -> None:
        """Add rows of the file that are done."""
        self._rows += rows

    def done(self) -> Done:
        """Return how much is done."""
        if not self._number:
            return Done("", 0, None)
        number = f"{self._number}/{self._n_files} " if self._n_files > 1 else ""
        rows, total = self._rows_before + self._rows, self._total()
        if total is not None:
            return Done(number + self._name, rows, max(total, rows))
        share = self._meter.n_bytes / max(self._size, 1)
        return Done(f"{number}{min(share, 1):.0%} of {self._name} read", rows, None)

    def _total(self) -> float | None:
        """Return the estimated rows of all files; `None` before the first row is read."""
        meter = self._meter
        if meter.n_reports is not None:
            of_file: float = meter.n_reports
        elif meter.n_lines and meter.n_bytes:
            of_file = meter.n_lines * max(self._size / meter.n_bytes, 1)
        elif self._rows_before:
            of_file = self._rows_before * self._size / max(self._bytes_before, 1)
        else:
            return None
        known = self._rows_before + of_file
        return known * (1 + self._bytes_after / max(self._bytes_before + self._size, 1))


@contextmanager
def file_progress(paths: Sequence[Path]) -> Iterator[FileProgress]:
    """Display the progress of a run over source files."""
    files = FileProgress(paths)
    with progress(files.done):
        yield files


@contextmanager
def row_progress(
    doing: str, total: int | None = None, *, hidden: bool = False
) -> Iterator[RowProgress]:
    """Display the progress of a run over rows; `hidden` as in `progress`."""
    rows = RowProgress(doing, total)
    with progress(rows.done, hidden=hidden):
        yield rows


@contextmanager
def progress(done: Callable[[], Done], *, hidden: bool = False) -> Iterator[None]:
    """Display what `done` returns, in one line that disappears at the end.

    Parameters
    ----------
    done
        Called in another thread, twice a second.
    hidden
        Whether to display nothing, such as while results are printed to the same terminal.
    """
    console = Console(stderr=True)
    with _Display(done, console, hidden or not console.file.isatty()):
        yield


def _size(path: Path) -> int:
    """Return the bytes of a file; 0 of one that is not there, of which its reader will say so."""
    return path.stat().st_size if path.is_file() else 0


class _Display(Progress):
    def __init__(self, done: Callable[[], Done], console: Console, disable: bool) -> None:
        self._done = done
        super().__init__(
            _Name(Column(width=_NAME_WIDTH, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=None),
            _Share(Column(min_width=4, no_wrap=True)),
            _Rows(Column(min_width=12, no_wrap=True)),
            _Speed(Column(min_width=7, no_wrap=True)),
            _Left(Column(min_width=12, no_wrap=True)),
            console=console,
            refresh_per_second=_REFRESHES,
            expand=True,
            transient=True,
            disable=disable,
            # Results go to standard output, wherever that is, and never through this console.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.add_task("", total=None)

    def get_renderables(self) -> Iterator[RenderableType]:
        if self.tasks:  # none while it is made
            now = self._done()
            task = self.tasks[0]
            task.description, task.total = now.doing, now.total  # by `update`, the speed is lost
            self.update(task.id, completed=now.rows)
        yield from super().get_renderables()


class _Name(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(printable(task.description), no_wrap=True, overflow="ellipsis")


class _Share(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.percentage:.0f}%", justify="right")


class _Rows(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{int(task.completed):,} rows", justify="right")


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", justify="right")


class _Left(ProgressColumn):
    def render(self, task: Task) -> Text:
        seconds = task.time_remaining
        left = "" if seconds is None else f"{timedelta(seconds=int(seconds))} left"
        return Text(left, justify="right")
