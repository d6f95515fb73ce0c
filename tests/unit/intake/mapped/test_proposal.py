"""A proposed mapping reads the table that it was made from."""

from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.report import Report
from streams.intake.mapped.mapping import load_mapping
from streams.intake.mapped.proposal import propose_mapping
from streams.intake.mapped.reader import read_mapped

TABLE = """Case-ID;Date received;Gender;Age;Drug;Preferred term;Outcome;Colour "x"
1;05.01.2026;W;34;A;Rash|Pyrexia;fatal;red
2;16.01.2026;M;x;B;Rash;5;
3;17.01.2026;F;60;B;Rash;odd;
"""


def _proposed(folder: Path, text: str) -> str:
    (folder / "a.csv").write_text(text, encoding="utf-8")
    proposed = propose_mapping(folder / "a.csv")
    (folder / "m.toml").write_text(proposed, encoding="utf-8")
    return proposed


def test_a_proposal_reads_its_table(tmp_path: Path) -> None:
    proposed = _proposed(tmp_path, TABLE)
    mapping = load_mapping(tmp_path / "m.toml")
    assert mapping.date_formats == ("%d.%m.%Y",)
    assert {place: column for place, column in mapping.columns()} == {
        "report.case_id": "case-id",
        "report.first_received": "date received",
        "patient.sex": "gender",
        "patient.age_years": "age",
        "products.substances": "drug",
        "reactions.term": "preferred term",
        "reactions.outcome": "outcome",
    }
    assert '# Columns without a field: "colour \\"x\\""' in proposed
    assert '# check: "odd"' in proposed
    items = [item for _, item in read_mapped(tmp_path / "a.csv", tmp_path / "m.toml")]
    reports = [Report.model_validate_json(item) for item in items if isinstance(item, bytes)]
    assert [report.patient.sex.value for report in reports] == ["female", "male", "female"]
    assert [len(report.reactions) for report in reports] == [2, 1, 1]
    assert [report.reactions[0].outcome.value for report in reports[:2]] == ["fatal", "fatal"]


def test_repeated_cases_are_reports_of_many_rows(tmp_path: Path) -> None:
    proposed = _proposed(
        tmp_path, "case,received,drug,event\n1,20240102,A,Rash\n1,20240102,B,Rash\n"
    )
    assert 'rows = "many"  # check: cases repeat' in proposed
    assert load_mapping(tmp_path / "m.toml").many_rows


def test_days_that_may_be_months_are_marked(tmp_path: Path) -> None:
    proposed = _proposed(tmp_path, "case,received,drug,event\n1,01/02/2024,A,Rash\n")
    assert 'date_formats = ["%d/%m/%Y"]  # check: day or month first' in proposed


def test_a_hostile_name_stays_within_its_line(tmp_path: Path) -> None:
    _proposed(tmp_path, 'case,received,drug,event,"x"" = \\ \x1b[1m"\n1,20240102,A,Rash,x\n')
    assert load_mapping(tmp_path / "m.toml").sections["report"]["case_id"].column == "case"


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        _proposed(tmp_path, "price,colour\n1,red\n")
    says = "a column must look like report.case_id and report.first_received; got price, colour"
    assert says in str(refused.value)
