"""Messages of a document come one at a time; what is hostile or broken is rejected in place."""

import io

import pytest

from schemas.errors import RejectCode
from streams.intake.e2b import documents
from streams.intake.e2b.documents import Document, IcsrMessage, read_messages
from tests.support import e2b_r3
from tests.support.e2b_r2 import FIELDS, batch_of, message_of
from tests.support.e2b_reading import read, read_one

ATTACHMENT = '<text mediaType="application/pdf" representation="B64">{}</text>'


def message(number: int, **changed: str) -> str:
    return message_of(FIELDS | {"companynumb": f"DE-ACME-{number}"} | changed)


def cases(raw: bytes) -> list[str]:
    return [report.case_id for report in read(raw)[0]]


def test_a_bad_message_rejects_itself_and_no_other() -> None:
    reports, [rejected] = read(batch_of([message(1), message(2, receivedate="x"), message(3)]))
    assert [report.case_id for report in reports] == ["DE-ACME-1", "DE-ACME-3"]
    assert (rejected.source, rejected.position, rejected.code) == (
        *("batch.xml", 2, RejectCode.SCHEMA),
    )
    assert b"<receivedate>x</receivedate>" in rejected.raw
    assert b"DE-ACME-3" not in rejected.raw


def test_a_malformed_rest_is_rejected_with_its_position() -> None:
    raw = batch_of([message(1), message(2).replace("</patient>", "", 1), message(3)])
    reports, [rejected] = read(raw)
    assert [report.case_id for report in reports] == ["DE-ACME-1"]
    assert rejected.position == 2
    assert rejected.reason.startswith(
        "the document must be well-formed XML within the limits of its parser; "
        "got Opening and ending tag mismatch: patient line 3 and safetyreport"
    )
    assert rejected.reason.endswith("nothing from message 2 on is read")
    assert rejected.raw == raw


def test_a_document_cut_off_rejects_what_is_not_whole() -> None:
    raw = batch_of([message(1), message(2)])
    reports, [rejected] = read(raw[:-500])
    assert [report.case_id for report in reports] == ["DE-ACME-1"]
    assert rejected.position == 2


def test_a_document_without_a_message_is_a_reject() -> None:
    _, [rejected] = read(batch_of([]))
    assert (rejected.position, rejected.reason) == (
        *(1, "a document must hold a message, PORR_IN049016UV or safetyreport; got none"),
    )


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8", "UTF-16", "windows-1252"])
def test_a_document_is_read_in_its_encoding(encoding: str) -> None:
    raw = batch_of([message(1, companynumb="DE-Café-1")], encoding=encoding)
    assert cases(raw) == ["DE-Café-1"]


def test_a_wrong_encoding_is_not_guessed() -> None:
    raw = batch_of([message(1), message(2, companynumb="DE-Café-1")])
    _, [rejected] = read(raw.replace(b"ISO-8859-1", b"UTF-8"))
    assert (rejected.position, "Invalid bytes in character encoding" in rejected.reason) == (
        2,
        True,
    )


def test_an_entity_is_neither_read_nor_left_out() -> None:
    doctype = '<!DOCTYPE ichicsr [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "y">]>'
    for name in ("x", "y"):
        bad = message(2).replace("Alfadrug", f"Alfa&{name};drug")
        reports, [rejected] = read(batch_of([message(1), bad, message(3)], doctype=doctype))
        assert [report.case_id for report in reports] == ["DE-ACME-1", "DE-ACME-3"]
        assert rejected.reason == f"a message must hold no entity reference; got &{name};"
        assert b"root:" not in rejected.raw


def test_a_name_that_is_none_is_said_once_all_is_read() -> None:
    inner = message(1).replace("<patient>", "<ns:><safetyreport/></ns:><patient>")
    raw = batch_of([inner, message(2)])
    reports, [rejected] = read(raw)
    assert [each.case_id for each in reports] == ["DE-ACME-1", "DE-ACME-2"]
    assert "got Failed to parse QName 'ns:'" in rejected.reason
    assert (rejected.position, rejected.raw) == (3, raw)


def test_a_comment_inside_a_text_is_no_part_of_it() -> None:
    text = message(1).replace("Alfadrug", "Alfa<!-- not -->drug<?no?> A")
    assert read_one(batch_of([text])).products[0].verbatim == "Alfadrug A"


def test_a_message_elsewhere_in_a_document_is_none() -> None:
    inner = message(1).replace("<patient>", f"<patient>{message(2)}")
    assert cases(batch_of([inner])) == ["DE-ACME-1"]


def test_attachments_are_not_kept_and_count_no_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_MESSAGE_BYTES", 1 << 18)
    attachments = ATTACHMENT.format("QUJD" * 30_000) * 6
    text = e2b_r3.message_of(e2b_r3.REPORT, narrative=f"words{attachments}")
    report = e2b_r3.REPORT.model_copy(update={"case_id": "B", "worldwide_id": "B"})
    assert cases(e2b_r3.batch_of([text, e2b_r3.message_of(report)])) == ["DE-ACME-1", "B"]
    bad = text.replace('<low value="20240105"/>', "", 1)
    [rejected] = read(e2b_r3.batch_of([bad]))[1]
    assert rejected.reason.startswith("C.1.4")
    assert b"QUJD" not in rejected.raw
    assert rejected.raw.count(b"[attachment left out]") == 6


def test_a_message_over_the_limit_is_rejected_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents, "MOST_MESSAGE_BYTES", 1 << 18)
    long = message(2).replace("<patient>", f"<patient>{'<a><b>x</b></a>' * 40_000}")
    raw = batch_of([message(1), long, message(3)])
    reports, [rejected] = read(raw)
    assert [report.case_id for report in reports] == ["DE-ACME-1", "DE-ACME-3"]
    assert (rejected.position, rejected.code) == (2, RejectCode.TOO_LONG)
    assert rejected.reason == (
        "a message must have at most 262144 bytes without attachments; got more"
    )
    assert len(rejected.raw) < 300_000


def test_elements_between_messages_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_BETWEEN_BYTES", 1 << 18)
    reports, [rejected] = read(batch_of([message(1), "<a/>" * 200_000, message(2)]))
    assert [report.case_id for report in reports] == ["DE-ACME-1"]
    assert "more than 262144 bytes outside of messages" in rejected.reason


def test_read_messages_are_emptied_and_the_header_is_kept() -> None:
    document = Document("batch.xml")
    stream = io.BufferedReader(io.BytesIO(batch_of([message(n) for n in range(50)])))
    for item in read_messages(stream, document):
        assert isinstance(item, IcsrMessage)
        assert item.release == 2
        root = document.root
        assert root is not None
        assert root.index(item.element) <= 2, "after the header and an emptied message"
        previous = item.element.getprevious()
        assert item.number == 1 or len(previous) == 0
    assert document.n_messages == 50
    assert document.root is not None
    assert document.root[0].findtext("messagenumb") == "B-1"
