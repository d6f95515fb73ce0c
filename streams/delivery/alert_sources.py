"""Tails of alerts: a file of JSON Lines that may still grow, or a Kafka topic."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from schemas.errors import InputError
from schemas.rejected import Rejected
from schemas.rules_change import RulesChange
from streams.core.alerts.undecided import RevisionDay, RevisionDays
from streams.intake.bounded import bounded_lines
from streams.intake.native import OWN_LINE_BYTES, read_messages
from streams.runtime.broker.topic_tail import TopicTail
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert, Published, decode_published

__all__ = [
    "AlertHistory",
    "AnyAlert",
    "Entry",
    "FileTail",
    "KafkaTail",
    "Tail",
    "parse_alert",
    "parse_published",
    "read_alert_lines",
]

Entry = tuple[str, int, bytes]
"""Source, position in it, and the message at that position."""


class Tail(Protocol):
    """A source of messages, in order, that may grow while it is read."""

    def read(self) -> Iterator[Entry]:
        """Yield the messages up to the current end that are not yet stored."""
        ...

    def where(self, source: str, position: int) -> str:
        """Describe a position for error messages."""
        ...

    def close(self) -> None:
        """Release the source."""
        ...


class FileTail:
    """Tail of a file that may still grow; a line is read once it is complete.

    Parameters
    ----------
    path
        JSON Lines, plain or gzipped.
    place
        Returns the next position of a source, by the path of the file.
    what
        Expected content of the file, for error messages.
    """

    def __init__(self, path: Path, place: Callable[[str], int], what: str = "alerts") -> None:
        self._path, self._place, self._what = path, place, what
        self._source = str(path.resolve())
        self._bytes, self._number = 0, 0  # read so far, by this reader

    def read(self) -> Iterator[Entry]:
        """Yield the lines that are not yet stored, with their numbers from 1.

        A line that is too long for a file of ours is blank, and so no alert and no report.

        Raises
        ------
        InputError
            If the file cannot be read, or has fewer lines than were already stored from it.
        """
        if not self._path.is_file():
            msg = f"{self._path}: must be a file of {self._what}; got no file"
            raise InputError(msg)
        start = self._place(self._source)
        is_packed = self._path.suffix == ".gz"
        lines = read_messages(self._path, OWN_LINE_BYTES) if is_packed else self._new_lines()
        last = self._number
        for last, line in lines:
            if last >= start:
                yield self._source, last, b"" if isinstance(line, Rejected) else line.strip()
        if last + 1 < start:
            msg = (
                f"{self._path}: must have the {start - 1} lines that were read of it; got {last}: "
                "was it overwritten? Give the alerts of another run another name"
            )
            raise InputError(msg)

    def where(self, source: str, position: int) -> str:
        """Describe a line."""
        return f"{source}, line {position}"

    def close(self) -> None:
        """Do nothing; the file is only open while it is read."""

    def _new_lines(self) -> Iterator[tuple[int, bytes | Rejected]]:
        with self._path.open("rb") as file:
            file.seek(self._bytes)
            for line in bounded_lines(file, self._source, OWN_LINE_BYTES):
                if isinstance(line, bytes) and not line.endswith(b"\n") and not _is_json(line):
                    return  # it is still being written
                self._bytes = file.tell()
                self._number += 1
                if isinstance(line, Rejected) or line.strip():
                    yield self._number, line


class KafkaTail:
    """Tail of a topic; see `streams.runtime.broker.topic_tail`."""

    def __init__(self, settings: Settings, name: str, place: Callable[[str], int]) -> None:
        self._tail = TopicTail(settings, name, place)
        self._catching_up = True

    def read(self) -> Iterator[Entry]:
        """Yield the records up to the end at the time of opening; later, one poll of new ones."""
        while True:
            yield from self._tail.poll()
            if not self._catching_up:
                return
            self._catching_up = not self._tail.drained()

    def where(self, source: str, position: int) -> str:
        """Describe a record."""
        return f"{source}@{position}"

    def close(self) -> None:
        """Disconnect."""
        self._tail.close()


def parse_alert(raw: bytes, where: str) -> AnyAlert:
    """Read one alert.

    Raises
    ------
    InputError
        If it is not an alert of a known schema version.
    """
    published = parse_published(raw, where)
    if isinstance(published, RulesChange):
        msg = f"{where}: must be an alert; got a change of rules"
        raise InputError(msg)
    return published


def parse_published(raw: bytes, where: str) -> Published:
    """Read one message of `pv.alerts`: an alert, or a change of rules.

    Raises
    ------
    InputError
        If it is neither, or of an unknown schema version.
    """
    try:
        return decode_published(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        msg = f"{where}: must be an alert; got {first['msg']}"
        raise InputError(msg) from error


def read_alert_lines(path: Path) -> Iterator[tuple[int, AnyAlert]]:
    """Yield the alerts of a file, each with the number of its line; changes of rules are skipped.

    Raises
    ------
    InputError
        If the file cannot be read, or at the first line that is not an alert.
    """
    for _, number, line in FileTail(path, lambda source: 0).read():
        published = parse_published(line, f"{path}, line {number}")
        if not isinstance(published, RulesChange):
            yield number, published


class AlertHistory:
    """Revisions of signals in a source of alerts that is followed from a place in its middle.

    The earlier alerts are read when a signal is first asked for, and only then.

    Parameters
    ----------
    open_source
        Opens the source, given a function that returns the position to read from.
    """

    def __init__(self, open_source: Callable[[Callable[[str], int]], Tail]) -> None:
        self._open = open_source
        self._days: RevisionDays | None = None

    def add(self, alert: AnyAlert) -> None:
        """Add an alert that was read after the history."""
        if self._days is not None:
            self._days.add(alert)

    def of(self, signal_key: str) -> Sequence[RevisionDay]:
        """Return the revisions of a signal up to the current end of the source, in order."""
        if self._days is None:
            self._days = RevisionDays()
            with closing(self._open(lambda source: 0)) as tail:
                for source, position, raw in tail.read():
                    published = parse_published(raw, tail.where(source, position))
                    if not isinstance(published, RulesChange):
                        self._days.add(published)
        return self._days.of(signal_key)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
