"""Translate kafka-python's errors into one line with advice."""

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

# While connecting, the client logs text instead of raising exceptions.
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
    """Kafka did not answer, or the error is retriable: a connection, leader or coordinator is lost.

    Retry. Workers do so for a minute; if it lasts, check the brokers.
    """


class PositionOutOfRange(BrokerError):
    """The record at the next offset is gone: it was deleted, or the topic was created again.

    A reader that must not lose records stops with it, or with an error that names the missing
    records and how to restore them. A copy of a changelog restarts from the newest base.
    """


@contextmanager
def broker_errors(doing: str) -> Iterator[None]:
    """Raise kafka-python's errors as a `BrokerError` of one line that begins with `doing`.

    A retriable error becomes `BrokerUnavailable`; a deleted next record `PositionOutOfRange`.
    """
    try:
        yield
    except errors.OffsetOutOfRangeError as error:
        raise PositionOutOfRange(one_line(doing, error)) from error
    except errors.KafkaError as error:
        kind = BrokerUnavailable if error.retriable else BrokerError
        raise kind(one_line(doing, error)) from error


def was_refused(error: object) -> bool:
    """Return whether authorisation or authentication failed, so that a retry cannot help."""
    # As for `was_fenced`: later errors keep only the name of the first one.
    names = ("AuthorizationFailedError", "SaslAuthenticationFailedError")
    return any(name in repr(error) or name in str(error) for name in names)


def was_fenced(error: object) -> bool:
    """Return whether another producer with the same transactional id fenced this one."""
    # The client keeps the name of the first error in the text of later ones.
    names = ("ProducerFencedError", "InvalidProducerEpochError")
    return any(name in repr(error) or name in str(error) for name in names)


def one_line(doing: str, error: Exception) -> str:
    """Return the failed action, advice if there is any, and the client's message, in one line."""
    advice = next((f"{text}: " for kind, text in ADVICE if isinstance(error, kind)), "")
    return shorten(f"{doing}: {advice}{error}")


def shorten(text: str) -> str:
    """Return the text as one line of at most `LINE` characters."""
    line = " ".join(text.split())
    return line if len(line) <= LINE else f"{line[: LINE - 3]}..."


def explained(complaint: str) -> str:
    """Prefix the client's message about a failed connection with advice, if there is any."""
    advice = next((f"{text}: " for words, text in ADVICE_ON_CONNECTING if words in complaint), "")
    return f"{advice}{complaint}"


def connecting_failed(complaint: str) -> type[BrokerError]:
    """Return the error class of a failed connection: `BrokerError` if a retry cannot help."""
    known = any(words in complaint for words, _ in ADVICE_ON_CONNECTING)
    return BrokerError if known or was_refused(complaint) else BrokerUnavailable


class LastComplaint(logging.Handler):
    """Logging handler that keeps the client's last warning: nothing else gives the cause."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning, unless it only reports a timeout and an earlier one gave the cause."""
        message = record.getMessage()
        if "failed: " in message and "Unable to bootstrap" not in message:
            text = message.split("failed: ", 1)[1].partition(" (backoff ")[0]
            if not (self.text and any(words in text for words in TIME_IS_UP)):
                self.text = text


@contextmanager
def last_complaint() -> Iterator[LastComplaint]:
    """Capture the client's warnings while it connects."""
    handler = LastComplaint()
    logger = logging.getLogger("kafka")
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)


@contextmanager
def silenced(name: str) -> Iterator[None]:
    """Disable a logger of the client that repeats errors which are raised as well."""
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _without_traceback(record: logging.LogRecord) -> bool:
    """Log a lost connection in one line, without the traceback that the client adds."""
    if record.exc_info and isinstance(record.exc_info[1], OSError):
        record.msg, record.args = f"{record.getMessage()}: {record.exc_info[1]}", ()
        record.exc_info = None
    return True


logging.getLogger("kafka.net.transport").addFilter(_without_traceback)
