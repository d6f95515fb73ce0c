"""Standard output and error of the command line, on which text of others steers no terminal.

Whatever is written to them is escaped (`streams.cli.printable`). Colours, and the lines of a
progress display that are written over, pass only through `Console`, which escapes the texts between
them. A console of another class is escaped as all else, so forgetting this module shows.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, Any, TextIO, cast

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from typer import rich_utils

from streams.cli.fitting import fitted
from streams.cli.printable import printable_lines

__all__ = ["Console", "printable_output"]


class _PrintableStream:
    """A stream of which everything written is escaped; `raw` is the stream below."""

    def __init__(self, raw: IO[str]) -> None:
        self.raw = raw

    def write(self, text: str, /) -> int:
        """Write a text, escaped."""
        return self.raw.write(printable_lines(text))

    def writelines(self, texts: Iterable[str], /) -> None:
        """Write texts, escaped."""
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # bytes would be written as they are
            raise AttributeError(name)
        return getattr(self.raw, name)


class Console(rich.console.Console):
    """A console whose texts are escaped, without links; its own colours are not."""

    @property
    def file(self) -> IO[str]:
        """The stream to write to, below the escapes of `printable_output`."""
        stream = super().file
        return stream.raw if isinstance(stream, _PrintableStream) else stream

    @file.setter
    def file(self, new: IO[str]) -> None:
        self._file = new

    def print(self, *objects: Any, **options: Any) -> None:
        """Print objects; tables are fitted to the width of the terminal."""
        fit = (fitted(one, self) if isinstance(one, Table) else one for one in objects)
        super().print(*fit, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render what is to be printed, its texts escaped."""
        for text, style, control in super().render(renderable, options):
            if control:
                yield Segment(text, style, control)
            else:
                plain = style and style.update_link(None)
                yield Segment(printable_lines(text), plain)


@contextmanager
def printable_output() -> Iterator[None]:
    """Escape what is written to standard output and error, but for what `Console` adds itself."""
    vars(rich_utils)["Console"] = Console  # which prints the help
    out, err = _PrintableStream(sys.stdout), _PrintableStream(sys.stderr)
    with redirect_stdout(cast(TextIO, out)), redirect_stderr(cast(TextIO, err)):
        yield
