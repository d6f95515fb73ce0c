"""What kafka-python raises, in one line that says what to do."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from schemas.errors import BrokerError

__all__ = ["broker_errors", "one_line", "shorten", "was_fenced"]

LINE = 400

ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (errors.SaslAuthenticationFailedError, "the broker refused the user name or password"),
    (errors.AuthorizationError, "the broker does not authorise us"),
    (errors.UnknownTopicOrPartitionError, "no such topic: run `tocsin topics create`"),
    (errors.OffsetOutOfRangeError, "the position is no longer in the topic"),
    (errors.NoOffsetForPartitionError, "a partition has no position to begin at"),
    (errors.LogTruncationError, "the broker lost records that were already read"),
    (errors.CommitFailedError, "the consumer group has rebalanced"),
    (errors.CorruptRecordError, "a record's checksum is wrong"),
    (ssl.SSLError, "the encrypted connection failed"),
)


@contextmanager
def broker_errors(doing: str) -> Iterator[None]:
    """Turn whatever kafka-python raises into one line: a `BrokerError` that begins with `doing`."""
    try:
        yield
    except errors.KafkaError as error:
        raise BrokerError(one_line(doing, error)) from error


def was_fenced(error: object) -> bool:
    """Tell whether the broker gave this producer's transactional id to another."""
    # The client keeps the first error's name in the text of those that follow from it.
    names = ("ProducerFencedError", "InvalidProducerEpochError")
    return any(name in repr(error) or name in str(error) for name in names)


def one_line(doing: str, error: Exception) -> str:
    """Say what was being done, what to do about it where that is known, and the client's words."""
    advice = next((f"{text}: " for kind, text in ADVICE if isinstance(error, kind)), "")
    return shorten(f"{doing}: {advice}{error}")


def shorten(text: str) -> str:
    """Return the text as one line of bearable length."""
    line = " ".join(text.split())
    return line if len(line) <= LINE else f"{line[: LINE - 3]}..."
