"""MAUDE: tables in zip files of their own, or JSON documents of openFDA; one event counts once."""

import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.rejected import Rejected
from schemas.report import OtherId, Report
from schemas.vocabulary import Qualification, Seriousness, Sex
from streams.intake.authorities.maude import read_maude
from streams.intake.files import read_source
from streams.intake.formats import detect_format

MASTER = "MDR_REPORT_KEY|EVENT_KEY|REPORT_NUMBER|DATE_RECEIVED|HEALTH_PROFESSIONAL|EVENT_TYPE"
EVENT = "7|70|M-7|08/01/2004|Y|IN"
DEVICES = "MDR_REPORT_KEY|BRAND_NAME|GENERIC_NAME|MANUFACTURER_D_NAME|LOT_NUMBER"
DEVICES += "|DEVICE_REPORT_PRODUCT_CODE"
PATIENTS = "MDR_REPORT_KEY|PATIENT_SEQUENCE_NUMBER|SEQUENCE_NUMBER_OUTCOME|PATIENT_AGE|PATIENT_SEX"
TABLES: Mapping[str, list[str]] = {
    "mdrfoi.txt": [MASTER, EVENT],
    "device2004.txt": [DEVICES, "7|PUMP ONE|PUMP|ACME|UNK|JPA"],
    "patient.txt": [PATIENTS, "7|1|1. L; 2. R|45 YR|Female"],
    "foidevproblem.txt": ["MDR_REPORT_KEY|DEVICE_PROBLEM_CODE", "7|1008"],
    "deviceproblemcodes.csv": ["CODE,NAME,X", '1008,"Break, complete",x'],
    "patientproblemcode.txt": ["MDR_REPORT_KEY|PROBLEM_CODE", "7|2001"],
}
JSON_EVENT: dict[str, Any] = {
    "mdr_report_key": "7",
    "event_key": "70",
    "date_received": "20040801",
    "event_type": "Death",
    "health_professional": "N",
    "device": [{"generic_name": "PUMP", "lot_number": "L1"}],
    "patient": [
        {"sequence_number_outcome": ["1, Life Threatening"], "patient_problems": ["Pain", ""]}
    ],
    "product_problems": ["Leak"],
    "mdr_text": [{"text": "not read"}],
}


def _folder(folder: Path, **changed: list[str]) -> Path:
    """Write each table into a zip file of its own, as FDA does; the master table as it is."""
    folder.mkdir(exist_ok=True)
    for name, usual in TABLES.items():
        lines = changed.get(name.partition(".")[0], usual)
        text = "".join(f"{line}\r\n" for line in lines)
        if name == "mdrfoi.txt":
            (folder / name).write_text(text)
        else:
            with zipfile.ZipFile(folder / f"{name}.zip", "w") as packed:
                packed.writestr(name, text)
    return folder


def _read(path: Path, unmapped: Counter[str] | None = None) -> list[Report | Rejected]:
    return list(read_maude(path, unmapped))


def test_a_folder_of_zip_files_gives_the_events(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "maude")
    assert detect_format(folder) == "maude"
    (report,) = _read(folder)
    assert isinstance(report, Report)
    assert (report.case_id, report.source) == ("MAUDE-7", "maude")
    assert report.first_received == report.latest_received == date(2004, 8, 1)
    assert report.sender_case_id == "M-7"
    assert report.other_ids == (OtherId(source="MAUDE event", case_id="70"),)
    assert report.reporter.qualification is Qualification.OTHER_HEALTH_PROFESSIONAL
    assert (report.patient.age_years, report.patient.sex) == (45.0, Sex.FEMALE)
    assert report.seriousness == (Seriousness.LIFE_THREATENING, Seriousness.MEDICALLY_IMPORTANT)
    (product,) = report.products
    assert (product.substances, product.verbatim) == (("PUMP",), "PUMP ONE")
    assert (product.manufacturer, product.lot, product.product_class) == ("ACME", None, "JPA")
    assert [(one.term, one.dictionary) for one in report.reactions] == [
        ("2001", "FDA patient problems"),
        ("Break, complete", "FDA device problems"),
    ]


def test_a_document_gives_the_events(tmp_path: Path) -> None:
    path = tmp_path / "device-event.json"
    path.write_text(json.dumps({"meta": {}, "results": [JSON_EVENT, {"mdr_report_key": "x"}]}))
    assert detect_format(path) == "maude"
    (_, report), (_, rejected) = read_source(path)
    assert isinstance(report, Report)
    assert (report.case_id, report.products[0].lot) == ("MAUDE-7", "L1")
    assert report.seriousness == (Seriousness.DEATH, Seriousness.LIFE_THREATENING)
    assert [one.term for one in report.reactions] == ["Pain", "Leak"]
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "mdr_report_key must be a number; got 'x'"
    assert rejected.position == 2


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"date_received": "2004"}, "date_received must be YYYYMMDD; got '2004'"),
        ({"device": 7}, "event: Expected"),
        ({"product_problems": ["x" * 501]}, "term: String should have at most 500"),
    ],
)
def test_a_document_with_a_wrong_event_has_a_reject(
    changed: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(JSON_EVENT | changed, indent=1))
    (rejected,) = _read(path)
    assert isinstance(rejected, Rejected)
    assert rejected.reason.startswith(reason)


def test_values_without_a_counterpart_are_counted(tmp_path: Path) -> None:
    unmapped: Counter[str] = Counter()
    folder = _folder(
        tmp_path / "maude",
        mdrfoi=[MASTER, EVENT.replace("IN", "ODD")],
        patient=[PATIENTS, "7|1|1. Z||"],
    )
    (report,) = _read(folder, unmapped)
    assert isinstance(report, Report)
    assert report.seriousness == ()
    assert unmapped == {"event_type 'ODD'": 1, "outcome 'Z'": 1}


@pytest.mark.parametrize(
    ("table", "line", "reason"),
    [
        ("mdrfoi", "x|70|M-7|08/01/2004|Y|IN", "MDR_REPORT_KEY must be a number; got 'x'"),
        ("mdrfoi", "8|70|M-7|2004|Y|IN", "DATE_RECEIVED must be MM/DD/YYYY; got '2004'"),
        ("mdrfoi", EVENT.replace("IN", "D"), "MDR_REPORT_KEY must be that of one row"),
        ("mdrfoi", "8|70", "a row must have 6 fields and no '|' inside; got 2"),
        ("device2004", "9|A|B|C|D|E", "a device row must have a readable report; got none"),
        ("patientproblemcode", "9|1", "a patient problem row must have a readable report"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected(
    table: str, line: str, reason: str, tmp_path: Path
) -> None:
    usual = next(lines for name, lines in TABLES.items() if name.startswith(table))
    found = _read(_folder(tmp_path / "maude", **{table: [*usual, line]}))
    (rejected,) = (one for one in found if isinstance(one, Rejected))
    assert len(found) == 2
    assert rejected.reason.startswith(reason)
    assert (rejected.position, rejected.raw) == (3, line.encode())


def test_tables_without_the_master_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "foidev.txt").write_text(f"{DEVICES}\n")
    (tmp_path / "event.json").write_text(json.dumps(JSON_EVENT))
    assert detect_format(tmp_path) == "maude"
    with pytest.raises(InputError, match=r"must hold the master table, mdrfoi\*\.txt"):
        _read(tmp_path)
