"""What ties a report to an alert: the name of its batch, and the times its record was made.

A batch is a range of one partition. Its name, `pv.reports[3]@100-200`, is its correlation id: it
stands in the logs and traces of every stage, and an alert's `as_of` ends at the last one counted.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

__all__ = ["Batch", "ReportTimes", "Unreadable"]

_HEADER = "report_times"  # of a delta


class Batch(NamedTuple):
    """A range of offsets of one partition, half open.

    >>> str(Batch("pv.reports", 3, 100, 200))
    'pv.reports[3]@100-200'
    """

    topic: str
    partition: int
    first_offset: int
    next_offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.first_offset}-{self.next_offset}"


class ReportTimes(NamedTuple):
    """When the oldest and the newest record of a batch were made [ms since 1970-01-01].

    These are Kafka's record timestamps: the clock of whoever sent the report, or the broker's if
    the topic has ``message.timestamp.type=LogAppendTime``. They travel as a header of the delta,
    and are stored with it, so that a report that waited for a restart counts as having waited.
    """

    oldest: int
    newest: int

    @classmethod
    def of(cls, timestamps: Iterable[int]) -> Self | None:
        """Take them from the timestamps of records; `None` without any.

        >>> ReportTimes.of([5, -1, 3, 9])
        ReportTimes(oldest=3, newest=9)
        """
        known = [at for at in timestamps if at >= 0]  # -1: the sender gave none
        return cls(min(known), max(known)) if known else None

    def headers(self) -> dict[str, bytes]:
        """Return the header of a delta that tells them."""
        return {_HEADER: b"%d-%d" % self}

    @classmethod
    def from_headers(cls, headers: Mapping[str, bytes]) -> Self | None:
        """Read what `headers` gave; `None` if a delta tells nothing.

        >>> ReportTimes.from_headers(ReportTimes(3, 9).headers())
        ReportTimes(oldest=3, newest=9)
        """
        oldest, dash, newest = headers.get(_HEADER, b"").partition(b"-")
        return cls(int(oldest), int(newest)) if dash else None


class Unreadable(bytes):
    """The packed bytes of a batch of records, none of which can be had.

    Attributes
    ----------
    reason
        Which offsets, and why.
    """

    reason: str = ""
