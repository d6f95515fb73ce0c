"""A table becomes reports by its mapping; a reject names line and column."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.rejected import Rejected
from schemas.report import Report
from schemas.vocabulary import (
    Outcome,
    ProductRole,
    RevisionKind,
    Seriousness,
    Sex,
)
from streams.intake.delimited import RowTally
from streams.intake.files import read_source
from streams.intake.mapped.reader import read_mapped

MAPPING = """
[source]
name = "hospitals"
date_formats = ["%d.%m.%Y", "%Y%m%d"]
rows = "ROWS"

[report]
case_id = "case"
version = "version"
first_received = "received"
seriousness = { column = "serious", split = "/", values = { D = "death", H = "hospitalisation" } }
revision = { column = "status", values = { void = "nullification" } }
sender = { value = "St Anna" }

[patient]
age_years = "age"
sex = { column = "sex", values = { W = "female", M = "male" } }

[[products]]
role = { value = "suspect" }
substances = { column = "suspect", split = ";", parts = "+" }
dose = { column = "dose", split = ";" }
dechallenge = "stopped"

[[products]]
role = { value = "concomitant" }
verbatim = { column = "other", split = ";" }

[[reactions]]
term = { column = "events", split = ";" }
outcome = "outcome"
onset = "onset"
dictionary = { value = "MedDRA" }
"""
COLUMNS = (
    *("case", "version", "received", "serious", "status", "age", "sex", "suspect", "dose"),
    *("stopped", "other", "events", "outcome", "onset"),
)
ROW = {
    "case": "1",
    "version": "2",
    "received": "05.01.2026",
    "serious": "D/H",
    "age": "34,5",
    "sex": "w",
    "suspect": "A + B;C",
    "dose": "1 mg",
    "stopped": "yes",
    "other": "D;E",
    "events": "Rash;Pyrexia",
    "outcome": "fatal",
    "onset": "20260104",
}


def _written(folder: Path, *rows: Mapping[str, str], many: bool = False) -> tuple[Path, Path]:
    table, mapping = folder / "a.csv", folder / "m.toml"
    lines = ["|".join(COLUMNS), *("|".join(row.get(name, "") for name in COLUMNS) for row in rows)]
    table.write_text("\n".join(lines) + "\n")
    mapping.write_text(MAPPING.replace("ROWS", "many" if many else "one"))
    return table, mapping


def _reports(items: list[Any]) -> list[Report]:
    return [Report.model_validate_json(item) for item in items if isinstance(item, bytes)]


def _read(folder: Path, *rows: Mapping[str, str], many: bool = False, **counts: Any) -> list[Any]:
    return [item for _, item in read_mapped(*_written(folder, *rows, many=many), **counts)]


def test_a_row_is_a_report(tmp_path: Path) -> None:
    table, mapping = _written(tmp_path, ROW)
    items = list(read_source(table, mapping=mapping))
    assert [number for number, _ in items] == [2]
    (report,) = _reports([item for _, item in items])
    assert (report.case_id, report.version, report.source) == ("1", 2, "hospitals")
    assert report.sender == "St Anna"
    assert report.first_received.isoformat() == report.latest_received.isoformat() == "2026-01-05"
    assert report.seriousness == (Seriousness.DEATH, Seriousness.HOSPITALISATION)
    assert (report.patient.age_years, report.patient.sex) == (34.5, Sex.FEMALE)
    assert [(one.role, one.substances, one.verbatim, one.dose) for one in report.products] == [
        (ProductRole.SUSPECT, ("A", "B"), None, "1 mg"),
        (ProductRole.SUSPECT, ("C",), None, None),
        (ProductRole.CONCOMITANT, (), "D", None),
        (ProductRole.CONCOMITANT, (), "E", None),
    ]
    assert [one.dechallenge for one in report.products] == [True, True, None, None]
    assert [(one.term, one.outcome, one.dictionary) for one in report.reactions] == [
        ("Rash", Outcome.FATAL, "MedDRA"),
        ("Pyrexia", Outcome.FATAL, "MedDRA"),
    ]


def test_a_void_case_is_nullified_with_its_reason(tmp_path: Path) -> None:
    (report,) = _reports(_read(tmp_path, ROW | {"status": "Void"}))
    assert report.revision is not None
    assert report.revision.kind is RevisionKind.NULLIFICATION
    assert report.revision.reason == "stated by the column status"


def test_rows_of_one_report_are_united(tmp_path: Path) -> None:
    tally = RowTally()
    other = ROW | {"suspect": "F", "other": "D", "events": "Nausea"}
    items = _read(tmp_path, ROW, other, ROW | {"case": "2"}, many=True, tally=tally)
    first, second = _reports(items)
    assert [one.substances for one in first.products] == [("A", "B"), ("C",), (), (), ("F",)]
    assert [one.term for one in first.reactions] == ["Rash", "Pyrexia", "Nausea"]
    assert second.case_id == "2"
    assert tally.left_out == {"is another row of its report": 1}
    assert tally.rows == {"a.csv": 3}


def test_values_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    unmapped: Counter[str] = Counter()
    row = ROW | {"age": "old", "sex": "x", "stopped": "perhaps", "onset": "2026", "serious": "Q"}
    (report,) = _reports(_read(tmp_path, row, unmapped=unmapped))
    assert (report.patient.age_years, report.patient.sex) == (None, Sex.UNKNOWN)
    assert unmapped == {
        "age 'old'": 1,
        "sex 'x'": 1,
        "stopped 'perhaps'": 2,
        "onset '2026'": 2,
        "serious 'Q'": 1,
    }


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"case": ""}, "column 'case' (case_id): must be stated; got 'none'"),
        (
            {"received": "2026-01-05"},
            "column 'received' (first_received): must be a date as in date_formats; got '2026-",
        ),
        ({"age": "151"}, "column 'age' (patient.age_years): Input should be less than or equal"),
        ({"received": "05.01.1899"}, "column 'received' (first_received): "),
    ],
)
def test_a_row_that_is_no_report_is_rejected(
    changed: dict[str, str], reason: str, tmp_path: Path
) -> None:
    good, rejected = _read(tmp_path, ROW, ROW | changed)
    assert isinstance(good, bytes)
    assert isinstance(rejected, Rejected)
    assert rejected.reason.startswith(reason)
    assert (rejected.source, rejected.position) == ("a.csv", 3)
    assert rejected.raw == "|".join((ROW | changed).get(name, "") for name in COLUMNS).encode()


def test_a_damaged_row_is_rejected(tmp_path: Path) -> None:
    table, mapping = _written(tmp_path, ROW)
    table.write_text(table.read_text() + "1|2\n")
    good, rejected = (item for _, item in read_mapped(table, mapping))
    assert isinstance(good, bytes)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == f"a row must have {len(COLUMNS)} fields; got 2"


def test_parquet_gives_the_same_reports(tmp_path: Path) -> None:
    table, mapping = _written(tmp_path, ROW)
    frame = pl.DataFrame([{name: ROW.get(name) for name in COLUMNS}])
    frame.write_parquet(tmp_path / "a.parquet")
    of_csv = _reports([item for _, item in read_mapped(table, mapping)])
    of_parquet = _reports([item for _, item in read_mapped(tmp_path / "a.parquet", mapping)])
    assert of_csv == of_parquet
