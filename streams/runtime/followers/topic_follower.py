"""Follows a topic from its first record in a background thread; no offset is stored."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from schemas.errors import BrokerError, StateError
from streams.runtime.broker.topic_tail import TopicTail
from streams.runtime.broker.topics import topic_name
from streams.runtime.settings import Settings

__all__ = ["following_topic"]

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 5.0  # s before the topic is opened again after an error


@contextmanager
def following_topic(
    settings: Settings,
    name: str,
    take: Callable[[str, int, bytes], None],
    state: Callable[[str | None], None] = lambda problem: None,
) -> Iterator[None]:
    """Follow a topic while the body runs; while the broker is away it is tried again.

    Parameters
    ----------
    name
        Name of the topic, without the prefix.
    take
        Called with source, offset and value of each record, those of a partition in order. It may
        raise `StateError`, which ends it: the topic cannot be followed from here.
    state
        Called with the reason why not all there is was read; with None once it was.
    """
    stop = threading.Event()
    place: dict[str, int] = {}
    noted: list[str | None] = [None]

    def note(problem: str | None) -> None:
        if problem is not None and noted[-1] != problem:  # one that persists is logged once
            _LOG.error("following %s failed: %s", topic_name(settings, name), problem)
        noted[-1] = problem
        state(problem)

    def follow() -> None:
        with closing(TopicTail(settings, name, lambda source: place.get(source, 0))) as tail:
            while not stop.is_set():
                for source, offset, raw in tail.poll():
                    take(source, offset, raw)
                    place[source] = offset + 1
                if tail.drained():
                    note(None)

    def run() -> None:
        while not stop.is_set():
            try:
                follow()
            except BrokerError as error:
                note(str(error))
                stop.wait(_RETRY_SECONDS)
            except StateError as error:
                note(str(error))
                return

    thread = threading.Thread(target=run, name=f"tocsin-{name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
