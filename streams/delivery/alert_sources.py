"""Alerts as they are read: from a file of JSON lines that may still grow, or from Kafka."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from schemas.errors import InputError
from streams.intake.native import read_lines
from streams.runtime.broker.topic_tail import TopicTail
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert, decode_alert

__all__ = ["AnyAlert", "FileTail", "KafkaTail", "Tail", "parse_alert", "read_alert_lines"]

Entry = tuple[str, int, bytes]
"""Source, position in it, and the bytes there."""


class Tail(Protocol):
    """A place that messages come from, in order, and go on coming."""

    def read(self) -> Iterator[Entry]:
        """Yield what is there by now and was not taken in yet."""
        ...

    def where(self, source: str, position: int) -> str:
        """Name a place for people."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class FileTail:
    """The lines of a file that may still grow; a line is read once it is whole.

    Parameters
    ----------
    path
        JSON lines, plain or gzipped.
    place
        Gives the next position of a source, the file's name, that was not taken in.
    what
        What it should be a file of, for messages.
    """

    def __init__(self, path: Path, place: Callable[[str], int], what: str = "alerts") -> None:
        self._path, self._place, self._what = path, place, what
        self._source = str(path.resolve())
        self._bytes, self._number = 0, 0  # read so far, by this reader

    def read(self) -> Iterator[Entry]:
        """Yield the lines that were not taken in, with their numbers from 1.

        Raises
        ------
        InputError
            If the file cannot be read, or has fewer lines than were taken in of it.
        """
        if not self._path.is_file():
            msg = f"{self._path}: must be a file of {self._what}; got no file"
            raise InputError(msg)
        start = self._place(self._source)
        lines = read_lines(self._path) if self._path.suffix == ".gz" else self._further()
        last = self._number
        for last, line in lines:
            if last >= start:
                yield self._source, last, line
        if last + 1 < start:
            msg = (
                f"{self._path}: must have the {start - 1} lines that were read of it; got {last}: "
                "was it written anew? Give another run's alerts another name"
            )
            raise InputError(msg)

    def where(self, source: str, position: int) -> str:
        """Name a line."""
        return f"{source}, line {position}"

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""

    def _further(self) -> Iterator[tuple[int, bytes]]:
        with self._path.open("rb") as file:
            file.seek(self._bytes)
            for line in file:
                if not line.endswith(b"\n") and not _is_json(line):
                    return  # somebody is writing it
                self._bytes += len(line)
                self._number += 1
                if text := line.strip():
                    yield self._number, text


class KafkaTail:
    """A topic as such a place; see `streams.runtime.broker.topic_tail`."""

    def __init__(self, settings: Settings, name: str, place: Callable[[str], int]) -> None:
        self._tail = TopicTail(settings, name, place)
        self._until_now = True

    def read(self) -> Iterator[Entry]:
        """Yield what stood on the topic when it was opened; then what has come since."""
        while True:
            yield from self._tail.poll()
            if not self._until_now:
                return
            self._until_now = not self._tail.drained()

    def where(self, source: str, position: int) -> str:
        """Name a record."""
        return f"{source}@{position}"

    def close(self) -> None:
        """Disconnect."""
        self._tail.close()


def parse_alert(raw: bytes, where: str) -> AnyAlert:
    """Read one alert.

    Raises
    ------
    InputError
        If it is none that this version knows.
    """
    try:
        return decode_alert(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        msg = f"{where}: must be an alert; got {first['msg']}"
        raise InputError(msg) from error


def read_alert_lines(path: Path) -> Iterator[tuple[int, AnyAlert]]:
    """Yield the alerts of a file, each with the number of its line.

    Raises
    ------
    InputError
        If the file cannot be read, or a line is no alert: then nothing after it is read.
    """
    for _, number, line in FileTail(path, lambda source: 0).read():
        yield number, parse_alert(line, f"{path}, line {number}")


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
