"""Errors of the client in one line: what to do about them, and whether to try again."""

import logging

import pytest
from kafka import errors

from schemas.errors import BrokerError
from streams.runtime.broker.errors import (
    BrokerUnavailable,
    broker_errors,
    connecting_failed,
    explained,
    last_complaint,
    one_line,
    shorten,
    silenced,
    was_fenced,
    was_refused,
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            errors.UnknownTopicOrPartitionError("pv.x"),
            "read pv.x: no such topic: run `tocsin topics create`: ",
        ),
        (
            errors.TopicAuthorizationFailedError("pv.x"),
            "read pv.x: the broker does not authorise us: ",
        ),
        (errors.OffsetOutOfRangeError("7"), "read pv.x: the position is no longer in the topic: "),
        (ValueError("two\nlines"), "read pv.x: two lines"),
    ],
)
def test_an_error_is_one_line_with_its_remedy(error: Exception, line: str) -> None:
    assert one_line("read pv.x", error).startswith(line)
    assert "\n" not in one_line("read pv.x", error)


def test_a_line_has_a_bearable_length() -> None:
    assert shorten("a  b\n c") == "a b c"
    assert len(shorten("x" * 1_000)) == 400
    assert shorten("x" * 1_000).endswith("...")


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (errors.KafkaConnectionError("reset by peer"), True),
        (errors.NotLeaderForPartitionError("moved"), True),
        (errors.TopicAuthorizationFailedError("pv.x"), False),
        (errors.CorruptRecordError("7"), False),
    ],
)
def test_what_may_succeed_in_a_moment_is_told_apart(error: errors.KafkaError, again: bool) -> None:
    with pytest.raises(BrokerError, match=r"^read pv\.x: ") as raised, broker_errors("read pv.x"):
        raise error
    assert isinstance(raised.value, BrokerUnavailable) is again
    assert raised.value.__cause__ is error


def test_what_is_no_error_of_the_client_passes() -> None:
    with pytest.raises(ZeroDivisionError), broker_errors("read pv.x"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "fenced", "refused"),
    [
        (errors.ProducerFencedError(), True, False),
        (errors.KafkaError("after InvalidProducerEpochError"), True, False),
        (errors.TopicAuthorizationFailedError("pv.x"), False, True),
        ("SaslAuthenticationFailedError: no", False, True),
        (errors.KafkaTimeoutError("late"), False, False),
    ],
)
def test_an_error_that_follows_from_another_keeps_its_name(
    error: object, fenced: bool, refused: bool
) -> None:
    assert (was_fenced(error), was_refused(error)) == (fenced, refused)


@pytest.mark.parametrize(
    ("complaint", "meaning", "kind"),
    [
        ("[Errno 111] Connection refused", "", BrokerUnavailable),
        ("certificate has expired (_ssl.c:1)", "the broker's certificate is out of", BrokerError),
        ("SaslAuthenticationFailedError: no", "the broker refused the user name", BrokerError),
    ],
)
def test_a_failed_connection_is_explained_and_one_with_a_remedy_is_not_tried_again(
    complaint: str, meaning: str, kind: type[BrokerError]
) -> None:
    assert explained(complaint).startswith(meaning)
    assert explained(complaint).endswith(complaint)
    assert connecting_failed(complaint) is kind


def test_why_it_cannot_connect_is_the_last_complaint_that_says_so() -> None:
    log = logging.getLogger("kafka.net.manager")
    with last_complaint() as complaint:
        log.error("Connection failed: [Errno 111] refused (backoff 0.5 secs)")
        log.error("Connection failed: timed out")
        log.warning("Unable to bootstrap from failed: brokers")
    assert complaint.text == "[Errno 111] refused"
    log.error("Connection failed: later")
    assert complaint.text == "[Errno 111] refused"


def test_a_silenced_logger_speaks_again_afterwards() -> None:
    log = logging.getLogger("kafka.silenced")
    with silenced("kafka.silenced"):
        assert log.disabled
    assert not log.disabled
