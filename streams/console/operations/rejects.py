"""Rejects by rule, with the first of each: those kept of a replay, and those on Kafka."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from schemas.rejected import Rejected
from streams.runtime.operations.redrive import Redrive, Selection, read_rejects, redrive
from streams.runtime.settings import Settings

__all__ = ["KafkaRejects", "KeptRejects", "Redrivable", "RejectGroup", "Rejects", "first_line"]

_MOST_RULES = 1_000  # distinct ones that are kept; a hostile file makes up more
_MOST_SHOWN = 300  # characters of a first line


@dataclass(slots=True)
class RejectGroup:
    """Rejects of one rule.

    Attributes
    ----------
    first
        The first of them.
    n
        Number of rejects.
    sources
        Files or partitions that they came from.
    """

    rule: str
    first: Rejected
    n: int
    sources: set[str]


class Rejects(Protocol):
    """Where the rejects of a desk are."""

    def groups(self) -> list[RejectGroup]:
        """Return the open rejects by rule, the most frequent first."""
        ...


@runtime_checkable
class Redrivable(Rejects, Protocol):
    """Rejects that can be redriven from here."""

    def redrive(self, rule: str, *, dry_run: bool) -> Redrive:
        """Redrive the open rejects of a rule, or count what would be."""
        ...


class KeptRejects:
    """Rejects of a replay: each is counted, and the first of each rule is kept.

    Files cannot be redriven: they are mended, then replayed again.
    """

    def __init__(self) -> None:
        self._groups: dict[str, RejectGroup] = {}

    def add(self, rejected: Rejected) -> None:
        """Count a reject."""
        _add(self._groups, rejected)

    def groups(self) -> list[RejectGroup]:
        """Return the rejects by rule, the most frequent first."""
        return _ordered(self._groups)


class KafkaRejects:
    """Rejects on the topic `pv.rejected`.

    Parameters
    ----------
    settings
        Connection settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def groups(self) -> list[RejectGroup]:
        """Return the open rejects by rule, the most frequent first.

        Raises
        ------
        BrokerError
            If the broker does not answer.
        """
        groups: dict[str, RejectGroup] = {}
        for reject, _ in read_rejects(self._settings, Selection()):
            _add(groups, reject.rejected)
        return _ordered(groups)

    def redrive(self, rule: str, *, dry_run: bool) -> Redrive:
        """Redrive the open rejects of a rule, or count what would be.

        Raises
        ------
        BrokerError
            If the broker does not answer, or another redrive has begun.
        """
        return redrive(self._settings, Selection(rule=rule), dry_run=dry_run)


def first_line(rejected: Rejected) -> str:
    """Return the first line of a rejected message, printable and shortened.

    >>> first_line(Rejected(source="f", position=1, reason="", raw=bytes([97, 10, 98])))
    'a'
    """
    line = rejected.raw.partition(b"\n")[0].rstrip(b"\r")
    text = line[: 4 * _MOST_SHOWN].decode(errors="backslashreplace")
    shown = "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}\N{HORIZONTAL ELLIPSIS}"


def _add(groups: dict[str, RejectGroup], rejected: Rejected) -> None:
    rule = rejected.rule
    found = groups.get(rule)
    if found is not None:
        found.n += 1
        found.sources.add(rejected.source)
    elif len(groups) < _MOST_RULES:
        groups[rule] = RejectGroup(rule, rejected, 1, {rejected.source})


def _ordered(groups: dict[str, RejectGroup]) -> list[RejectGroup]:
    found: Iterable[RejectGroup] = groups.values()
    return sorted(found, key=lambda group: (-group.n, group.rule))
