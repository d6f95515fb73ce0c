"""FHIR adverse events of both releases become reports, with what they refer to."""

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.rejected import Rejected
from schemas.report import Report
from schemas.vocabulary import Outcome, Qualification, RevisionKind, Seriousness, Sex
from streams.intake.documents.fhir import read_fhir
from streams.intake.formats import detect_format

MEDDRA = "http://terminology.hl7.org/CodeSystem/mdr"
RELEASE_5: dict[str, Any] = {
    "resourceType": "AdverseEvent",
    "id": "ae1",
    "meta": {"versionId": "3", "lastUpdated": "2024-01-09T10:00:00Z"},
    "identifier": [{"system": "https://a.example", "value": "US-1"}],
    "status": "completed",
    "actuality": "actual",
    "code": {
        "coding": [
            {"system": "http://snomed.info/sct", "code": "2"},
            {"system": MEDDRA, "code": "10037844", "display": "Rash", "version": "26.1"},
        ],
        "text": "red skin",
    },
    "subject": {"reference": "Patient/p1"},
    "occurrenceDateTime": "2024-01-02",
    "recordedDate": "2024-01-05T23:30:00-09:00",
    "recorder": {"reference": "Practitioner/d1"},
    "seriousness": {"coding": [{"code": "33"}]},
    "outcome": [{"coding": [{"code": "fatal"}]}],
    "suspectEntity": [
        {"instanceReference": {"reference": "Immunization/i1"}},
        {"instanceCodeableConcept": {"text": "BETA"}},
    ],
}
RELEASE_4: dict[str, Any] = {
    "resourceType": "AdverseEvent",
    "id": "ae2",
    "identifier": {"value": "US-2"},
    "actuality": "actual",
    "event": {"coding": [{"system": MEDDRA, "code": "10037844", "display": "Rash"}]},
    "subject": {"reference": "Patient/p1"},
    "date": "2024-01-02",
    "recordedDate": "2024-01-05",
    "seriousness": {"coding": [{"code": "34"}, {"code": "21"}]},
    "outcome": {"coding": [{"code": "ongoing"}]},
    "suspectEntity": [{"instance": {"reference": "Immunization/i1"}}],
    "extension": [
        {
            "url": "https://a.example/icsr-ext-ageattimeofonset",
            "valueAge": {"value": 18, "code": "mo"},
        }
    ],
}
PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1990-02-01"}
IMMUNIZATION = {
    "resourceType": "Immunization",
    "id": "i1",
    "vaccineCode": {"text": "ALFA"},
    "lotNumber": "L1",
    "occurrenceDateTime": "2024-01-01",
}


def _written(folder: Path, *resources: Any, lines: bool = False) -> Path:
    path = folder / "fhir.json"
    if lines:
        path.write_text("\n".join(map(json.dumps, resources)))
    else:
        entries = [{"fullUrl": f"urn:{n}", "resource": one} for n, one in enumerate(resources)]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        path.write_text(json.dumps(bundle, indent=2))
    return path


def _read(
    folder: Path, *resources: Any, lines: bool = False, unmapped: Counter[str] | None = None
) -> list[Report | Rejected]:
    return list(read_fhir(_written(folder, *resources, lines=lines), unmapped))


@pytest.mark.parametrize("lines", [False, True])
def test_an_event_of_release_5_has_the_fields_of_its_case(lines: bool, tmp_path: Path) -> None:
    resources = RELEASE_5, PATIENT, IMMUNIZATION
    assert detect_format(_written(tmp_path, *resources, lines=lines)) == "fhir"
    (report,) = _read(tmp_path, *resources, lines=lines)
    assert isinstance(report, Report)
    assert (report.case_id, report.version, report.source) == ("FHIR-US-1", 3, "fhir")
    assert (report.sender_case_id, report.revision) == ("US-1", None)
    assert (report.first_received, report.latest_received) == (date(2024, 1, 5), date(2024, 1, 9))
    assert report.reporter.qualification is Qualification.OTHER_HEALTH_PROFESSIONAL
    assert (report.patient.sex, report.patient.age_years) == (Sex.FEMALE, 33.0)
    assert report.seriousness == (Seriousness.HOSPITALISATION,)
    first, second = report.products
    assert (first.substances, first.lot, first.first_given) == (("ALFA",), "L1", date(2024, 1, 1))
    assert second.substances == ("BETA",)
    (reaction,) = report.reactions
    assert (reaction.term, reaction.verbatim, reaction.code) == ("Rash", "red skin", "10037844")
    assert (reaction.dictionary, reaction.dictionary_version) == ("MedDRA", "26.1")
    assert (reaction.outcome, reaction.onset) == (Outcome.FATAL, date(2024, 1, 2))


def test_an_event_of_release_4_has_the_fields_of_its_case(tmp_path: Path) -> None:
    (report,) = _read(tmp_path, RELEASE_4, PATIENT, IMMUNIZATION)
    assert isinstance(report, Report)
    assert (report.case_id, report.version) == ("FHIR-US-2", 1)
    assert report.patient.age_years == 1.5
    assert report.seriousness == (Seriousness.DEATH, Seriousness.LIFE_THREATENING)
    assert report.reactions[0].outcome is Outcome.NOT_RECOVERED
    assert report.products[0].substances == ("ALFA",)


def test_events_of_one_case_are_one_report(tmp_path: Path) -> None:
    other = RELEASE_5 | {
        "id": "ae9",
        "code": {"text": "Fever"},
        "recordedDate": "2024-01-03",
        "seriousness": {"coding": [{"code": "34"}]},
    }
    (report,) = _read(tmp_path, RELEASE_5, other, IMMUNIZATION)
    assert isinstance(report, Report)
    assert [one.term for one in report.reactions] == ["Rash", "Fever"]
    assert len(report.products) == 2
    assert report.first_received == date(2024, 1, 3)
    assert report.seriousness == (Seriousness.HOSPITALISATION, Seriousness.DEATH)


def test_a_bundle_in_a_bundle_is_a_message(tmp_path: Path) -> None:
    entries = [{"resource": RELEASE_4}, {"resource": PATIENT}]
    message = {"resourceType": "Bundle", "type": "message", "entry": entries}
    (report,) = _read(tmp_path, message)
    assert isinstance(report, Report)
    assert (report.case_id, report.patient.sex) == ("FHIR-US-2", Sex.FEMALE)


def test_an_event_entered_in_error_nullifies_its_case(tmp_path: Path) -> None:
    (report,) = _read(tmp_path, RELEASE_5 | {"status": "entered-in-error"})
    assert isinstance(report, Report)
    assert report.revision is not None
    assert report.revision.kind is RevisionKind.NULLIFICATION


def test_values_without_a_counterpart_are_counted(tmp_path: Path) -> None:
    unmapped: Counter[str] = Counter()
    odd = {"seriousness": {"coding": [{"code": "serious"}]}, "outcome": [{"text": "better"}]}
    (report,) = _read(tmp_path, RELEASE_5 | odd, unmapped=unmapped)
    assert isinstance(report, Report)
    assert report.seriousness == ()
    assert unmapped == {"seriousness 'serious'": 1, "outcome 'better'": 1}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"actuality": "potential"}, "actuality: must be 'actual'; got a potential event"),
        ({"identifier": None, "id": None}, "identifier: it, or an id, must be stated; got none"),
        ({"recordedDate": "2024"}, "recordedDate: must be a day; got none"),
        ({"code": {"coding": []}}, "code: "),
        ({"colour": 1}, "colour: Extra inputs are not permitted"),
        ({"subject": 7}, "subject"),
        ({"code": {"text": "x" * 501}}, "term: String should have at most 500 characters"),
    ],
)
def test_an_event_that_is_no_report_is_rejected(
    changed: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    rejected, report = _read(tmp_path, RELEASE_5 | {"id": "x"} | changed, RELEASE_4)
    assert isinstance(report, Report)
    assert isinstance(rejected, Rejected)
    assert rejected.reason.startswith(reason)
    assert (rejected.source, rejected.position) == ("fhir.json", 1)


def test_a_resource_that_is_no_object_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "fhir.json"
    path.write_text('{"resourceType": "Bundle", "entry": [{"resource": 7}, {"a": }]}')
    assert [one.reason for one in read_fhir(path) if isinstance(one, Rejected)] == [
        "resource: must be a JSON object",
        "resource: must be a JSON object",
    ]
