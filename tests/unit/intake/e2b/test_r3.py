"""A message of E2B(R3) is a report, or a reject that names the element."""

from collections import Counter
from datetime import date

import pytest

from schemas.report import Report, Revision
from schemas.vocabulary import RevisionKind
from tests.support.e2b_r3 import REPORT, batch_of, message_of
from tests.support.e2b_reading import read, read_one

MESSAGE = message_of(REPORT)


def changed(old: str, new: str, message: str = MESSAGE) -> Report:
    assert old in message
    return read_one(batch_of([message.replace(old, new)]))


def reason_of(*changes: tuple[str, str]) -> str:
    message = MESSAGE
    for old, new in changes:
        assert old in message
        message = message.replace(old, new)
    [rejected] = read(batch_of([message]))[1]
    assert (rejected.source, rejected.position) == ("batch.xml", 1)
    assert rejected.raw.startswith(b"<PORR_IN049016UV")
    return rejected.reason


def test_a_message_is_a_report() -> None:
    message_id = "20240105000000-0 Acme DE-ACME-1"
    assert read_one(batch_of([MESSAGE])) == REPORT.model_copy(update={"message_id": message_id})


def test_a_message_alone_is_a_document() -> None:
    alone = MESSAGE.replace("<PORR_IN049016UV>", '<PORR_IN049016UV xmlns="urn:hl7-org:v3">')
    assert read_one(alone.encode()).case_id == "DE-ACME-1"


def test_the_day_is_that_of_the_sender() -> None:
    old = '<low value="20240105"/>', '<availabilityTime value="20240105"/>'
    message = MESSAGE.replace(old[0], '<low value="20240105235959-1100"/>')
    message = message.replace(old[1], '<availabilityTime value="20240106000100+1400"/>')
    report = read_one(batch_of([message]))
    assert (report.first_received, report.latest_received) == (date(2024, 1, 5), date(2024, 1, 6))
    assert report.message_id.startswith("20240105100100-0 ")  # in UTC


def test_a_message_sent_again_has_the_number_of_the_first() -> None:
    again = message_of(REPORT, created="20240209000000+0000", number="M2")
    assert read_one(batch_of([again])) == read_one(batch_of([MESSAGE]))


def test_an_amendment_of_the_same_information_is_the_later_message() -> None:
    revision = Revision(kind=RevisionKind.AMENDMENT, reason="typing error")
    amended = REPORT.model_copy(update={"revision": revision})
    ids = [
        read_one(batch_of([message])).message_id
        for message in (
            MESSAGE,
            message_of(amended, created="20240110000000+0000"),
            message_of(amended, created="20240110000000-0100"),
        )
    ]
    assert ids == sorted(set(ids))


def test_a_nullification_needs_no_drug_and_no_reaction() -> None:
    revision = Revision(kind=RevisionKind.NULLIFICATION, reason="entered twice")
    voided = REPORT.model_copy(update={"revision": revision, "products": (), "reactions": ()})
    report = read_one(batch_of([message_of(voided)]))
    assert report.is_nullified
    assert report.revision == revision


def test_without_a_worldwide_number_the_case_is_that_of_the_sender() -> None:
    worldwide = '<id root="2.16.840.1.113883.3.989.2.1.3.2" extension="DE-ACME-1"/>'
    report = changed(worldwide, "")
    assert (report.case_id, report.worldwide_id) == ("DE-ACME-1", None)


def test_a_null_flavor_is_unknown_and_not_a_no() -> None:
    report = changed(
        '<administrativeGenderCode code="2"/>', '<administrativeGenderCode nullFlavor="MSK"/>'
    )
    assert report.patient.sex == "unknown"
    assert changed('<value value="true"/>', '<value nullFlavor="NI"/>').seriousness == ()
    assert changed('<value value="true"/>', "").seriousness == ()
    assert (
        changed('<code code="1"/>', '<code nullFlavor="UNK"/>').reporter.qualification == "consumer"
    )


def test_required_intervention_of_fda_is_a_criterion() -> None:
    regional = (
        '<outboundRelationship2><observation><code code="7" '
        'codeSystem="2.16.840.1.113883.3.989.5.1.2.2.1.3"/><value value="true"/></observation>'
        "</outboundRelationship2><location>"
    )
    report = changed("<location>", regional)
    assert report.seriousness == ("hospitalisation", "medically_important")


def test_a_birth_date_gives_an_age_at_onset_if_none_is_stated() -> None:
    onset = REPORT.reactions[0].model_copy(update={"onset": date(2024, 1, 3)})
    message = message_of(REPORT.model_copy(update={"reactions": (onset,)}))
    birth = '<birthTime value="19800104"/></player1>'
    assert changed("</player1>", birth, message).patient.age_years == 33
    stated = '<value value="33.0" unit="a"/>'
    message = message.replace(stated, '<value nullFlavor="UNK"/>')
    assert changed("</player1>", birth, message).patient.age_years == 43


def test_an_unknown_code_is_unknown_and_counted() -> None:
    unmapped: Counter[str] = Counter()
    message = MESSAGE.replace('<code code="DE"/>', '<code code="eu"/>')
    message = message.replace('<value code="5"/>', '<value code="0"/>')  # D.2.3: foetus
    message = message.replace('value="70.0"', 'value="9000"')
    report = read_one(batch_of([message]), unmapped)
    assert (report.occurrence_country, report.patient.age_group) == (None, None)
    assert unmapped == {"E.i.9 'eu'": 1, "C.2.r.3 'eu'": 1, "D.2.3 '0'": 1, "D.3 '9000'": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            [('<effectiveTime value="20240106101500+0900"/>', "")],
            "C.1.2: must be a time, CCYYMMDDhhmmss with its offset; got nothing",
        ),
        (
            [('<low value="20240105"/>', '<low value="202401"/>')],
            "C.1.4: must be a day, CCYYMMDD or with a time; got '202401'",
        ),
        (
            [('<availabilityTime value="20240105"/>', '<availabilityTime nullFlavor="NI"/>')],
            "C.1.5: must be a day, CCYYMMDD or with a time; got nothing",
        ),
        (
            [('<availabilityTime value="20240105"/>', '<availabilityTime value="20240104"/>')],
            "C.1.5: latest_received must not be before first_received",
        ),
        (
            [('extension="DE-ACME-1"', 'extension=" "')],
            "C.1.1: a message must state its case, here or in C.1.8.1; got nothing",
        ),
        (
            [('value code="10037844"', 'value nullFlavor="UNK"')],
            "E.i.2.1b: a reaction must have a MedDRA code, a number; got nothing",
        ),
        (
            [('code="10037844"', 'code="Rash"')],
            "E.i.2.1b: a reaction must have a MedDRA code, a number; got 'Rash'",
        ),
        ([('code="20" codeSystem', 'code="21" codeSystem')], "G.k.1: drug 1 must have a role"),
        ([("Alfadrug", ""), ("ALFADRUG", "")], "G.k.2.2: drug 1 must have a name"),
        ([("investigationEvent", "event")], "C.1.1: a message must hold an investigationEvent"),
    ],
)
def test_an_element_that_breaks_a_rule_is_named(
    changes: list[tuple[str, str]], reason: str
) -> None:
    assert reason_of(*changes).startswith(reason)


def test_a_case_needs_a_drug_and_a_reaction() -> None:
    bare = REPORT.model_copy(update={"products": (), "reactions": ()})
    [rejected] = read(batch_of([message_of(bare)]))[1]
    assert rejected.reason == (
        "G.k.2.2: a case must have a drug; got nothing; "
        "E.i.2.1b: a case must have a reaction; got nothing"
    )


def test_a_revision_needs_a_reason() -> None:
    revision = Revision(kind=RevisionKind.AMENDMENT, reason="typo")
    message = message_of(REPORT.model_copy(update={"revision": revision}))
    [rejected] = read(batch_of([message.replace("<value>typo</value>", "<value/>")]))[1]
    assert rejected.reason == "C.1.11.2: a reason must be stated for the amendment; got nothing"
