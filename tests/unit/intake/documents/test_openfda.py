"""openFDA events become reports; what has no counterpart is counted, what is wrong rejected."""

import gzip
import json
import zipfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.rejected import Rejected
from schemas.report import Report
from schemas.vocabulary import (
    ActionTaken,
    AgeGroup,
    Outcome,
    ProductRole,
    Qualification,
    ReporterKind,
    ReportType,
    Seriousness,
    Sex,
)
from streams.intake.documents.openfda import read_openfda
from streams.intake.files import read_source
from streams.intake.formats import detect_format

DRUG: dict[str, Any] = {
    "medicinalproduct": "ALFADRUG TABLETS",
    "drugcharacterization": "1",
    "activesubstance": {"activesubstancename": "ALFA\\BETA"},
    "openfda": {"brand_name": ["skipped"]},
}
EVENT: dict[str, Any] = {
    "safetyreportid": "10003300",
    "safetyreportversion": "2",
    "receivedate": "20140306",
    "receiptdate": "20140312",
    "patient": {"drug": [DRUG], "reaction": [{"reactionmeddrapt": "Nausea"}]},
}


def _written(path: Path, *events: Any, indent: int | None = None) -> Path:
    document = {"meta": {"results": {"total": len(events)}}, "results": events}
    path.write_text(json.dumps(document, indent=indent))
    return path


def _read(folder: Path, *events: Any, unmapped: Counter[str] | None = None) -> list[Any]:
    return list(read_openfda(_written(folder / "a.json", *events), unmapped))


def test_an_event_has_the_fields_of_its_case(tmp_path: Path) -> None:
    drug = DRUG | {
        "drugindication": "PAIN",
        "drugadministrationroute": "048",
        "drugdosagetext": "10 MG",
        "drugbatchnumb": "L1",
        "drugauthorizationnumb": "021042",
        "drugstartdate": "20140101",
        "drugenddate": "201402",
        "actiondrug": "1",
        "drugrecurreadministration": "2",
    }
    reaction = {
        "reactionmeddrapt": "Rash",
        "reactionmeddraversionpt": "17.0",
        "reactionoutcome": "5",
    }
    (report,) = _read(
        tmp_path,
        EVENT
        | {
            "companynumb": "US-X-1",
            "occurcountry": "JP",
            "primarysourcecountry": "US",
            "reporttype": "1",
            "seriousnessdeath": "1",
            "seriousnessother": "1",
            "seriousnessdisabling": "2",
            "primarysource": {"qualification": "1", "reportercountry": "UNITED STATES"},
            "reportduplicate": [{"duplicatesource": "X", "duplicatenumb": "US-X-1"}],
            "patient": {
                "patientonsetage": "18",
                "patientonsetageunit": "802",
                "patientagegroup": "2",
                "patientsex": "2",
                "patientweight": "11.5",
                "drug": [drug, DRUG | {"drugcharacterization": "3", "activesubstance": None}],
                "reaction": [reaction],
            },
        },
    )
    assert isinstance(report, Report)
    assert (report.case_id, report.version, report.source) == ("FAERS-10003300", 2, "openfda")
    assert (report.first_received, report.latest_received) == (
        date(2014, 3, 6),
        date(2014, 3, 12),
    )
    assert (report.sender, report.sender_case_id) == ("X", "US-X-1")
    assert (report.occurrence_country, report.report_type) == ("JP", ReportType.SPONTANEOUS)
    assert report.seriousness == (Seriousness.DEATH, Seriousness.MEDICALLY_IMPORTANT)
    assert report.reporter.kind is ReporterKind.PHYSICIAN
    assert report.reporter.qualification is Qualification.PHYSICIAN
    assert report.reporter.country == "US"
    patient = report.patient
    assert (patient.age_years, patient.age_group) == (1.5, AgeGroup.INFANT)
    assert (patient.sex, patient.weight_kg) == (Sex.FEMALE, 11.5)
    first, second = report.products
    assert first.substances == ("ALFA", "BETA")
    assert (first.verbatim, first.indication, first.route) == ("ALFADRUG TABLETS", "PAIN", "048")
    assert (first.dose, first.lot, first.licence) == ("10 MG", "L1", "021042")
    assert (first.first_given, first.last_given) == (date(2014, 1, 1), None)
    assert (first.action_taken, first.rechallenge) == (ActionTaken.WITHDRAWN, False)
    assert (second.role, second.substances) == (ProductRole.INTERACTING, ("ALFADRUG TABLETS",))
    (found,) = report.reactions
    assert (found.term, found.dictionary_version) == ("Rash", "17.0")
    assert found.outcome is Outcome.FATAL


def test_a_number_with_a_check_digit_is_no_case_number(tmp_path: Path) -> None:
    (report,) = _read(tmp_path, EVENT | {"safetyreportid": "4562564-7"})
    assert report.case_id == "AERS-4562564-7"


def test_an_earlier_receipt_is_that_of_the_first(tmp_path: Path) -> None:
    (report,) = _read(tmp_path, EVENT | {"receiptdate": "20030407"})
    assert report.first_received == report.latest_received == date(2014, 3, 6)


@pytest.mark.parametrize("indent", [None, 2])
def test_downloads_are_known_by_their_content(indent: int | None, tmp_path: Path) -> None:
    plain = _written(tmp_path / "download", EVENT, EVENT, indent=indent)
    packed = tmp_path / "a.json.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    zipped = tmp_path / "drug-event-0001-of-0001.json.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(plain, "drug-event-0001-of-0001.json")
    for path in (plain, packed, zipped):
        assert detect_format(path) == "openfda"
        assert [number for number, _ in read_source(path)] == [1, 2]


def test_a_single_event_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps(EVENT, indent=2))
    ((_, report),) = read_source(tmp_path / "event.json")
    assert isinstance(report, Report)


def test_values_without_a_counterpart_are_counted(tmp_path: Path) -> None:
    unmapped: Counter[str] = Counter()
    patient = {
        "patientsex": "7",
        "drug": [DRUG | {"drugcharacterization": "9"}, DRUG | {"drugcharacterization": "9"}],
        "reaction": [{"reactionmeddrapt": " "}, {"reactionmeddrapt": "Rash"}],
    }
    (report,) = _read(tmp_path, EVENT | {"patient": patient}, unmapped=unmapped)
    assert [product.role for product in report.products] == [ProductRole.CONCOMITANT] * 2
    assert [reaction.term for reaction in report.reactions] == ["Rash"]
    assert unmapped == {
        "patient.patientsex '7'": 1,
        "patient.drug.drugcharacterization '9'": 2,
        "patient.reaction.reactionmeddrapt ''": 1,
    }


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"safetyreportid": None}, "safetyreportid must be stated; got none"),
        ({"safetyreportversion": "two"}, "safetyreportversion must be a number; got 'two'"),
        ({"receivedate": "2014", "receiptdate": None}, "receivedate or receiptdate must be YYYY"),
        ({"patient": 7}, "event: Expected"),
        ({"receivedate": "18990101", "receiptdate": "1"}, "receivedate or receiptdate must be"),
        (
            {"patient": {"reaction": [{"reactionmeddrapt": "x" * 501}]}},
            "term: String should have at most 500 characters",
        ),
    ],
)
def test_an_event_that_is_no_report_is_rejected(
    changed: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    rejected, report = _read(tmp_path, EVENT | changed, EVENT)
    assert isinstance(report, Report)
    assert isinstance(rejected, Rejected)
    assert rejected.reason.startswith(reason)
    assert (rejected.source, rejected.position) == ("a.json", 1)
    assert json.loads(rejected.raw) == EVENT | changed
