"""Line listings of EudraVigilance: lists in one field, two byte order marks."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.vocabulary import (
    ActionTaken,
    AgeGroup,
    Outcome,
    ProductRole,
    Qualification,
    ReportType,
    Seriousness,
    Sex,
)
from streams.intake.authorities.eudravigilance import read_line_listing
from streams.intake.formats import detect_format
from tests.support.archives import ArchiveOf

_USE = "(Drug Char - Indication PT - Action taken - [Duration - Dose - Route])"
COLUMNS = (
    *("EU Local Number", "Report Type", "EV Gateway Receipt Date", "Primary Source Qualification"),
    *("Primary Source Country for Regulatory Purposes", "Literature Reference"),
    *("Patient Age Group", "Patient Age Group (as per reporter)", "Parent Child Report"),
    *("Patient Sex", "Reaction List PT (Duration – Outcome - Seriousness Criteria)"),
    *(f"Suspect/interacting Drug List {_USE}", f"Concomitant/Not Administered Drug List {_USE}"),
    "ICSR Form",
)
ROW = {
    "EU Local Number": "EU-EC-1",
    "Report Type": "Spontaneous",
    "EV Gateway Receipt Date": "2024-03-31 23:30:00",
    "Primary Source Qualification": "Healthcare Professional",
    "Patient Age Group": "18-64 Years",
    "Patient Sex": "Female",
    COLUMNS[10]: "Rash (2d - Recovered/Resolved - ),<BR><BR>"
    "Marrow failure (NOS), aplastic (n/a - Fatal - Results in Death, Life Threatening)",
    COLUMNS[11]: "ALFA FORTE [ALFADRUG, BETADRUG] (S - Non-small cell lung cancer - Drug withdrawn"
    " - [1d - 10mg - Oral]),<BR><BR>GAMMADRUG (I - n/a - Unknown - [n/a - n/a - n/a])",
    COLUMNS[
        12
    ]: "DELTA [DELTA] (C - Pain - Dose not changed - [1d - 5mg - Oral], [2d - 6mg - n/a])",
}


def _line(**changed: str) -> str:
    values = ROW | {name: changed[key] for key, name in _NAMES.items() if key in changed}
    return ",".join(f'"{values.get(name, "")}"' for name in COLUMNS)


_NAMES = {
    "number": COLUMNS[0],
    "day": COLUMNS[2],
    "sex": COLUMNS[9],
    "reactions": COLUMNS[10],
    "suspects": COLUMNS[11],
    "others": COLUMNS[12],
}


def _written(folder: Path, *lines: str) -> Path:
    path = folder / "listing.csv"
    header = ",".join(f'"{name}"' for name in COLUMNS)
    path.write_text("\ufeff\ufeff" + "\r\n".join((header, *lines)) + "\r\n", encoding="utf-8")
    return path


def _read(
    folder: Path, *lines: str, unmapped: Counter[str] | None = None
) -> list[Report | Rejected]:
    return list(read_line_listing(_written(folder, *lines), unmapped))


def test_a_row_has_the_fields_of_its_case(tmp_path: Path) -> None:
    assert detect_format(_written(tmp_path, _line())) == "eudravigilance"
    (report,) = _read(tmp_path, _line())
    assert isinstance(report, Report)
    assert (report.case_id, report.source) == ("EV-EU-EC-1", "eudravigilance")
    assert report.first_received == report.latest_received == date(2024, 3, 31)
    assert report.report_type is ReportType.SPONTANEOUS
    assert report.reporter.qualification is Qualification.OTHER_HEALTH_PROFESSIONAL
    assert (report.patient.age_group, report.patient.sex) == (AgeGroup.ADULT, Sex.FEMALE)
    assert [(one.term, one.outcome) for one in report.reactions] == [
        ("Rash", Outcome.RECOVERED),
        ("Marrow failure (NOS), aplastic", Outcome.FATAL),
    ]
    assert report.seriousness == (Seriousness.DEATH, Seriousness.LIFE_THREATENING)
    first, second, third = report.products
    assert first.substances == ("ALFADRUG", "BETADRUG")
    assert (first.verbatim, first.indication) == ("ALFA FORTE", "Non-small cell lung cancer")
    assert (first.role, first.action_taken) == (ProductRole.SUSPECT, ActionTaken.WITHDRAWN)
    assert (first.dose, first.route) == ("10mg", "Oral")
    assert (second.role, second.substances) == (ProductRole.INTERACTING, ("GAMMADRUG",))
    assert (second.indication, second.dose, second.route) == (None, None, None)
    assert (third.role, third.dose) == (ProductRole.CONCOMITANT, None)


def test_a_packed_listing_is_known(archive_of: ArchiveOf, tmp_path: Path) -> None:
    packed = archive_of("a.zip", {"listing.csv": _written(tmp_path, _line()).read_bytes()})
    assert detect_format(packed) == "eudravigilance"
    assert len(list(read_line_listing(packed))) == 1


def test_values_without_a_counterpart_are_counted(tmp_path: Path) -> None:
    unmapped: Counter[str] = Counter()
    reactions = "Rash (2d - Better - Bad)"
    (report,) = _read(tmp_path, _line(sex="X", reactions=reactions), unmapped=unmapped)
    assert isinstance(report, Report)
    assert unmapped == {"patient sex 'x'": 1, "outcome 'better'": 1, "seriousness 'bad'": 1}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"number": " "}, "EU Local Number must be stated; got none"),
        ({"day": "31/03/2024"}, "EV Gateway Receipt Date must be YYYY-MM-DD; got '31/03/2024'"),
        ({"day": "2024-02-30"}, "EV Gateway Receipt Date must be YYYY-MM-DD; got '2024-02-30'"),
        ({"reactions": "Rash"}, "a reaction must be 'PT (Duration - Outcome - Seriousness)'"),
        ({"suspects": "ALFA [ALFA]"}, "a drug must be 'NAME [SUBSTANCE] (Char"),
        ({"number": "EU-EC-1", "sex": "Male"}, "EU Local Number must be that of one row"),
    ],
)
def test_a_row_that_is_no_case_is_rejected(
    changed: dict[str, str], reason: str, tmp_path: Path
) -> None:
    rejected, report = _read(tmp_path, _line(), _line(**{"number": "EU-EC-2"} | changed))
    assert isinstance(report, Report)
    assert isinstance(rejected, Rejected)
    assert rejected.reason.startswith(reason)
    assert (rejected.position, rejected.raw) == (
        3,
        _line(**{"number": "EU-EC-2"} | changed).encode(),
    )


def test_an_identical_row_is_ignored(tmp_path: Path) -> None:
    assert len(_read(tmp_path, _line(), _line())) == 1


def test_reports_are_in_order_of_receipt(tmp_path: Path) -> None:
    found = _read(tmp_path, _line(), _line(number="EU-EC-0", day="2024-01-01"))
    assert [one.case_id for one in found if isinstance(one, Report)] == [
        "EV-EU-EC-0",
        "EV-EU-EC-1",
    ]


def test_a_file_without_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("EU Local Number,Reaction List PT\n")
    with pytest.raises(InputError, match="got no ev gateway receipt date, suspect/interacting"):
        list(read_line_listing(path))
