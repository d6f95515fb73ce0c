"""`tocsin map init` proposes a mapping file, by which the table is read."""

from pathlib import Path

import pytest

from tests.support.cli import Run, require_refused

TABLE = "case,received,drug,event\n1,20240102,A,Rash\n2,20240103,A,Rash\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text(TABLE)
    return tmp_path / "a.csv"


def test_a_proposal_is_printed_or_written(run: Run, table: Path) -> None:
    printed = run("map init a.csv")
    assert printed.code == 0
    assert run("map init a.csv -o m.toml").code == 0
    assert (table.parent / "m.toml").read_text() == printed.out
    counted = run("replay a.csv --mapping m.toml")
    assert counted.code == 0
    assert ["cases counted", "2"] in counted.rows()
    assert ["unexplained", "0"] in run("validate a.csv --mapping m.toml").rows()


def test_the_table_is_not_overwritten(run: Run, table: Path) -> None:
    require_refused(run("map init a.csv -o a.csv"), "a file to write must be another than ")
    assert table.read_text() == TABLE


def test_a_wrong_mapping_ends_with_one_line(run: Run, table: Path) -> None:
    run("map init a.csv -o m.toml")
    mapping = table.parent / "m.toml"
    mapping.write_text(mapping.read_text().replace('"drug"', '"drugs"'))
    require_refused(run("replay a.csv --mapping m.toml"), "perhaps 'drug' is meant")
