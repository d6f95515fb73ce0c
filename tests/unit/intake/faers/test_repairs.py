"""FAERS quarters, written by hand: rows that share a line, and tables that were published again."""

from collections import Counter
from collections.abc import Sequence

import pytest

from schemas.rejected import Rejected
from schemas.report import Report
from streams.intake.faers.reader import read_faers
from streams.intake.faers.repairs import PARTED, REPLACED
from tests.support.archives import ArchiveOf
from tests.support.faers_quarters import CURRENT, LEGACY, Tables, Values, line, members, split

Files = dict[str, str | bytes]
Read = tuple[dict[str, Report], list[Rejected], Counter[str]]


def legacy_demo(isr: str) -> Values:
    return {"isr": isr, "case": isr[1:], "fda_dt": "20110405"}


def current_demo(case: str, **values: str) -> Values:
    return {"primaryid": f"{case}1", "caseid": case, "caseversion": "1"} | values


def of_current(case: str, **values: str) -> Values:
    return {"primaryid": f"{case}1", "caseid": case} | values


def read(archive_of: ArchiveOf, files: Files) -> Read:
    repairs: Counter[str] = Counter()
    reports, rejects = split(read_faers(archive_of("q.zip", files), repairs))
    assert len(reports) == len({report.case_id for report in reports})
    return {report.case_id: report for report in reports}, rejects, +repairs


def drugs(report: Report) -> list[str]:
    return [name for product in report.products for name in product.substances]


@pytest.mark.parametrize(
    "between",
    ["", "$"],  # the line end was lost with the '$' before it, or without
    ids=["glued", "whole"],
)
@pytest.mark.parametrize("end", ["", "$"], ids=["bare", "trailing"])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_legacy_rows_that_share_a_line_are_parted(
    n: int, end: str, between: str, archive_of: ArchiveOf
) -> None:
    keys = [f"70000{number:02}" for number in range(n)]
    rows = [
        line(LEGACY, "DRUG", {"isr": key, "drug_seq": "103", "drugname": f"D{key}"}) for key in keys
    ]
    tables: Tables = {
        "DEMO": [legacy_demo(key) for key in keys],
        "DRUG": [between.join(rows)],
    }
    files = members(LEGACY, "11Q2", tables, surplus=end)

    reports, rejects, repairs = read(archive_of, files)

    assert rejects == []
    assert [drugs(report) for report in reports.values()] == [[f"D{key}"] for key in keys]
    assert [product.lot for report in reports.values() for product in report.products] == [None] * n
    assert repairs == {PARTED: n}


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("DRUG", {"drugname": "ZINC", "dose_freq": "QD"}),
        ("REAC", {"pt": "Rash", "drug_rec_act": "Rash"}),
        ("REAC", {"pt": "Rash"}),
        ("OUTC", {"outc_cod": "DE"}),
        ("RPSR", {"rpsr_cod": "HP"}),
        ("INDI", {"indi_drug_seq": "1", "indi_pt": "Pain"}),
        ("THER", {"dsg_drug_seq": "1", "start_dt": "20170220", "dur_cod": "DAY"}),
    ],
)
def test_current_rows_of_every_table_are_parted(
    table: str, values: Values, archive_of: ArchiveOf
) -> None:
    cases = ["2001", "2002"]
    apart: list[Values | str] = [of_current(case) | values for case in cases]
    tables: Tables = {"DEMO": [current_demo(case) for case in cases], table: apart}
    if table != "DRUG":
        tables["DRUG"] = [of_current(case, drug_seq="1", drugname="ZINC") for case in cases]
    expected, _, none = read(archive_of, members(CURRENT, "17Q2", tables))
    joined = "".join(line(CURRENT, table, row) for row in apart)
    tables |= {table: [joined]}

    reports, rejects, repairs = read(archive_of, members(CURRENT, "17Q2", tables))

    assert rejects == []
    assert reports == expected
    assert (none, repairs) == ({}, {PARTED: 2})


@pytest.mark.parametrize("between", ["", "$"])
def test_demo_rows_that_share_a_line_are_parted(between: str, archive_of: ArchiveOf) -> None:
    rows = [
        line(CURRENT, "DEMO", current_demo(case, occr_country="JP", sex=sex))
        for case, sex in (("2001", "F"), ("2002", "M"))
    ]
    tables: Tables = {"DEMO": [between.join(rows)], "REAC": [of_current("2002", pt="Rash")] * 1001}

    reports, [rejected], repairs = read(archive_of, members(CURRENT, "17Q2", tables))

    assert [(case, report.patient.sex) for case, report in reports.items()] == [
        ("FAERS-2001", "female")
    ]
    # Of a line with two reports only the refused one is rejected.
    assert (rejected.position, rejected.raw) == (2, rows[1].encode())
    assert repairs == {PARTED: 2}


def test_legacy_demo_rows_that_share_a_line_are_parted(archive_of: ArchiveOf) -> None:
    rows = [line(LEGACY, "DEMO", legacy_demo(isr)) for isr in ("7000001", "7000002")]

    reports, rejects, _ = read(
        archive_of, members(LEGACY, "11Q2", {"DEMO": ["".join(rows)]}, surplus="$")
    )

    assert sorted(reports) == ["FAERS-1", "FAERS-2"]
    assert rejects == []


BETA = {"isr": "7000002", "drug_seq": "102", "drugname": "BETA"}
GAMMA = {"isr": "7000003", "drug_seq": "103", "drugname": "GAMMA"}


@pytest.mark.parametrize(
    "rows",
    [
        [BETA, GAMMA | {"isr": "7999999"}],  # of no report
        [BETA | {"isr": "7999999"}, GAMMA],
        [BETA, GAMMA | {"role_cod": "X"}],
        [BETA | {"role_cod": "X"}, GAMMA],
        [BETA | {"nda_num": "5"}, GAMMA],  # where the number ends nobody can tell
        [BETA, "7000003$103$PS$GAMMA"],  # only a part of a row
    ],
)
def test_a_line_in_doubt_is_rejected_whole(
    rows: Sequence[Values | str], archive_of: ArchiveOf
) -> None:
    joined = "".join(line(LEGACY, "DRUG", row) for row in rows)
    tables: Tables = {
        "DEMO": [legacy_demo("7000002"), legacy_demo("7000003")],
        "DRUG": [joined],
    }

    reports, [rejected], repairs = read(archive_of, members(LEGACY, "11Q2", tables))

    assert [drugs(report) for report in reports.values()] == [[], []]
    assert (rejected.position, rejected.raw) == (2, joined.encode())
    assert rejected.reason.startswith("a row must have 12 fields and no '$' inside; got ")
    assert repairs == {}


def test_an_overlong_line_is_not_parted(archive_of: ArchiveOf) -> None:
    row = line(LEGACY, "DEMO", legacy_demo("7000001"))
    tables: Tables = {"DEMO": [row * ((1 << 20) // len(row) + 1)]}

    reports, [rejected], repairs = read(archive_of, members(LEGACY, "11Q2", tables))

    assert reports == {}
    assert rejected.reason.startswith("a line must have at most 1048576 bytes; got ")
    assert repairs == {}


def test_a_line_of_many_rows_is_parted(archive_of: ArchiveOf) -> None:
    rows = [line(LEGACY, "DEMO", legacy_demo(str(7_000_001 + each))) for each in range(2_000)]
    tables: Tables = {"DEMO": ["".join(rows)]}

    reports, rejects, repairs = read(archive_of, members(LEGACY, "11Q2", tables))

    assert rejects == []
    assert repairs == {PARTED: 2_000}
    assert len(reports) == 2_000


def edited(old: Tables, new: dict[str, list[Values | str]], suffix: str = "_new.txt") -> Files:
    """A quarter with tables that were published again."""
    files = members(CURRENT, "18Q1", old)
    for table, rows in new.items():
        text = files[f"ascii/{table}18Q1.txt"]
        assert isinstance(text, str)
        header = text.splitlines()[0]
        content = "\r\n".join([header, *(line(CURRENT, table, row) for row in rows)])
        files[f"ascii/{table}18Q1{suffix}"] = content
    return files


@pytest.mark.parametrize("suffix", ["_new.txt", "_NEW.TXT"])
def test_a_corrected_row_holds(suffix: str, archive_of: ArchiveOf) -> None:
    old: Tables = {
        "DEMO": [current_demo("2001", sex="M"), current_demo("2002", sex="M")],
        "REAC": [of_current("2001", pt="Rash"), of_current("2002", pt="Pain")],
    }
    files = edited(old, {"DEMO": [current_demo("2001", sex="F")]}, suffix)

    reports, rejects, repairs = read(archive_of, files)

    assert rejects == []
    assert {case: report.patient.sex for case, report in reports.items()} == {
        "FAERS-2001": "female",
        "FAERS-2002": "male",  # not corrected
    }
    assert [each.term for each in reports["FAERS-2001"].reactions] == ["Rash"]
    assert repairs == {REPLACED: 1}


def test_a_corrected_case_takes_its_other_reports_out(archive_of: ArchiveOf) -> None:
    second = {"primaryid": "20012", "caseid": "2001"}
    old: Tables = {
        "DEMO": [second | {"caseversion": "2", "sex": "M"}],
        "REAC": [second | {"pt": "Pain"}, of_current("2001", pt="Rash"), of_current("9", pt="x")],
    }

    reports, [orphan], repairs = read(
        archive_of, edited(old, {"DEMO": [current_demo("2001", sex="F")]})
    )

    assert [(each.version, each.patient.sex) for each in reports.values()] == [(1, "female")]
    assert [each.term for each in reports["FAERS-2001"].reactions] == ["Rash"]
    assert repairs == {REPLACED: 2}  # the report, and its reaction
    assert orphan.reason == "a REAC row must have a readable DEMO row; got none for '91'"


@pytest.mark.parametrize("table", ["DRUG", "REAC"])
def test_corrected_rows_of_a_report_replace_all_of_that_table(
    table: str, archive_of: ArchiveOf
) -> None:
    old: Tables = {
        "DEMO": [current_demo("2001"), current_demo("2002")],
        "DRUG": [of_current(case, drugname=name) for case in ("2001", "2002") for name in "AB"],
        "REAC": [of_current(case, pt=term) for case in ("2001", "2002") for term in "XY"],
    }
    column = "drugname" if table == "DRUG" else "pt"

    reports, rejects, repairs = read(
        archive_of, edited(old, {table: [of_current("2001", **{column: "NEW"})]})
    )

    assert rejects == []
    corrected, other = reports["FAERS-2001"], reports["FAERS-2002"]
    terms = [each.term for each in corrected.reactions]
    assert (drugs(corrected), terms) == (
        (["NEW"], ["X", "Y"]) if table == "DRUG" else (["A", "B"], ["NEW"])
    )
    assert (drugs(other), [each.term for each in other.reactions]) == (["A", "B"], ["X", "Y"])
    assert repairs == {REPLACED: 2}


def test_a_corrected_file_alone_corrects_nothing(archive_of: ArchiveOf) -> None:
    files = members(CURRENT, "18Q1", {"DEMO": [current_demo("2001")]})
    files["ascii/DEMO18Q1_new.txt"] = files.pop("ascii/DEMO18Q1.txt")
    other = members(CURRENT, "18Q2", {"DEMO": [current_demo("2001", sex="M", fda_dt="20180501")]})

    reports, rejects, repairs = read(archive_of, files)
    assert (list(reports), rejects, repairs) == (["FAERS-2001"], [], {})

    # That of another quarter is no other edition of the same rows.
    files |= {"DEMO18Q2.txt": other["ascii/DEMO18Q2.txt"]}
    _, [rejected], repairs = read(archive_of, files)
    assert rejected.source == "q.zip!DEMO18Q2.txt"
    assert repairs == {}


def test_a_corrected_row_of_another_table_leaves_other_versions_of_the_case(
    archive_of: ArchiveOf,
) -> None:
    second = {"primaryid": "20012", "caseid": "2001"}
    old: Tables = {
        "DEMO": [current_demo("2001"), second | {"caseversion": "2"}],
        "DRUG": [of_current("2001", drugname="A"), second | {"drugname": "B"}],
    }
    files = edited(old, {"DRUG": [of_current("2001", drugname="NEW")]})

    reports, rejects = split(read_faers(archive_of("q.zip", files)))

    assert rejects == []
    assert {report.version: drugs(report) for report in reports} == {1: ["NEW"], 2: ["B"]}
