"""Every row of a source is accounted for: a case, a further report, a repeat, or a reject."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from streams.runtime.operations.source_account import account_of
from tests.support.archives import ArchiveOf
from tests.support.faers_quarters import CURRENT, members
from tests.support.reports import make_report
from tests.support.vaers_files import DATA, SYMPTOMS, VAX, data_row, symptoms_row, vax_row
from tests.support.versions import make_marker

HORIZON = date(2029, 1, 1)  # after the day on which the archives are written


def test_lines_are_cases_further_reports_or_rejects(tmp_path: Path) -> None:
    reports = [
        make_report("A"),
        make_report("A", version=2),
        make_report("A"),
        make_report("B", drugs=[]),
        make_report("L", latest_received=date(2030, 1, 1)),
    ]
    lines = [one.model_dump_json() for one in (*reports, make_marker(6))]
    path = tmp_path / "reports.jsonl"
    path.write_text("\n".join([*lines, "no report"]))
    account = account_of(path, horizon=HORIZON)
    assert (account.source_format, account.rows, account.rejected) == ("native", 6, 2)
    assert (account.counted, account.further) == (1, 2)
    assert account.excluded == Counter({"no_suspect_product": 1})
    assert (account.unexplained, account.others_rejected) == (0, 0)


def test_rows_of_vaers_are_those_of_data(archive_of: ArchiveOf) -> None:
    rows = [data_row("1"), data_row("1"), data_row("2"), data_row("x"), data_row("1", sex="F")]
    path = archive_of(
        "2024.zip",
        {
            "1990VAERSDATA.csv": f"{DATA}\r\n{''.join(rows)}",
            "1990VAERSVAX.csv": f"{VAX}\r\n{vax_row('1')}{vax_row('9')}",
            "1990VAERSSYMPTOMS.csv": f"{SYMPTOMS}\r\n{symptoms_row('1')}",
        },
    )
    account = account_of(path, horizon=HORIZON)
    assert (account.rows, account.rejected, account.others_rejected) == (5, 2, 1)
    assert account.left_out == Counter({"repeats another row": 1})
    assert (account.counted, account.excluded.total(), account.unexplained) == (1, 1, 0)


def test_rows_of_faers_are_those_of_demo_and_of_the_deletion_list(archive_of: ArchiveOf) -> None:
    tables = members(CURRENT, "17Q2", {"DEMO": [{}], "DRUG": [{"drugname": "A"}]})
    path = archive_of("f.zip", {**tables, "Deleted/DELETE17Q2.txt": " \n7\n7\nx\n"})
    account = account_of(path, horizon=HORIZON)
    assert (account.rows, account.rejected, account.left_out.total()) == (4, 1, 1)
    assert (account.counted + account.excluded.total(), account.unexplained) == (2, 0)


def test_values_that_are_not_mapped_are_counted(tmp_path: Path) -> None:
    event = {"safetyreportid": "1", "receivedate": "20140306", "patient": {"patientsex": "9"}}
    (tmp_path / "a.json").write_text(json.dumps({"results": [event]}))
    account = account_of(tmp_path / "a.json", horizon=HORIZON)
    assert account.unmapped == {"patient.patientsex '9'": 1}
    assert (account.rows, account.unexplained) == (1, 0)


@pytest.mark.parametrize("rows", [9, 11])
def test_a_row_of_which_nothing_became_is_unexplained(rows: int, tmp_path: Path) -> None:
    lines = [make_report(str(number)).model_dump_json() for number in range(10)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    account = account_of(tmp_path / "a.jsonl", horizon=HORIZON)
    assert account.unexplained == 0
    assert replace(account, rows=rows).unexplained == rows - 10
