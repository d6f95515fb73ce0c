"""JADER: the zip files of the Japanese Adverse Drug Event Report database of the PMDA.

An archive has demo (a row for each report of a case), drug, reac and hist (underlying diseases), as
CSV in CP932, joined by the numbers of case and report. Of a case the last report holds.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from zipfile import ZipInfo

from pydantic import ValidationError

from schemas.errors import InputError
from schemas.product import Product
from schemas.rejected import Rejected
from schemas.report import Patient, Reaction, Report, Reporter
from schemas.vocabulary import (
    ActionTaken,
    AgeGroup,
    Outcome,
    ProductRole,
    Qualification,
    ReporterKind,
    ReportType,
    Sex,
)
from streams.intake.archive import Archive, open_archive
from streams.intake.authorities.codes import Codes
from streams.intake.authorities.linked_rows import LinkedRows, key_of
from streams.intake.dates import date_range, last_day_of_quarter, stated_day
from streams.intake.delimited import (
    DelimitedTable,
    Dialect,
    Header,
    Place,
    Refusal,
    Row,
    RowTally,
    csv_table,
    raw_rows,
    refusal,
)
from streams.intake.text import clean

__all__ = ["JADER_TABLES", "read_jader"]

JADER_TABLES = tuple(rf"(.*/)?{kind}[^/]*\.csv" for kind in ("demo", "drug", "reac"))
"""Paths of the members that identify an archive, in any case."""

_HIST = r"(.*/)?hist[^/]*\.csv"
_KEY = ("識別番号", "報告回数")
_DEMO = ("性別", "年齢", "体重", "報告の種類", "報告者の資格")
_QUARTER = "報告年度・四半期"
_DRUG = (
    *("医薬品の関与", "医薬品(一般名)", "医薬品(販売名)", "経路", "投与開始日", "投与終了日"),
    *("投与量", "投与単位", "分割投与回数", "使用理由", "医薬品の処置", "再投与による再発の有無"),
)
_REAC = ("有害事象", "転帰", "有害事象の発現日")
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_OF_YEAR = re.compile(r"([0-9]{4})[^0-9]{0,4}第?([一二三四1-4])")
_QUARTERS = {"一": 1, "二": 2, "三": 3, "四": 4, "1": 1, "2": 2, "3": 3, "4": 4}
_DECADE = re.compile(r"([0-9]{1,3})(?:歳代|kg台)")
_BELOW_TEN = re.compile(r"10(?:歳|kg)未満")

_SEXES = {"男性": Sex.MALE, "女性": Sex.FEMALE, "不明": Sex.UNKNOWN}
_AGE_GROUPS = {
    "新生児": AgeGroup.NEONATE,
    "乳児": AgeGroup.INFANT,
    "小児": AgeGroup.CHILD,
    "青少年": AgeGroup.ADOLESCENT,
    "成人": AgeGroup.ADULT,
    "老人": AgeGroup.ELDERLY,
    "高齢者": AgeGroup.ELDERLY,
    "不明": None,
}
_REPORT_TYPES = {
    "自発報告": ReportType.SPONTANEOUS,
    "試験": ReportType.STUDY,
    "臨床試験": ReportType.STUDY,
    "その他": ReportType.OTHER,
    "不明": ReportType.UNKNOWN,
}
_HEALTH_PROFESSIONAL = (
    ReporterKind.OTHER_HEALTH_PROFESSIONAL,
    Qualification.OTHER_HEALTH_PROFESSIONAL,
)
_UNKNOWN_REPORTER = (ReporterKind.UNKNOWN, Qualification.CONSUMER)  # GVP VI.B.2
_REPORTERS = {
    "医師": (ReporterKind.PHYSICIAN, Qualification.PHYSICIAN),
    "歯科医師": _HEALTH_PROFESSIONAL,
    "薬剤師": (ReporterKind.PHARMACIST, Qualification.PHARMACIST),
    "その他医療専門家": _HEALTH_PROFESSIONAL,
    "その他の医療専門家": _HEALTH_PROFESSIONAL,
    "その他医療従事者": _HEALTH_PROFESSIONAL,
    "弁護士": (ReporterKind.LAWYER, Qualification.LAWYER),
    "消費者": (ReporterKind.CONSUMER, Qualification.CONSUMER),
    "消費者・その他": (ReporterKind.CONSUMER, Qualification.CONSUMER),
    "消費者・その他の非医療専門家": (ReporterKind.CONSUMER, Qualification.CONSUMER),
    "不明": _UNKNOWN_REPORTER,
}
_ROLES = {
    "被疑薬": ProductRole.SUSPECT,
    "相互作用": ProductRole.INTERACTING,
    "併用薬": ProductRole.CONCOMITANT,
}
_ACTIONS = {
    "投与中止": ActionTaken.WITHDRAWN,
    "減量": ActionTaken.DOSE_REDUCED,
    "投与量減量": ActionTaken.DOSE_REDUCED,
    "増量": ActionTaken.DOSE_INCREASED,
    "投与量増量": ActionTaken.DOSE_INCREASED,
    "投与量変更せず": ActionTaken.DOSE_NOT_CHANGED,
    "変更なし": ActionTaken.DOSE_NOT_CHANGED,
    "投与継続": ActionTaken.DOSE_NOT_CHANGED,
    "不明": ActionTaken.UNKNOWN,
    "該当せず": ActionTaken.NOT_APPLICABLE,
}
_OUTCOMES = {
    "回復": Outcome.RECOVERED,
    "軽快": Outcome.RECOVERING,
    "未回復": Outcome.NOT_RECOVERED,
    "回復したが後遺症あり": Outcome.RECOVERED_WITH_SEQUELAE,
    "後遺症あり": Outcome.RECOVERED_WITH_SEQUELAE,
    "後遺症": Outcome.RECOVERED_WITH_SEQUELAE,
    "死亡": Outcome.FATAL,
    "不明": Outcome.UNKNOWN,
}
_RECURRED: dict[str, bool | None] = {
    "有": True,
    "あり": True,
    "無": False,
    "なし": False,
    "不明": None,
}


def _decoded(raw: bytes) -> str:
    """Decode a line that is valid UTF-8 as such, as copies are, and any other as CP932."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp932", "replace")


@lru_cache(maxsize=1 << 16)
def _normal(text: str) -> str:
    """Return a text in one width of its characters (NFKC), without spaces around."""
    return unicodedata.normalize("NFKC", text).strip()


_CP932 = Dialect(decode=_decoded, rename=_normal)


@dataclass(slots=True)
class _Case:
    """A demo row: the fields of a report, and the place that it was read from."""

    number: str
    version: int
    quarter: date
    where: str
    line: int
    fields: tuple[str, ...]


def read_jader(
    path: Path, unmapped: Counter[str] | None = None, tally: RowTally | None = None
) -> Iterator[Report | Rejected]:
    """Read a JADER archive: yield rejects while reading, then the reports by day of receipt.

    Parameters
    ----------
    unmapped
        Counts values that have no counterpart, by column and value.
    tally
        Counts the rows of demo.

    Yields
    ------
    Report or Rejected
        Every case gives its last report. A demo row is rejected if it is damaged or states no
        number or quarter; another row, if it is damaged or has no readable demo row.

    Raises
    ------
    InputError
        The file is not a complete JADER archive, or a table lacks a required column.

    Notes
    -----
    The database states the fiscal quarter of a report, so its day is the last one of that quarter,
    and the case was first received on that of its first report. An age or a weight is the middle
    of its decade. All reports are of Japan, and serious, by which criterion is not stated.
    """
    codes, tally = Codes(unmapped), tally or RowTally()
    with open_archive(path) as archive:
        demo, drug, reac = (archive.find(pattern) for pattern in JADER_TABLES)
        if not (demo and drug and reac):
            msg = f"{path}: must hold files named demo*.csv, drug*.csv and reac*.csv; got not all"
            raise InputError(msg)
        cases: dict[str, _Case] = {}
        for table in _tables(archive, demo):
            yield from _read_demo(table, cases, tally)
        first: dict[str, date] = {}
        latest: dict[str, str] = {}
        for key, case in cases.items():
            first[case.number] = min(case.quarter, first.get(case.number, case.quarter))
            kept = latest.setdefault(case.number, key)
            if cases[kept].version < case.version:
                latest[case.number] = key
        known, linked = set(latest.values()), _Linked()
        if earlier := len(cases) - len(known):
            tally.left_out["replaced by a later report"] += earlier
        for kind, members in (
            (linked.drugs, drug),
            (linked.reactions, reac),
            (linked.diseases, archive.find(_HIST)),
        ):
            for table in _tables(archive, members):
                yield from kind.read(table, known, cases)
        refused: dict[Place, Refusal] = {}
        for key in sorted(known, key=lambda key: (cases[key].quarter, cases[key].number)):
            case = cases[key]
            try:
                yield _report(case, first[case.number], linked, codes)
            except ValidationError as error:
                refused[case.where, case.line, 0] = refusal(error)
        if refused:
            yield from raw_rows(_tables(archive, demo), refused)


class _Linked:
    """Rows of the other tables by report."""

    def __init__(self) -> None:
        self.drugs = LinkedRows("drug", _KEY, _DRUG)
        self.reactions = LinkedRows("reac", _KEY, _REAC)
        self.diseases = LinkedRows("hist", _KEY, ("原疾患等",))


def _tables(archive: Archive, members: list[ZipInfo]) -> Iterator[DelimitedTable]:
    for member in members:
        yield csv_table(archive, member, _CP932)


def _read_demo(
    table: DelimitedTable, cases: dict[str, _Case], tally: RowTally
) -> Iterator[Rejected]:
    header = table.header
    header.require(*_KEY, _QUARTER)
    identity, details = header.columns(*_KEY, _QUARTER), header.columns(*_DEMO)
    for row in tally.counted(table):
        if isinstance(row, Rejected):
            yield row
            continue
        number, version, stated = map(_normal, identity(row.fields))
        quarter = _last_day(stated)
        if not number or not _NUMBER.fullmatch(version) or quarter is None:
            yield _unidentified(header, row, number, version)
            continue
        key = key_of(number, version)
        fields = details(row.fields)
        case = _Case(number, int(version), quarter, header.where, row.line, fields)
        known = cases.setdefault(key, case)
        if (known.fields, known.quarter) != (fields, quarter):
            reason = f"a report must have one demo row; got another for {number[:20]!r}"
            yield header.reject(row, reason)
        elif known is not case:
            tally.repeated()


def _unidentified(header: Header, row: Row, number: str, version: str) -> Rejected:
    if not number:
        return header.reject(row, "識別番号 must be stated; got none")
    if not _NUMBER.fullmatch(version):
        return header.reject(row, f"報告回数 must be a number; got {version[:20]!r}")
    return header.reject(row, f"{_QUARTER} must be a year and a quarter, such as 2024・第一")


def _last_day(stated: str) -> date | None:
    """Return the last day of a quarter of a fiscal year, which begins in April.

    >>> _last_day("2024・第一"), _last_day("2024・第四")
    (datetime.date(2024, 6, 30), datetime.date(2025, 3, 31))
    """
    match = _OF_YEAR.match(stated)
    if match is None:
        return None
    year, quarter = int(match[1]), _QUARTERS[match[2]] + 1
    return last_day_of_quarter(year + quarter // 5, quarter if quarter < 5 else 1)


def _report(case: _Case, first: date, linked: _Linked, codes: Codes) -> Report:
    sex, age, weight, kind, qualification = map(_normal, case.fields)
    key = key_of(case.number, str(case.version))
    reporter, qualified = codes.get("報告者の資格", qualification, _REPORTERS, _UNKNOWN_REPORTER)
    years, kilograms = _middle(age), _middle(weight)
    diseases = clean("; ".join(_normal(row[0]) for row in linked.diseases.of(key)), 500)
    return Report(
        case_id=f"JADER-{case.number}"[:200],
        version=case.version,
        source="jader",
        report_type=codes.get("報告の種類", kind, _REPORT_TYPES, ReportType.UNKNOWN),
        first_received=first,
        latest_received=case.quarter,
        reporter=Reporter(kind=reporter, qualification=qualified, country="JP"),
        occurrence_country="JP",
        patient=Patient(
            age_years=years,
            age_group=None if years else codes.get("年齢", age, _AGE_GROUPS, None),
            sex=codes.get("性別", sex, _SEXES, Sex.UNKNOWN),
            weight_kg=kilograms,
        ),
        products=tuple(_product(row, codes) for row in linked.drugs.of(key)),
        reactions=tuple(_reactions(linked.reactions.of(key), diseases, codes)),
    )


def _middle(stated: str) -> float | None:
    """Return the middle of a decade of years or kilograms.

    >>> _middle("60歳代"), _middle("10歳未満"), _middle("50kg台"), _middle("不明")
    (65.0, 5.0, 55.0, None)
    """
    if _BELOW_TEN.fullmatch(stated):
        return 5.0
    match = _DECADE.fullmatch(stated)
    return int(match[1]) + 5.0 if match and int(match[1]) <= 140 else None


def _product(row: list[str], codes: Codes) -> Product:
    role, generic, brand, route, start, end, amount, unit, times, reason, action, again = map(
        _normal, row
    )
    substance = generic or brand
    return Product(
        verbatim=clean(row[2] or row[1], 2000),
        substances=(substance,) if substance else (),
        role=codes.get("医薬品の関与", role, _ROLES, ProductRole.CONCOMITANT),
        indication=clean(reason, 500),
        route=clean(route, 200),
        dose=clean(f"{amount} {unit} {f'x {times}' if times else ''}", 1000) if amount else None,
        first_given=stated_day(date_range(start)),
        last_given=stated_day(date_range(end)),
        action_taken=codes.get("医薬品の処置", action, _ACTIONS, ActionTaken.UNKNOWN),
        rechallenge=codes.get("再投与による再発の有無", again, _RECURRED, None),
    )


def _reactions(rows: list[list[str]], diseases: str | None, codes: Codes) -> Iterator[Reaction]:
    for row in rows:
        term, outcome, onset = map(_normal, row)
        if term:
            yield Reaction(
                term=term,
                dictionary="MedDRA/J",
                onset=stated_day(date_range(onset)),
                outcome=codes.get("転帰", outcome, _OUTCOMES, Outcome.UNKNOWN),
                baseline_disease=diseases,
            )
        else:
            codes.absent("有害事象")
