"""The answer to a message has what identifies it to its sender, in bounded texts."""

import io
from collections.abc import Iterator

from streams.intake.e2b.ack.answers import BatchIdentity, MessageAnswer, answer_to, batch_from
from streams.intake.e2b.documents import Document, IcsrMessage, read_messages
from streams.intake.e2b.findings import MessageFindings
from tests.support import e2b_r2, e2b_r3
from tests.support.e2b_r3 import REPORT


def messages(raw: bytes) -> Iterator[IcsrMessage]:
    for item in read_messages(io.BufferedReader(io.BytesIO(raw)), Document("batch.xml")):
        assert isinstance(item, IcsrMessage)
        yield item


def test_a_message_of_release_3_is_identified() -> None:
    [answer] = [
        answer_to(each, MessageFindings())
        for each in messages(e2b_r3.batch_of([e2b_r3.message_of(REPORT)]))
    ]
    assert answer == MessageAnswer(
        is_accepted=True,
        comment="",
        message="M1",
        own="DE-ACME-1",
        worldwide="DE-ACME-1",
        created="20240106101500+0900",
        sender="SENDER",
        receiver="RECEIVER",
    )


def test_a_message_without_a_case_is_answered_too() -> None:
    text = e2b_r3.message_of(REPORT).replace("investigationEvent", "event")
    findings = MessageFindings()
    findings.refuse("C.1.1", "a message must hold an investigationEvent", None)
    [answer] = [answer_to(each, findings) for each in messages(e2b_r3.batch_of([text]))]
    assert (answer.is_accepted, answer.message, answer.own) == (False, "M1", "")


def test_texts_are_bounded() -> None:
    findings = MessageFindings()
    for number in range(300):
        findings.skip(f"E.i.{number}", "x")
    fields = e2b_r2.FIELDS | {"safetyreportid": "x" * 9_999}
    raw = e2b_r2.batch_of([e2b_r2.message_of(fields)])
    [answer] = [answer_to(each, findings) for each in messages(raw)]
    assert (len(answer.comment), len(answer.own)) == (250, 200)
    assert answer.comment.endswith("...")


def test_a_document_that_never_began_is_no_batch() -> None:
    assert batch_from(Document("batch.xml"), 3) == BatchIdentity()
