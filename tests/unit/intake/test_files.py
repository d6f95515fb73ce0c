"""Source files as numbered items: undecoded lines, or reports of archives."""

import gzip
from pathlib import Path
from random import Random

from schemas.report import Report
from streams.intake.bounded import ReadMeter
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


def test_a_meter_states_the_lines_and_bytes_read_of_a_file_packed_or_not(tmp_path: Path) -> None:
    draw = Random(1)  # so that the packed file is larger than a buffer, too
    content = b"".join(b"%s\n" % draw.randbytes(32).hex().encode() for _ in range(60_000))
    for path, packed in (
        (tmp_path / "reports.jsonl", content),
        (tmp_path / "reports.jsonl.gz", gzip.compress(content)),
    ):
        path.write_bytes(packed)
        meter = ReadMeter()
        items = read_source(path, "native", meter=meter)
        assert meter == ReadMeter()
        assert next(items)[0] == 1
        assert meter.n_lines == 1
        assert 0 < meter.n_bytes < len(packed)
        assert sum(1 for _ in items) == 59_999
        assert meter == ReadMeter(n_bytes=len(packed), n_lines=60_000)


def test_a_meter_has_the_reports_of_an_archive_before_the_first(archive_of: ArchiveOf) -> None:
    members = {
        "2024VAERSDATA.csv": DATA,
        "2024VAERSVAX.csv": VACCINE,
        "2024VAERSSYMPTOMS.csv": SYMPTOMS,
    }
    quarter = {
        "DEMO24Q1.txt": "primaryid$caseid$caseversion$fda_dt\n10$1$1$20240101\n20$2$1$20240102\n",
        "DRUG24Q1.txt": "primaryid$caseid$drug_seq$role_cod$drugname\n10$1$1$PS$A\n20$2$1$PS$B\n",
        "REAC24Q1.txt": "primaryid$caseid$pt\n10$1$Rash\n20$2$Rash\n",
    }
    for path in (archive_of("vaers.zip", members), archive_of("faers.zip", quarter)):
        meter = ReadMeter()
        items = (item for _, item in read_source(path, meter=meter))
        assert isinstance(next(items), Report)
        assert meter.n_reports == 2
        assert meter.n_bytes > path.stat().st_size / 2
