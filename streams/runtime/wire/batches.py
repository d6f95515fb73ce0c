"""Correlation of reports with alerts: names of batches, and timestamps of their reports.

A batch is a range of offsets of one partition. Its name, `pv.reports[3]@100-200`, is the
correlation id in the logs and traces of every stage. An alert's `as_of` ends at the last batch
counted.
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
    """Timestamps of the oldest and the newest record of a batch [ms since 1970-01-01].

    These are Kafka's record timestamps: by the sender's clock, or the broker's if the topic has
    ``message.timestamp.type=LogAppendTime``. They are a header of the delta and are stored with it,
    so that the latency includes the time a report waited for a restart.
    """

    oldest: int
    newest: int

    @classmethod
    def of(cls, timestamps: Iterable[int]) -> Self | None:
        """Return the least and the greatest of records' timestamps; `None` without any.

        >>> ReportTimes.of([5, -1, 3, 9])
        ReportTimes(oldest=3, newest=9)
        """
        known = [timestamp for timestamp in timestamps if timestamp >= 0]  # -1: none
        return cls(min(known), max(known)) if known else None

    def headers(self) -> dict[str, bytes]:
        """Return them as a header of a delta."""
        return {_HEADER: b"%d-%d" % self}

    @classmethod
    def from_headers(cls, headers: Mapping[str, bytes]) -> Self | None:
        """Read the header that `headers` returns; `None` if a delta has none.

        >>> ReportTimes.from_headers(ReportTimes(3, 9).headers())
        ReportTimes(oldest=3, newest=9)
        """
        oldest, dash, newest = headers.get(_HEADER, b"").partition(b"-")
        return cls(int(oldest), int(newest)) if dash else None


class Unreadable(bytes):
    """The compressed bytes of a batch of records that cannot be decompressed.

    Attributes
    ----------
    reason
        Offsets of the batch, and the error.
    """

    reason: str = ""
