"""JADER archives: CP932, the last report of a case, decades, fiscal quarters."""

from collections import Counter
from collections.abc import Sequence
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
    Sex,
)
from streams.intake.authorities.jader import read_jader
from streams.intake.formats import detect_format
from tests.support.archives import ArchiveOf

DEMO = "識別番号,報告回数,性別,年齢,体重,身長,報告年度・四半期,状況,報告の種類,報告者の資格,E2B"
DRUG = (
    "識別番号,報告回数,医薬品連番,医薬品の関与,医薬品（一般名）,医薬品（販売名）,経路,投与開始日,投与終了日,"
    "投与量,投与単位,分割投与回数,使用理由,医薬品の処置,再投与による再発の有無,リスク区分等"
)
REAC = "識別番号,報告回数,有害事象連番,有害事象,転帰,有害事象の発現日"
HIST = "識別番号,報告回数,原疾患等連番,原疾患等"
REPORT = "A-1,1,女性,60歳代,50kg台,150cm台,2024・第一,調査完了,自発報告,医師,Ver.2"
TAKEN = "A-1,1,001,被疑薬,ｱﾙﾌｧ錠,アルファ商品,経口,20240105,202402,1,mg,2,高血圧,投与中止,有,"
ILL = "A-1,1,1,発疹,死亡,20240110"


TABLES = {
    "demo": (DEMO, REPORT),
    "drug": (DRUG, TAKEN),
    "reac": (REAC, ILL),
    "hist": (HIST,),
}


def _path(archive_of: ArchiveOf, encoding: str = "cp932", **tables: Sequence[str]) -> Path:
    members = {
        f"x/{name}202406.csv": "".join(f"{line}\r\n" for line in lines).encode(encoding)
        for name, lines in (TABLES | tables).items()
    }
    return archive_of("pmdacasereport202406.zip", members)


def _read(path: Path, unmapped: Counter[str] | None = None) -> list[Report | Rejected]:
    return list(read_jader(path, unmapped))


@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
def test_a_case_has_the_fields_of_its_rows(encoding: str, archive_of: ArchiveOf) -> None:
    path = _path(archive_of, encoding, hist=(HIST, "A-1,1,1,高血圧", "A-1,1,2,喘息"))
    assert detect_format(path) == "jader"
    (report,) = _read(path)
    assert isinstance(report, Report)
    assert (report.case_id, report.version, report.source) == ("JADER-A-1", 1, "jader")
    assert report.first_received == report.latest_received == date(2024, 6, 30)
    assert report.report_type is ReportType.SPONTANEOUS
    assert report.reporter.qualification is Qualification.PHYSICIAN
    assert (report.reporter.country, report.occurrence_country) == ("JP", "JP")
    patient = report.patient
    assert (patient.age_years, patient.age_group, patient.sex) == (65.0, None, Sex.FEMALE)
    assert patient.weight_kg == 55.0
    (product,) = report.products
    assert (product.verbatim, product.substances) == ("アルファ商品", ("アルファ錠",))
    assert (product.role, product.route) == (ProductRole.SUSPECT, "経口")
    assert (product.indication, product.dose) == ("高血圧", "1 mg x 2")
    assert (product.first_given, product.last_given) == (date(2024, 1, 5), None)
    assert (product.action_taken, product.rechallenge) == (ActionTaken.WITHDRAWN, True)
    (reaction,) = report.reactions
    assert (reaction.term, reaction.dictionary) == ("発疹", "MedDRA/J")
    assert (reaction.outcome, reaction.onset) == (Outcome.FATAL, date(2024, 1, 10))
    assert reaction.baseline_disease == "高血圧; 喘息"


LATER = REPORT.replace("A-1,1", "A-1,2").replace("2024・第一", "2024・第四")


@pytest.mark.parametrize("rows", [(LATER, REPORT), (REPORT, LATER)])
def test_the_last_report_of_a_case_holds_from_the_quarter_of_the_first(
    rows: Sequence[str], archive_of: ArchiveOf
) -> None:
    path = _path(
        archive_of,
        demo=(DEMO, *rows),
        drug=(DRUG, TAKEN, TAKEN.replace("A-1,1", "A-1,2")),
        reac=(REAC, ILL, ILL.replace("A-1,1", "A-1,2").replace("発疹", "頭痛")),
    )
    (report,) = _read(path)
    assert isinstance(report, Report)
    assert (report.version, [one.term for one in report.reactions]) == (2, ["頭痛"])
    assert (report.first_received, report.latest_received) == (date(2024, 6, 30), date(2025, 3, 31))


def test_a_group_of_ages_is_kept_where_no_decade_is_stated(archive_of: ArchiveOf) -> None:
    (report,) = _read(_path(archive_of, demo=(DEMO, REPORT.replace("60歳代", "新生児"))))
    assert isinstance(report, Report)
    assert (report.patient.age_years, report.patient.age_group) == (None, AgeGroup.NEONATE)


def test_values_without_a_counterpart_are_counted(archive_of: ArchiveOf) -> None:
    unmapped: Counter[str] = Counter()
    path = _path(
        archive_of,
        demo=(DEMO, REPORT.replace("医師", "占い師")),
        drug=(DRUG, TAKEN.replace("被疑薬", "謎")),
        reac=(REAC, ILL, "A-1,1,2, ,死亡,"),
    )
    (report,) = _read(path, unmapped)
    assert isinstance(report, Report)
    assert report.products[0].role is ProductRole.CONCOMITANT
    assert len(report.reactions) == 1
    assert unmapped == {"報告者の資格 '占い師'": 1, "医薬品の関与 '謎'": 1, "有害事象 ''": 1}


@pytest.mark.parametrize(
    ("table", "rows", "reason"),
    [
        ("demo", [",1,女性,,,,2024・第一,,,,"], "識別番号 must be stated; got none"),
        ("demo", ["A-2,一,女性,,,,2024・第一,,,,"], "報告回数 must be a number; got '一'"),
        ("demo", ["A-2,1,女性,,,,2024,,,,"], "報告年度・四半期 must be a year and a quarter"),
        ("demo", [REPORT.replace("女性", "男性")], "a report must have one demo row; got another"),
        ("demo", ["A-2,1,女性"], "a row must have 11 fields; got 3"),
        ("drug", [TAKEN.replace("A-1", "A-9")], "a drug row must have a readable report; got none"),
        ("reac", [ILL.replace("A-1,1", "A-1,9")], "a reac row must have a readable report"),
        ("hist", ["A-9,1,1,高血圧"], "a hist row must have a readable report; got none"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected(
    table: str, rows: Sequence[str], reason: str, archive_of: ArchiveOf
) -> None:
    path = _path(archive_of, **{table: (*TABLES[table], *rows)})
    rejected, report = _read(path)
    assert isinstance(report, Report)
    assert isinstance(rejected, Rejected)
    assert rejected.reason.startswith(reason)
    assert rejected.raw == rows[0].encode("cp932")
    assert rejected.source == f"pmdacasereport202406.zip!x/{table}202406.csv"


def test_an_identical_demo_row_is_ignored(archive_of: ArchiveOf) -> None:
    assert len(_read(_path(archive_of, demo=(DEMO, REPORT, REPORT)))) == 1


def test_a_report_that_the_schema_refuses_is_rejected_with_its_demo_row(
    archive_of: ArchiveOf,
) -> None:
    path = _path(archive_of, reac=(REAC, ILL.replace("発疹", "発" * 501)))
    (rejected,) = _read(path)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "term: String should have at most 500 characters"
    assert rejected.raw == REPORT.encode("cp932")


def test_an_archive_without_reactions_is_refused(archive_of: ArchiveOf) -> None:
    path = archive_of("a.zip", {"demo.csv": DEMO, "drug.csv": DRUG})
    with pytest.raises(InputError, match=r"must hold files named demo\*\.csv, drug"):
        _read(path)
