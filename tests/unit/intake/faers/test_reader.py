"""FAERS quarters, written by hand: fields of the reports."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import InputError, RejectCode
from schemas.rejected import Rejected
from schemas.report import Reporter
from schemas.vocabulary import (
    AgeGroup,
    ProductRole,
    Qualification,
    ReporterKind,
    ReportType,
    Seriousness,
    Sex,
)
from streams.intake.faers.reader import read_faers
from streams.intake.faers.tables import DELETED_VERSION
from tests.support.archives import ArchiveOf
from tests.support.faers_quarters import CURRENT, LEGACY, Quarter, Tables, Values, members, split


@pytest.fixture
def quarter(archive_of: ArchiveOf) -> Quarter:
    return Quarter(archive_of)


def test_a_current_report_is_joined_from_seven_tables(quarter: Quarter) -> None:
    [report], rejects = quarter.read(
        DEMO=[
            {
                "event_dt": "20170301",
                "init_fda_dt": "20150402",
                "rept_cod": "EXP",
                "mfr_sndr": " ROCHE ",
                "mfr_num": " US-ROCHE-1 ",
                "age": "66",
                "age_cod": "YR",
                "age_grp": "E",
                "sex": "F",
                "wt": "176",
                "wt_cod": "LBS",
                "occp_cod": "PH",
                "reporter_country": "EU",
                "occr_country": "JP",
            }
        ],
        DRUG=[
            {
                "drug_seq": "1",
                "drugname": "BAKTAR",
                "prod_ai": "SULFAMETHOXAZOLE\\ TRIMETHOPRIM \\",
                "route": "Oral",
                "dose_vbm": "2 TABLETS",
                "dechal": "Y",
                "rechal": "N",
                "lot_num": "14M031MA",
                "nda_num": "020272",
            },
            {
                "drug_seq": "2",
                "role_cod": "I",
                "drugname": "Acyclovir         /00587301/",
                "dose_amt": "10",
                "dose_unit": "MG",
                "dose_freq": "QD",
                "dechal": "U",
                "rechal": "D",
            },
            {"drug_seq": "3", "role_cod": "C", "prod_ai": "ASPIRIN"},
            {"drug_seq": "4", "role_cod": "DN", "drugname": "\uff21spirin  plus"},
        ],
        REAC=[{"pt": " COVID-19 "}, {"pt": "Rash"}],
        OUTC=[{"outc_cod": code} for code in ("HO", "OT", "RI", "??")],
        RPSR=[{"rpsr_cod": "HP"}],
        INDI=[
            {"indi_drug_seq": "1", "indi_pt": "Product used for unknown indication"},
            {"indi_drug_seq": "1", "indi_pt": "Cystitis"},
            {"indi_drug_seq": "1", "indi_pt": "Pyelonephritis"},
        ],
        THER=[
            {"dsg_drug_seq": "1", "start_dt": "20170220", "end_dt": "20170225"},
            {"dsg_drug_seq": "1", "start_dt": "20170201", "end_dt": "201703"},
            {"dsg_drug_seq": "2", "start_dt": "2016"},
        ],
    )

    assert rejects == []
    assert (report.case_id, report.version, report.message_id) == ("FAERS-1001", 2, "000000010012")
    assert (report.source, report.sender) == ("faers", "ROCHE")
    assert report.sender_case_id == "US-ROCHE-1"
    assert report.report_type is ReportType.UNKNOWN
    assert report.first_received == date(2015, 4, 2)
    assert report.latest_received == date(2017, 4, 6)
    assert report.reporter == Reporter(
        kind=ReporterKind.PHARMACIST, qualification=Qualification.PHARMACIST, country=None
    )
    assert report.occurrence_country == "JP"
    assert report.patient.age_years == 66
    assert report.patient.age_group is AgeGroup.ELDERLY
    assert report.patient.sex is Sex.FEMALE
    assert report.patient.weight_kg == pytest.approx(79.83, abs=0.01)
    assert report.seriousness == (Seriousness.HOSPITALISATION, Seriousness.MEDICALLY_IMPORTANT)
    assert [each.term for each in report.reactions] == ["COVID-19", "Rash"]
    assert {each.onset for each in report.reactions} == {date(2017, 3, 1)}
    assert {each.dictionary for each in report.reactions} == {"MedDRA"}
    baktar, acyclovir, aspirin, not_given = report.products
    assert baktar.substances == ("SULFAMETHOXAZOLE", "TRIMETHOPRIM")
    assert (baktar.verbatim, baktar.role) == ("BAKTAR", ProductRole.SUSPECT)
    assert (baktar.route, baktar.dose, baktar.lot) == ("Oral", "2 TABLETS", "14M031MA")
    assert (baktar.licence, baktar.indication) == ("020272", "Cystitis")
    assert (baktar.dechallenge, baktar.rechallenge) == (True, False)
    assert (baktar.first_given, baktar.last_given) == (date(2017, 2, 1), None)  # in March
    assert (acyclovir.substances, acyclovir.dose) == (("Acyclovir",), "10 MG QD")
    assert (acyclovir.role, acyclovir.first_given) == (ProductRole.INTERACTING, None)
    assert (acyclovir.dechallenge, acyclovir.rechallenge) == (None, None)
    assert (aspirin.role, aspirin.dose, aspirin.lot) == (ProductRole.CONCOMITANT, None, None)
    assert not_given.role is ProductRole.NOT_ADMINISTERED
    assert not_given.substances == ("Ａspirin plus",)


@pytest.mark.parametrize("surplus", ["", "$"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_legacy_report_is_joined_by_isr(surplus: str, end: str, archive_of: ArchiveOf) -> None:
    tables: Tables = {
        "DEMO": [
            {
                "event_dt": "2003",
                "fda_dt": "20040102",
                "rept_cod": "DIR",
                "age": "9",
                "age_cod": "MON",
                "gndr_cod": "M",
                "reporter_country": "UNITED KINGDOM",
            }
        ],
        "DRUG": [{"drug_seq": "1004492716", "drugname": "ZOCOR (SIMVASTATIN)", "lot_num": "7"}],
        "REAC": [{"pt": "DIARRHOEA"}, {"pt": "Tumour lysis syndrome"}],
        "OUTC": [{"outc_cod": "DE"}],
        "INDI": [{"drug_seq": "1004492716", "indi_pt": "BREAST CANCER"}],
        "THER": [{"drug_seq": "1004492716", "start_dt": "20031115"}],
    }
    path = archive_of("04.zip", members(LEGACY, "04Q1", tables, end=end, surplus=surplus))

    [report], rejects = split(read_faers(path))

    assert rejects == []
    assert (report.case_id, report.version, report.message_id) == ("FAERS-50", 0, "000000000500")
    assert report.first_received == report.latest_received == date(2004, 1, 2)
    assert report.report_type is ReportType.SPONTANEOUS
    assert report.patient.age_years == 0.75
    assert report.patient.sex is Sex.MALE
    assert report.reporter.country == "GB"
    assert report.occurrence_country is None
    assert report.seriousness == (Seriousness.DEATH,)
    [product] = report.products
    assert product.substances == ("ZOCOR (SIMVASTATIN)",)
    assert (product.lot, product.indication) == ("7", "BREAST CANCER")
    assert product.first_given == date(2003, 11, 15)
    assert [each.term for each in report.reactions] == ["DIARRHOEA", "Tumour lysis syndrome"]
    assert {each.onset for each in report.reactions} == {None}


def test_names_of_files_and_columns_vary_between_quarters(archive_of: ArchiveOf) -> None:
    path = archive_of(
        "12.zip",
        {
            "demo12q4.txt": "primaryid$caseid$caseversion$fda_dt$gndr_cod$v6\n"
            "7001$700$1$20121001$F$\n",
            "ASCII/DRUG12Q4_new.TXT": b"\xef\xbb\xbf"
            b'PrimaryID$DRUG_SEQ$ROLE_COD$DRUGNAME$LOT_NBR$\r\n7001$1$PS$caf\xe9 "5$L9$\r\n',
            "REAC12Q4.txt": "primaryid$caseid$pt\n7001$700$Rash\n",
            "OUTC12Q4.txt": "primaryid$caseid$outc_code\n7001$700$LT\n",
        },
    )

    [report], rejects = split(read_faers(path))

    assert rejects == []
    assert report.patient.sex is Sex.FEMALE
    assert report.seriousness == (Seriousness.LIFE_THREATENING,)
    [product] = report.products
    assert (product.substances, product.lot) == (('café "5',), "L9")


@pytest.mark.parametrize(
    ("values", "first", "latest"),
    [
        ({"fda_dt": "20170406"}, date(2017, 4, 6), date(2017, 4, 6)),
        ({"init_fda_dt": "20170401", "fda_dt": "20170406"}, date(2017, 4, 1), date(2017, 4, 6)),
        ({"init_fda_dt": "20170409", "fda_dt": "20170406"}, date(2017, 4, 9), date(2017, 4, 9)),
    ],
)
def test_time_is_the_day_fda_received_the_case(
    values: Values, first: date, latest: date, quarter: Quarter
) -> None:
    [report], _ = quarter.read(DEMO=[values])

    assert (report.first_received, report.latest_received) == (first, latest)


def test_studies_are_known_by_their_source(quarter: Quarter) -> None:
    [report], _ = quarter.read(RPSR=[{"rpsr_cod": "HP"}, {"rpsr_cod": "SDY"}])

    assert report.report_type is ReportType.STUDY


def test_reports_come_in_order_of_time_case_and_version(quarter: Quarter) -> None:
    reports, _ = quarter.read(
        DEMO=[
            {"primaryid": "92", "caseid": "9", "caseversion": "2"},
            {"primaryid": "93", "caseid": "9", "caseversion": "3", "fda_dt": "20170101"},
            {"primaryid": "91", "caseid": "9", "caseversion": "1"},
            {"primaryid": "101", "caseid": "10", "caseversion": "1"},
        ]
    )

    assert [int(report.message_id) for report in reports] == [93, 101, 91, 92]


@pytest.mark.parametrize(
    ("name", "demo", "day"),
    [
        ("Deleted/DELETE26Q2.txt", "26Q2", date(2026, 6, 30)),
        ("deleted/ADR20Q1DeletedCases.TXT", "20Q2", date(2020, 3, 31)),
        ("AllDeletedCases.txt", "19Q1", date(2019, 3, 31)),
    ],
)
def test_a_deletion_list_nullifies_every_version(
    name: str, demo: str, day: date, archive_of: ArchiveOf
) -> None:
    files = members(CURRENT, demo, {"DEMO": [{}]})
    path = archive_of("q.zip", files | {name: " \n1001\n0002$\r\nx9\n1001\n"})

    reports, [rejected] = split(read_faers(path))

    assert rejected == Rejected(
        source=f"q.zip!{name}",
        position=4,
        reason="a deleted case must be a number; got 'x9'",
        raw=b"x9",
        code=RejectCode.SCHEMA,
    )
    version, *deleted = reports
    assert not version.is_nullified
    assert [report.case_id for report in deleted] == ["FAERS-1001", "FAERS-2"]
    for report in deleted:
        assert report.is_nullified
        assert report.revision is not None
        assert report.revision.reason == f"FDA deleted the case: it is listed in q.zip!{name}"
        assert report.first_received == report.latest_received == day
        assert report.version == DELETED_VERSION == 2_147_483_647


def test_a_missing_file_is_one_error_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.zip: must be a file; got nothing there$"):
        list(read_faers(tmp_path / "no.zip"))


def test_reading_twice_gives_the_same(archive_of: ArchiveOf) -> None:
    tables: Tables = {
        "DEMO": [{}, {"primaryid": "1"}],
        "REAC": [{"pt": "Rash"}, {"primaryid": "2"}],
    }
    path = archive_of("q.zip", members(CURRENT, "17Q2", tables))

    def read() -> Iterator[str]:
        return (each.model_dump_json() for each in read_faers(path))

    assert list(read()) == list(read())
