"""When a delivery is tried again: the schedule that Standard Webhooks publishes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

__all__ = ["RETRY_AFTER", "Attempt", "Outcome", "next_attempt"]

RETRY_AFTER = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
"""Time from each failed attempt to the next: 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h.

Source: Standard Webhooks specification, 'Retry schedule'. After the last the subscription rests
until somebody resumes it; nothing that is due to it is forgotten meanwhile.
"""


class Outcome(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"  # 410: the receiver asks for no more
    REFUSED = "refused"  # not sent: the address is not one that may be posted to


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt ended, and why, in a few words without anything of the body."""

    outcome: Outcome
    detail: str


def next_attempt(failures: int, now: datetime) -> datetime | None:
    """Return when to try again after so many failures in a row; None: no more by itself."""
    return now + RETRY_AFTER[failures - 1] if failures <= len(RETRY_AFTER) else None
