"""Senders side by side: one message at a time of each subscription, many subscriptions at once."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from types import TracebackType
from typing import Self

from schemas.subscription import Tier
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.subscription_status import Due, key_of

__all__ = ["MOST_SENDERS", "ParallelSenders", "Send"]

_LOG = logging.getLogger(__name__)
MOST_SENDERS = 512
"""Attempts at the same time. Each has a thread and at most five file descriptors."""
_RESERVED = 64  # of them for the authority tier: other tiers cannot occupy all

Send = Callable[[Due, datetime], Attempt]


class ParallelSenders:
    """Sends due messages in threads, so that a slow receiver delays its own subscription only.

    Parameters
    ----------
    send
        Makes one attempt. Any exception of it is the outcome of this attempt, and pauses this
        subscription: another one must never see it.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._threads = ThreadPoolExecutor(MOST_SENDERS, thread_name_prefix="tocsin-send")
        self._sending: dict[str, tuple[Due, Future[Attempt]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        # Attempts end at their deadline; one that was not recorded is repeated under its id.
        self._threads.shutdown(wait=kind is None, cancel_futures=True)

    @property
    def busy(self) -> bool:
        """Whether a message is being sent."""
        return bool(self._sending)

    def start(self, due: Iterable[Due], now: datetime) -> int:
        """Start to send, authorities first, what is of no subscription in progress."""
        started = 0
        for one in sorted(due, key=_order):
            key, place = key_of(one.subscription), len(self._sending)
            authority = one.subscription.tier is Tier.AUTHORITY
            if key in self._sending or place >= MOST_SENDERS - (0 if authority else _RESERVED):
                continue
            self._sending[key] = one, self._threads.submit(self._attempt, one, now)
            started += 1
        return started

    def finished(self, seconds: float) -> list[tuple[Due, Attempt]]:
        """Return the attempts that ended, after at most some seconds of waiting for the first."""
        running = [future for _, future in self._sending.values()]
        wait(running, seconds, FIRST_COMPLETED)
        ended = [key for key, (_, future) in self._sending.items() if future.done()]
        pairs = [self._sending.pop(key) for key in ended]
        return [(due, future.result()) for due, future in pairs]

    def _attempt(self, due: Due, now: datetime) -> Attempt:
        try:
            return self._send(due, now)
        except Exception as error:
            name = due.subscription.subscription_id
            _LOG.exception("defect: sending to the subscription %s failed", name)
            return Attempt(SendOutcome.REFUSED, f"a defect, see the log: {type(error).__name__}")


def _order(due: Due) -> int:
    """Return the rank of a message by tier, authorities first."""
    return -list(Tier).index(due.subscription.tier)
