"""What kafka-python raises, in one line that says what to do."""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors
from kafka.errors import CommitFailedError, FencedInstanceIdError, KafkaError, OffsetOutOfRangeError

from schemas.errors import BrokerError

__all__ = [
    "BrokerUnavailable",
    "CommitFailedError",
    "FencedInstanceIdError",
    "KafkaError",
    "OffsetOutOfRangeError",
    "PositionOutOfRange",
    "broker_errors",
    "connecting_failed",
    "explained",
    "last_complaint",
    "one_line",
    "shorten",
    "silenced",
    "was_fenced",
    "was_refused",
]

LINE = 400

ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (errors.SaslAuthenticationFailedError, "the broker refused the user name or password"),
    (errors.AuthorizationError, "the broker does not authorise us"),
    (errors.UnknownTopicOrPartitionError, "no such topic: run `tocsin topics create`"),
    (errors.OffsetOutOfRangeError, "the position is no longer in the topic"),
    (errors.NoOffsetForPartitionError, "a partition has no position to begin at"),
    (errors.LogTruncationError, "the broker lost records that were already read"),
    (errors.CommitFailedError, "the consumer group has rebalanced"),
    (errors.FencedInstanceIdError, "another worker has taken this group_instance_id"),
    (errors.CorruptRecordError, "a record's checksum is wrong"),
    (ssl.SSLError, "the encrypted connection failed"),
)

TIME_IS_UP = ("timed out", "KafkaTimeoutError")

# While connecting, the client gives words instead of exceptions.
ADVICE_ON_CONNECTING: tuple[tuple[str, str], ...] = (
    ("SaslAuthenticationFailedError", "the broker refused the user name or password"),
    ("UnsupportedSaslMechanismError", "the broker does not offer this sasl_mechanism"),
    ("mismatch, certificate is not valid for", "the broker's certificate is of another host"),
    ("certificate has expired", "the broker's certificate is out of date"),
    ("certificate is not yet valid", "the broker's certificate is not valid yet, or our clock"),
    ("self-signed certificate", "ssl_cafile must hold the authority of the broker's certificate"),
    ("local issuer certificate", "ssl_cafile must hold the authority of the broker's certificate"),
)


class BrokerUnavailable(BrokerError):
    """Kafka did not answer, or asks to be asked again: a connection, leader or coordinator is lost.

    The same may succeed in a moment. Workers try for a minute; if it lasts, look at the brokers.
    """


class PositionOutOfRange(BrokerError):
    """The record due next is not in the topic: it was deleted, or the topic was created again.

    A reader that must not lose records stops with it, or with an error that says what it needed and
    from where to restore it. A copy of a changelog begins again from the newest base.
    """


@contextmanager
def broker_errors(doing: str) -> Iterator[None]:
    """Turn whatever kafka-python raises into one line: a `BrokerError` that begins with `doing`.

    Where it is worth another attempt, that is a `BrokerUnavailable`; where the record due next is
    gone, a `PositionOutOfRange`.
    """
    try:
        yield
    except errors.OffsetOutOfRangeError as error:
        raise PositionOutOfRange(one_line(doing, error)) from error
    except errors.KafkaError as error:
        kind = BrokerUnavailable if error.retriable else BrokerError
        raise kind(one_line(doing, error)) from error


def was_refused(error: object) -> bool:
    """Tell whether the broker denies us a right, or does not know us: no attempt will help."""
    # As for `was_fenced`: of a first error those that follow keep no more than its name.
    names = ("AuthorizationFailedError", "SaslAuthenticationFailedError")
    return any(name in repr(error) or name in str(error) for name in names)


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


def explained(complaint: str) -> str:
    """Put before the client's words on a failed connection what they mean, where that is known."""
    advice = next((f"{text}: " for words, text in ADVICE_ON_CONNECTING if words in complaint), "")
    return f"{advice}{complaint}"


def connecting_failed(complaint: str) -> type[BrokerError]:
    """Return the kind of error that a failed connection is: what has a remedy needs it first."""
    known = any(words in complaint for words, _ in ADVICE_ON_CONNECTING)
    return BrokerError if known or was_refused(complaint) else BrokerUnavailable


class LastComplaint(logging.Handler):
    """Keeps the client's last warning: the only place where it says why it cannot connect."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Take a warning, unless it says only that the time is up and an earlier one says why."""
        message = record.getMessage()
        if "failed: " in message and "Unable to bootstrap" not in message:
            text = message.split("failed: ", 1)[1].partition(" (backoff ")[0]
            if not (self.text and any(words in text for words in TIME_IS_UP)):
                self.text = text


@contextmanager
def last_complaint() -> Iterator[LastComplaint]:
    """Listen to the client while it connects."""
    handler = LastComplaint()
    logger = logging.getLogger("kafka")
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)


@contextmanager
def silenced(name: str) -> Iterator[None]:
    """Keep a logger of the client from repeating what is raised."""
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _without_traceback(record: logging.LogRecord) -> bool:
    """Log a lost connection in one line: the client adds where in its own code it noticed."""
    if record.exc_info and isinstance(record.exc_info[1], OSError):
        record.msg, record.args = f"{record.getMessage()}: {record.exc_info[1]}", ()
        record.exc_info = None
    return True


logging.getLogger("kafka.net.transport").addFilter(_without_traceback)
