"""FAERS quarters, written by hand: rejected rows, and refused archives."""

import pytest

from schemas.errors import InputError, RejectCode
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.vocabulary import (
    Sex,
)
from streams.intake.faers.reader import read_faers
from tests.support.archives import ArchiveOf
from tests.support.faers_quarters import (
    CURRENT,
    LEGACY,
    Quarter,
    Tables,
    Values,
    line,
    members,
    split,
)


@pytest.fixture
def quarter(archive_of: ArchiveOf) -> Quarter:
    return Quarter(archive_of)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"primaryid": "x1"}, "PRIMARYID or ISR must be a number; got 'x1'"),
        ({"caseid": ""}, "CASEID must be a number; got ''"),
        ({"caseversion": "0"}, "CASEVERSION must be from 1 to 2147483646; got '0'"),
        ({"caseversion": ""}, "CASEVERSION must be from 1 to 2147483646; got ''"),
        (
            {"caseversion": "2147483647"},
            "CASEVERSION must be from 1 to 2147483646; got '2147483647'",
        ),
        ({"fda_dt": "201704"}, "FDA_DT must be YYYYMMDD; got '201704'"),
        (
            {"fda_dt": "", "init_fda_dt": "20170401"},
            "FDA_DT must be YYYYMMDD; got ''",
        ),
        ({"init_fda_dt": "2017"}, "INIT_FDA_DT must be YYYYMMDD or blank; got '2017'"),
        (
            {"mfr_num": "JP-CUBIST-$E2B0000000182", "occr_country": "JP"},
            "a row must have 25 fields and no '$' inside; got 26",
        ),
        (
            {"mfr_num": "JP-CUBIST-$E2B0000000182"},
            "a field must not hold '$'; got one before WT",
        ),
    ],
)
def test_a_demo_row_without_identity_is_rejected(
    values: Values, reason: str, quarter: Quarter
) -> None:
    [report], rejects = quarter.read(
        DEMO=[values, {"primaryid": "30011", "caseid": "3001"}],
        REAC=[{"pt": "Rash"}, {"primaryid": "30011", "pt": "Rash"}],
    )

    assert report.case_id == "FAERS-3001"
    assert rejects[0] == Rejected(
        source="q.zip!ascii/DEMO17Q2.txt",
        position=2,
        reason=reason,
        raw=line(CURRENT, "DEMO", values).encode(),
        code=RejectCode.SCHEMA,
    )
    assert [each.reason for each in rejects[1:]] == [
        "a REAC row must have a readable DEMO row; got none for '10012'"
    ]


def test_a_legacy_row_with_an_invalid_first_date_is_rejected(archive_of: ArchiveOf) -> None:
    tables: Tables = {"DEMO": [{"fda_dt": "2004"}]}

    reports, [rejected] = split(
        read_faers(archive_of("04.zip", members(LEGACY, "04Q1", tables, surplus="$")))
    )

    assert reports == []
    assert rejected.reason == "FDA_DT must be YYYYMMDD; got '2004'"


def test_a_repeated_row_is_ignored_and_a_different_one_is_rejected(quarter: Quarter) -> None:
    [report], [rejected] = quarter.read(DEMO=[{"sex": "F"}, {"sex": "F"}, {"sex": "M"}])

    assert report.patient.sex is Sex.FEMALE
    assert rejected.position == 4
    assert rejected.reason == (
        "PRIMARYID or ISR must be that of one report; got another row for 10012"
    )


@pytest.mark.parametrize(
    ("table", "values", "reason"),
    [
        ("DRUG", {"role_cod": "X"}, "ROLE_COD must be one of PS, SS, I, C, DN; got 'X'"),
        ("DRUG", {"role_cod": ""}, "ROLE_COD must be one of PS, SS, I, C, DN; got ''"),
        (
            "DRUG",
            {"drugname": "A$B", "val_vbm": "1"},
            "a field must not hold '$'; got one before ROUTE",
        ),
        (
            "DRUG",
            {"prod_ai": "\\".join("A" * 201)},
            "PROD_AI must have at most 200 substances; got more",
        ),
        ("DRUG", "10012$1001$1$PS$two rows in one", "a row must have 20 fields and no '$' inside"),
        ("REAC", {"pt": " "}, "PT must have 1 to 500 characters; got 0"),
        ("REAC", {"pt": "x" * 501}, "PT must have 1 to 500 characters; got 501"),
    ],
)
def test_a_damaged_row_is_rejected_and_the_case_is_kept(
    table: str, values: Values | str, reason: str, quarter: Quarter
) -> None:
    good: Tables = {"DRUG": [{"drug_seq": "1", "drugname": "ASPIRIN"}], "REAC": [{"pt": "Rash"}]}
    good[table] = [values, *good[table]]

    [report], [rejected] = quarter.read(**good)

    assert [product.substances for product in report.products] == [("ASPIRIN",)]
    assert [reaction.term for reaction in report.reactions] == ["Rash"]
    assert rejected.source == f"q.zip!ascii/{table}17Q2.txt"
    assert rejected.position == 2
    assert rejected.reason.startswith(reason)
    assert rejected.raw == line(CURRENT, table, values).encode()


@pytest.mark.parametrize("table", ["DRUG", "REAC", "OUTC", "RPSR", "THER", "INDI"])
def test_rows_without_a_report_are_rejected_one_by_one(table: str, quarter: Quarter) -> None:
    rows: list[Values | str] = [{"primaryid": "999"}, "short", {"primaryid": "998"}]

    reports, rejects = quarter.read(**{table: rows})

    width = len(CURRENT[table].split())
    assert len(reports) == 1
    assert [(each.position, each.reason) for each in rejects] == [
        (2, f"a {table} row must have a readable DEMO row; got none for '999'"),
        (3, f"a row must have {width} fields and no '$' inside; got 1"),
        (4, f"a {table} row must have a readable DEMO row; got none for '998'"),
    ]


def test_a_case_that_the_schema_refuses_is_rejected_with_its_row(quarter: Quarter) -> None:
    other = {"primaryid": "30011", "caseid": "3001"}

    [report], [rejected] = quarter.read(DEMO=[other, {}], REAC=[{"pt": "Rash"}] * 1001)

    assert report.case_id == "FAERS-3001"
    assert rejected.position == 3
    assert rejected.raw == line(CURRENT, "DEMO", {}).encode()
    assert rejected.reason == (
        "reactions: Tuple should have at most 1000 items after validation, not 1001"
    )


def test_a_report_of_too_many_reactions_is_rejected_with_the_limit(quarter: Quarter) -> None:
    reports, [rejected] = quarter.read(DEMO=[{}], REAC=[{"pt": f"T{n}"} for n in range(501)])

    assert reports == []
    assert rejected.code is RejectCode.TOO_LONG
    assert rejected.reason.endswith("at most 500 reactions are read; got 501")


def test_an_overlong_line_of_a_deletion_list_is_rejected(archive_of: ArchiveOf) -> None:
    files = members(CURRENT, "17Q2", {}) | {"DELETE17Q2.txt": "1\n" + "2" * (1 << 20) + "\n3\n"}

    first, *others = read_faers(archive_of("q.zip", files))

    assert isinstance(first, Rejected)
    assert (first.source, first.position) == ("q.zip!DELETE17Q2.txt", 2)
    assert first.reason == "a line must have at most 1048576 bytes; got 1048577"
    assert [each.case_id for each in others if isinstance(each, Report)] == ["FAERS-1", "FAERS-3"]


def test_a_deletion_list_without_a_quarter_is_refused(archive_of: ArchiveOf) -> None:
    path = archive_of("q.zip", members(CURRENT, "", {}) | {"DELETED.txt": "1\n"})

    with pytest.raises(
        InputError,
        match=r"q\.zip: a deletion list, or DEMO, must name its quarter as yyQq; got DELETED\.txt$",
    ):
        list(read_faers(path))


@pytest.mark.parametrize("missing", ["DEMO", "DRUG", "REAC"])
def test_an_archive_without_a_file_is_refused(missing: str, archive_of: ArchiveOf) -> None:
    files = members(CURRENT, "17Q2", {})
    del files[f"ascii/{missing}17Q2.txt"]

    with pytest.raises(
        InputError, match=rf"q\.zip: must hold a file named {missing}\*\.txt; got none$"
    ):
        list(read_faers(archive_of("q.zip", files)))


@pytest.mark.parametrize("table", list(CURRENT))
def test_a_file_without_its_columns_is_refused(table: str, archive_of: ArchiveOf) -> None:
    files = members(CURRENT, "17Q2", {}) | {f"ascii/{table}17Q2.txt": "id$x\n"}

    with pytest.raises(
        InputError, match=rf"{table}17Q2\.txt: the first line must name .*; got no primaryid"
    ):
        list(read_faers(archive_of("q.zip", files)))


@pytest.mark.parametrize(
    "values", [{"fda_dt": "20170701"}, {"init_fda_dt": "20990101", "fda_dt": "20170630"}]
)
def test_a_report_from_after_the_quarter_is_rejected_with_its_bytes(
    values: Values, quarter: Quarter
) -> None:
    last = {"primaryid": "30011", "caseid": "3001", "fda_dt": "20170630"}

    [report], [rejected] = quarter.read(DEMO=[values, last])

    assert report.case_id == "FAERS-3001"
    latest = max(values.values())
    assert rejected == Rejected(
        source="q.zip!ascii/DEMO17Q2.txt",
        position=2,
        reason="FDA_DT and INIT_FDA_DT must not be after 2017-06-30; got "
        f"{latest[:4]}-{latest[4:6]}-{latest[6:]}",
        raw=line(CURRENT, "DEMO", values).encode(),
        code=RejectCode.FUTURE_DATE,
    )


def test_a_file_that_names_no_quarter_refuses_no_date(archive_of: ArchiveOf) -> None:
    tables: Tables = {"DEMO": [{"fda_dt": "20990101"}]}

    [report], rejects = split(read_faers(archive_of("17Q2.zip", members(CURRENT, "", tables))))

    assert report.case_id == "FAERS-1001"
    assert rejects == []
