"""Source files as numbered items: undecoded lines, or reports of archives."""

from pathlib import Path

from schemas.report import Report
from streams.intake.files import read_source
from tests.support.archives import ArchiveOf

DATA = "VAERS_ID,RECVDATE,CAGE_YR\n7,02/29/2024,40\n8,03/01/2024,41\n"
VACCINE = "VAERS_ID,VAX_TYPE,VAX_NAME\n7,FLU,FLU (FLUZONE)\n8,FLU,FLU (FLUZONE)\n"
SYMPTOMS = "VAERS_ID,SYMPTOM1\n7,Rash\n8,Fever\n"


def test_lines_are_undecoded_and_numbered_in_file_order(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_bytes(b'{"b": 1}\n\nnot json\n')
    assert list(read_source(path)) == [(1, b'{"b": 1}'), (3, b"not json")]


def test_an_archive_gives_its_reports_numbered(archive_of: ArchiveOf) -> None:
    members = {
        "2024VAERSDATA.csv": DATA,
        "2024VAERSVAX.csv": VACCINE,
        "2024VAERSSYMPTOMS.csv": SYMPTOMS,
    }
    found = list(read_source(archive_of("2024.zip", members)))
    assert [number for number, _ in found] == [1, 2, 3]
    reports = [item for _, item in found if isinstance(item, Report)]
    assert [report.reactions[0].term for report in reports] == ["Rash", "Fever"]


def test_a_given_format_is_not_detected(tmp_path: Path) -> None:
    path = tmp_path / "reports.txt"
    path.write_bytes(b"{}\n")
    assert list(read_source(path, "native")) == [(1, b"{}")]
