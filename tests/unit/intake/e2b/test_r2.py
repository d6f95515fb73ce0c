"""A safety report of E2B(R2) is a report, or a reject that names the element."""

from collections import Counter
from datetime import date

import pytest

from schemas.rejected import Rejected
from tests.support.e2b_r2 import DRUG, FIELDS, REACTION, batch_of, message_of
from tests.support.e2b_reading import read, read_one


def fields(**changed: str) -> dict[str, str]:
    return FIELDS | changed


def refused(message: str) -> Rejected:
    [rejected] = read(batch_of([message]))[1]
    return rejected


def test_a_message_is_a_report() -> None:
    report = read_one(batch_of([message_of()]))
    assert (report.case_id, report.worldwide_id, report.sender_case_id) == ("DE-ACME-1",) * 3
    assert (report.source, report.sender, report.version) == ("e2b", "Acme", 1)
    assert (report.first_received, report.latest_received) == (date(2024, 1, 5),) * 2
    assert (report.report_type, report.occurrence_country) == ("spontaneous", "DE")
    assert (report.reporter.qualification, report.reporter.country) == ("physician", "DE")
    assert report.seriousness == ("hospitalisation",)
    assert report.patient.age_years == 33
    [reaction], [product] = report.reactions, report.products
    assert (reaction.term, reaction.verbatim, reaction.dictionary_version) == (
        *("Rash", "Ausschlag", "26.1"),
    )
    assert (reaction.onset, reaction.outcome) == (date(2024, 1, 3), "recovered")
    assert (product.verbatim, product.substances, product.role) == (
        *("Alfadrug", ("ALFADRUG",), "suspect"),
    )
    assert (product.lot, product.licence, product.manufacturer) == ("L-77", "12345", "Acme")
    assert (product.dose, product.route, product.indication) == ("10 mg", "Oral", "Pain")
    assert (product.first_given, product.action_taken) == (date(2024, 1, 1), "withdrawn")
    assert product.rechallenge is False


def test_an_authority_number_is_the_worldwide_one_if_there_is_no_company_number() -> None:
    numbers = {"companynumb": "", "authoritynumb": "FR-AFSSAPS-7", "safetyreportid": "FR-X-1"}
    report = read_one(batch_of([message_of(fields(**numbers))]))
    assert (report.case_id, report.sender_case_id) == ("FR-AFSSAPS-7", "FR-X-1")


def test_without_a_worldwide_number_the_case_is_that_of_the_sender() -> None:
    report = read_one(batch_of([message_of(fields(companynumb="", safetyreportid="FR-X-1"))]))
    assert (report.case_id, report.worldwide_id) == ("FR-X-1", None)


def test_the_header_names_the_sender_if_the_message_does_not() -> None:
    message = message_of().replace("<senderorganization>Acme</senderorganization>", "")
    assert read_one(batch_of([message])).sender == "ACME"


def test_earlier_numbers_and_linked_reports_are_kept() -> None:
    extra = (
        "<reportduplicate><duplicatesource>EMA</duplicatesource>"
        "<duplicatenumb>EU-EC-9</duplicatenumb></reportduplicate>"
        "<linkedreport><linkreportnumb>DE-ACME-2</linkreportnumb></linkedreport>"
    )
    report = read_one(batch_of([message_of(extra=extra)]))
    assert [(each.source, each.case_id) for each in report.other_ids] == [("EMA", "EU-EC-9")]
    assert [(each.kind, each.case_id) for each in report.links] == [("related", "DE-ACME-2")]


@pytest.mark.parametrize(("changed", "kind"), [("1", "nullification"), ("2", "amendment")], ids=str)
def test_a_revision_has_its_kind_and_reason(changed: str, kind: str) -> None:
    message = message_of(fields(casenullification=changed, nullificationreason="entered twice"))
    revision = read_one(batch_of([message])).revision
    assert revision is not None
    assert (revision.kind, revision.reason) == (kind, "entered twice")


def test_a_nullification_needs_no_drug_and_no_reaction() -> None:
    voids = fields(casenullification="1", nullificationreason="entered twice")
    report = read_one(batch_of([message_of(voids, reactions=(), drugs=())]))
    assert report.is_nullified


def test_messages_of_one_day_are_ordered_by_their_version() -> None:
    numbers = [
        read_one(batch_of([message_of(fields(safetyreportversion=version))])).message_id
        for version in ("2", "10")
    ]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"receivedate": "202401"}, "receivedate (A.1.6): must be a day, CCYYMMDD; got '202401'"),
        ({"receiptdate": ""}, "receiptdate (A.1.7): must be a day, CCYYMMDD; got nothing"),
        (
            {"receiptdate": "20240104"},
            "receiptdate (A.1.7): latest_received must not be before first_received",
        ),
        (
            {"companynumb": "", "safetyreportid": ""},
            "safetyreportid (A.1.0.1): a message must state its case; got nothing",
        ),
        (
            {"casenullification": "1"},
            "nullificationreason (A.1.13.1): a reason must be stated for the nullification; "
            "got nothing",
        ),
    ],
)
def test_an_element_that_breaks_a_rule_is_named(changed: dict[str, str], reason: str) -> None:
    rejected = refused(message_of(fields(**changed)))
    assert (rejected.source, rejected.position, rejected.reason) == ("batch.xml", 1, reason)
    assert rejected.raw.startswith(b"<safetyreport>")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            message_of(reactions=()),
            "reactionmeddrapt (B.2.i.2): a case must have a reaction; got nothing",
        ),
        (
            message_of(reactions=[REACTION, REACTION | {"reactionmeddrapt": ""}]),
            "reactionmeddrapt (B.2.i.2): reaction 2 must have a MedDRA term; got nothing",
        ),
        (
            message_of(reactions=[REACTION, {}]),
            "reactionmeddrapt (B.2.i.2): reaction 2 must have a MedDRA term; got nothing",
        ),
        (
            message_of(drugs=[DRUG, {}], substances=()),
            "drugcharacterization (B.4.k.1): drug 2 must have a role, 1, 2, 3, 4; got nothing",
        ),
        (
            message_of(drugs=()),
            "medicinalproduct (B.4.k.2.1): a case must have a drug; got nothing",
        ),
        (
            message_of(drugs=[DRUG | {"drugcharacterization": "7"}]),
            "drugcharacterization (B.4.k.1): drug 1 must have a role, 1, 2, 3, 4; got '7'",
        ),
        (
            message_of(drugs=[DRUG | {"medicinalproduct": ""}], substances=()),
            "medicinalproduct (B.4.k.2.1): drug 1 must have a name; got nothing",
        ),
    ],
)
def test_a_case_needs_its_drugs_and_reactions(message: str, reason: str) -> None:
    assert refused(message).reason == reason


def test_every_broken_element_is_named_in_one_line() -> None:
    reason = refused(message_of(fields(receivedate="x"), reactions=(), drugs=())).reason
    for element in ("receivedate (A.1.6)", "medicinalproduct (B.4.k.2.1)"):
        assert f"{element}: " in reason
    assert "\n" not in reason


def test_a_lowest_level_term_stands_in_for_a_preferred_one() -> None:
    reaction = {"reactionmeddraversionllt": "12.0", "reactionmeddrallt": "10037844"}
    [found] = read_one(batch_of([message_of(reactions=[reaction])])).reactions
    assert (found.term, found.code, found.dictionary_version) == ("10037844", "10037844", "12.0")


def test_the_time_to_onset_is_kept_in_days() -> None:
    reactions = [
        REACTION | {"reactionfirsttime": number, "reactionfirsttimeunit": unit}
        for number, unit in (("3", "804"), ("2", "803"), ("2", "805"), ("x", "804"))
    ]
    found = read_one(batch_of([message_of(reactions=reactions)])).reactions
    assert [each.onset_days for each in found] == [3, 14, None, None]


def test_a_birth_date_gives_an_age_at_onset_if_none_is_stated() -> None:
    patient = {"patientbirthdateformat": "102", "patientbirthdate": "19800104", "patientsex": "2"}
    found = read_one(batch_of([message_of(patient=patient)])).patient
    assert (found.age_years, found.sex) == (43.0, "female")


def test_an_unknown_code_is_unknown_and_counted() -> None:
    unmapped: Counter[str] = Counter()
    patient = {"patientsex": "9", "patientagegroup": "8", "patientweight": "9999"}
    message = message_of(
        fields(reporttype="7", occurcountry="EU"),
        patient=patient,
        reactions=[REACTION | {"reactionoutcome": "8"}],
        drugs=[DRUG | {"actiondrug": "8"}],
    )
    report = read_one(batch_of([message]), unmapped)
    assert (report.report_type, report.occurrence_country) == ("unknown", None)
    assert (report.patient.sex, report.patient.age_group, report.patient.weight_kg) == (
        *("unknown", None, None),
    )
    assert unmapped == {
        "reporttype (A.1.4) '7'": 1,
        "occurcountry (A.1.2) 'EU'": 1,
        "patientsex (B.1.5) '9'": 1,
        "patientagegroup (B.1.2.3) '8'": 1,
        "patientweight (B.1.3) '9999'": 1,
        "reactionoutcome (B.2.i.8) '8'": 1,
        "actiondrug (B.4.k.16) '8'": 1,
    }


def test_relatedness_is_kept_with_its_drug() -> None:
    stated = (
        "<drugreactionrelatedness><drugreactionasses>Rash</drugreactionasses>"
        "<drugassessmentsource>Acme</drugassessmentsource><drugresult>Possible</drugresult>"
        "</drugreactionrelatedness>"
    )
    [product] = read_one(batch_of([message_of().replace("</drug>", f"{stated}</drug>")])).products
    assert [each.model_dump(exclude_none=True) for each in product.relatedness] == [
        {"reaction": "Rash", "source": "Acme", "result": "Possible"}
    ]


def test_a_drug_of_too_many_substances_is_rejected() -> None:
    message = message_of(substances=[f"S{number}" for number in range(201)])
    assert refused(message).reason.startswith(
        "activesubstancename (B.4.k.2.2): Tuple should have at most 200 items"
    )


def test_a_dose_in_words_is_kept_if_there_is_no_number() -> None:
    drug = {"drugcharacterization": "1", "medicinalproduct": "A", "drugdosagetext": "one a day"}
    [product] = read_one(batch_of([message_of(drugs=[drug], substances=())])).products
    assert (product.dose, product.substances, product.route) == ("one a day", ("A",), None)
