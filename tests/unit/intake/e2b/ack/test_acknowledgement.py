"""A batch is answered message by message: accepted, or rejected with its wrong elements."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from streams.intake.e2b.ack.acknowledgement import Acknowledgement, acknowledge
from tests.support import e2b_r2, e2b_r3
from tests.support.e2b_r3 import REPORT

NOW = datetime(2024, 1, 7, 10, 15, tzinfo=UTC)
GOOD_R3 = e2b_r3.message_of(REPORT, number="M1")
BAD_R3 = (
    e2b_r3.message_of(REPORT, number="M2")
    .replace('<effectiveTime value="20240106101500+0900"/>', "")
    .replace('code="10037844"', 'nullFlavor="UNK"')
)
BAD_R2 = e2b_r2.message_of(
    e2b_r2.FIELDS | {"receiptdate": "202401"}, reactions=[{"primarysourcereaction": "Rash"}]
)


def acknowledged(raw: bytes) -> tuple[Acknowledgement, etree._Element]:
    found = acknowledge(io.BufferedReader(io.BytesIO(raw)), "batch.xml")
    return found, etree.fromstring(found.xml(number="ACK-1", now=NOW))


def value(root: etree._Element, path: str) -> str:
    """Return the only text or attribute at a path of local names."""
    path, _, attribute = path.partition("/@")
    [found] = root.iterfind("/".join(f"{{*}}{name}" for name in path.split("/")))
    text = found.get(attribute) if attribute else found.text
    assert text is not None
    return text


def test_a_bad_message_is_rejected_element_by_element() -> None:
    found, root = acknowledged(e2b_r3.batch_of([GOOD_R3, BAD_R3]))
    assert (len(found.answers), found.n_accepted) == (2, 1)
    good, bad = root.iterfind("{*}MCCI_IN000002UV01")
    assert value(good, "acknowledgement/@typeCode") == "CA"
    assert value(good, "acknowledgement/targetMessage/id/@extension") == "M1"
    assert value(bad, "acknowledgement/@typeCode") == "CR"
    assert value(bad, "acknowledgement/targetMessage/id/@extension") == "M2"
    assert value(bad, "acknowledgement/acknowledgementDetail/text") == (
        "C.1.2: must be a time, CCYYMMDDhhmmss with its offset; got nothing; "
        "E.i.2.1b: a reaction must have a MedDRA code, a number; got nothing"
    )
    assert value(root, "acknowledgement/@typeCode") == "AE"
    assert value(root, "acknowledgement/targetBatch/id/@extension") == "B1"


def test_sender_and_receiver_change_places() -> None:
    _, root = acknowledged(e2b_r3.batch_of([GOOD_R3]))
    message = root.find("{*}MCCI_IN000002UV01")
    assert message is not None
    found = {
        name: value(element, f"{name}/device/id/@extension")
        for element in (root, message)
        for name in ("sender", "receiver")
    }
    assert found == {"sender": "RECEIVER", "receiver": "SENDER"}
    assert value(root, "sender/device/id/@extension") == "BATCHRECEIVER"
    assert value(root, "receiver/device/id/@extension") == "BATCHSENDER"


def test_dates_are_those_of_the_sender_and_ours_is_now() -> None:
    _, root = acknowledged(e2b_r3.batch_of([GOOD_R3]))
    assert value(root, "creationTime/@value") == "20240107101500+0000"
    times = root.xpath("//*[local-name()='attentionLine']/*[local-name()='value']/@value")
    assert times == ["20240106101500+0900", "20240106101500+0900"]


def test_many_wrong_elements_are_named_without_their_rules() -> None:
    bad = BAD_R3
    for old, new in (
        ('<low value="20240105"/>', ""),
        ('<availabilityTime value="20240105"/>', ""),
        ('code="20" codeSystem', 'code="21" codeSystem'),
    ):
        bad = bad.replace(old, new, 1)
    found, _ = acknowledged(e2b_r3.batch_of([bad]))
    [answer] = found.answers
    assert answer.comment == "rejected for C.1.2, E.i.2.1b, G.k.1, C.1.4, C.1.5"


def test_a_value_that_is_not_kept_is_named_to_its_sender() -> None:
    found, _ = acknowledged(
        e2b_r3.batch_of([GOOD_R3.replace('<value code="5"/>', '<value code="0"/>')])
    )
    [answer] = found.answers
    assert (answer.is_accepted, answer.comment) == (True, "D.2.3 '0' is not kept")


def test_a_message_with_an_entity_reference_is_rejected() -> None:
    doctype = '<!DOCTYPE ichicsr [<!ENTITY x "x">]>'
    bad = e2b_r2.message_of().replace("<patient>", "&x;<patient>")
    found, _ = acknowledged(e2b_r2.batch_of([bad], doctype=doctype))
    [answer] = found.answers
    assert (answer.is_accepted, answer.own, answer.comment) == (
        *(False, "DE-ACME-1", "a message must hold no entity reference; got &x;"),
    )


@pytest.mark.parametrize(
    ("raw", "code", "accepted"),
    [
        (e2b_r3.batch_of([GOOD_R3]), "AA", 1),
        (e2b_r3.batch_of([BAD_R3]), "AE", 0),
        (e2b_r3.batch_of([GOOD_R3, GOOD_R3])[:-600], "AE", 1),
        (e2b_r3.batch_of([GOOD_R3])[:-900], "AR", 0),
        (e2b_r3.batch_of([]), "AR", 0),
    ],
    ids=["all", "none", "rest cut off", "cut off", "empty"],
)
def test_the_code_of_a_batch_sums_up_its_messages(raw: bytes, code: str, accepted: int) -> None:
    found, root = acknowledged(raw)
    assert (value(root, "acknowledgement/@typeCode"), found.n_accepted) == (code, accepted)
    text = value(root, "acknowledgement/acknowledgementDetail/text")
    assert (found.malformed or "") in text


def test_a_batch_of_release_2_is_answered_in_its_own_form() -> None:
    _, root = acknowledged(e2b_r2.batch_of([e2b_r2.message_of(), BAD_R2]))
    assert root.tag == "ichicsrack"
    message = root.find("acknowledgment/messageacknowledgment")
    assert message is not None
    assert {each.tag: each.text for each in message} == {
        "icsrmessagenumb": "B-1",
        "localmessagenumb": "ACK-1",
        "icsrmessagesenderidentifier": "ACME",
        "icsrmessagereceiveridentifier": "AGENCY",
        "icsrmessagedateformat": "204",
        "icsrmessagedate": "20240106101500",
        "transmissionacknowledgmentcode": "02",
    }
    good, bad = root.iterfind("acknowledgment/reportacknowledgment")
    assert good.findtext("reportacknowledgmentcode") == "01"
    assert good.find("errormessagecomment") is None
    assert {each.tag: each.text for each in bad} == {
        "safetyreportid": "DE-ACME-1",
        "safetyreportversion": "1",
        "localreportnumb": "DE-ACME-1",
        "companynumb": "DE-ACME-1",
        "receiptdateformat": "102",
        "receiptdate": "202401",
        "reportacknowledgmentcode": "02",
        "errormessagecomment": "reactionmeddrapt (B.2.i.2): reaction 1 must have a MedDRA term; "
        "got nothing; receiptdate (A.1.7): must be a day, CCYYMMDD; got '202401'",
    }


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (e2b_r2.batch_of([e2b_r2.message_of()]), "01"),
        (e2b_r2.batch_of([e2b_r2.message_of()] * 2)[:-700], "02"),
        (e2b_r2.batch_of([e2b_r2.message_of()])[:-700], "03"),
        (e2b_r2.batch_of([]), "03"),
    ],
    ids=["all", "rest cut off", "cut off", "empty"],
)
def test_the_code_of_a_batch_of_release_2_sums_up_its_messages(raw: bytes, code: str) -> None:
    found, root = acknowledged(raw)
    path = "acknowledgment/messageacknowledgment/"
    assert root.findtext(f"{path}transmissionacknowledgmentcode") == code
    assert root.findtext(f"{path}parsingerrormessage") == found.malformed


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("sample", "raw"),
    [("positive", e2b_r3.batch_of([GOOD_R3])), ("negative", e2b_r3.batch_of([BAD_R3]))],
)
def test_an_acknowledgement_has_the_elements_of_fdas(
    sample: str, raw: bytes, real_data: Path
) -> None:
    """The same elements in the same order, with the same codes and roots."""
    _, ours = acknowledged(raw)
    theirs = etree.parse(real_data / "e2b_r3" / f"R3ack-{sample}.ack").getroot()
    assert _shape(ours) == _shape(theirs)


def _shape(root: etree._Element) -> list[tuple[str, dict[str, str]]]:
    told = {"extension", "value", "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"}
    constant = ("MCCI_IN200101UV01", "MCCI_IN000002UV01")
    return [
        (
            str(element.tag),
            {
                name: text
                for name, text in element.attrib.items()
                if name not in told or text in constant
            },
        )
        for element in root.iter(etree.Element)
    ]
