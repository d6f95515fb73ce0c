"""FAERS: the quarterly ASCII files of the FDA Adverse Event Reporting System, since 2004.

Seven tables are joined by PRIMARYID, or by ISR up to 2012Q3; since 2019 there is a list of deleted
cases. Only the small tables and the required fields of the large ones are kept in memory, and each
report is built when it is yielded, so that a quarter of 400,000 cases fits in memory.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from zipfile import ZipInfo

from pydantic import ValidationError

from schemas.errors import InputError
from schemas.product import Product
from schemas.rejected import Rejected
from schemas.report import Reaction, Report, Revision
from schemas.vocabulary import ReportType
from streams.intake.archive import Archive, open_archive
from streams.intake.bounded import ReadMeter
from streams.intake.countries import country_code
from streams.intake.dates import date_range, stated_day
from streams.intake.delimited import (
    DelimitedTable,
    Place,
    Refusal,
    RowTally,
    dollar_table,
    raw_rows,
    refusal,
)
from streams.intake.faers.layout import (
    ALIASES,
    DELETION_LISTS,
    ROLES,
    member_pattern,
    patient_of,
    reporter_of,
    substances_of,
)
from streams.intake.faers.repairs import (
    REPLACED,
    Corrected,
    correction_of,
    in_order_of_correction,
    part_joined_rows,
)
from streams.intake.faers.tables import (
    READERS,
    Drug,
    Quarter,
    Version,
    read_deletions,
    row_check,
)
from streams.intake.text import clean

__all__ = ["read_faers"]

_REQUIRED = ("DEMO", "DRUG", "REAC")
_OPTIONAL = ("OUTC", "RPSR", "INDI", "THER")
_ANSWER = {"Y": True, "N": False}

_Members = dict[str, list[ZipInfo]]


def read_faers(
    path: Path,
    repairs: Counter[str] | None = None,
    tally: RowTally | None = None,
    meter: ReadMeter | None = None,
) -> Iterator[Report | Rejected]:
    """Read a FAERS quarter: yield rejects while reading, then the reports in order of time.

    Parameters
    ----------
    path
        A zip file with at least the tables DEMO, DRUG and REAC, in the legacy or current layout.
    repairs
        Counts the repairs by kind (`streams.intake.faers.repairs`).
    tally
        Counts the rows of DEMO and of the deletion lists.
    meter
        Counts the bytes read; once all are, it has the number of reports.

    Yields
    ------
    Report or Rejected
        Every DEMO row gives one or the other. A row of another table is rejected if it is damaged,
        if its role or term cannot be read, or if its report has no readable DEMO row. An identical
        repetition of a DEMO row is ignored; of differing rows the first is used. Rows that share a
        line are parted, and rows of a corrected file replace those of the same report. A deleted
        case gives a nullification, dated the last day of the quarter of its list.

    Raises
    ------
    InputError
        The file is not a complete FAERS archive, a member lacks a required column, or a deletion
        list does not name its quarter.

    Notes
    -----
    The case was first received on INIT_FDA_DT, else on FDA_DT, and this version on FDA_DT; if
    FDA_DT is the earlier of the two, on INIT_FDA_DT as well. Neither may be after the quarter. Any
    other partial date is no day, whether the file says so or completed it (`as_stated`); any
    optional value that cannot be read is unknown. Of several indications of a drug the first known
    one is used; of several periods of therapy, the first start and the last end.
    """
    repairs = Counter() if repairs is None else repairs
    meter = meter or ReadMeter()
    with open_archive(path, meter=meter) as archive:
        members = _find_members(archive)
        quarter = Quarter(tally=tally or RowTally())
        for kind, read in READERS.items():
            for table in _corrected_tables(archive, kind, members[kind], quarter, repairs):
                yield from read(table, quarter)
        repairs[REPLACED] += quarter.n_replaced
        quarter.demo_rows.clear()
        lists = archive.find(DELETION_LISTS)
        yield from read_deletions(archive, lists, members["DEMO"][0], quarter)
        quarter.versions.sort(key=itemgetter(0, 1, 2, 3))
        meter.n_reports = len(quarter.versions)
        refused: dict[Place, Refusal] = {}
        for version in quarter.versions:
            try:
                yield _report(version, quarter)
            except ValidationError as error:
                refused[version.where, version.line, version.part] = refusal(error)
        if refused:
            yield from raw_rows(_tables(archive, "DEMO", members["DEMO"], quarter), refused)


def _find_members(archive: Archive) -> _Members:
    members = {}
    for kind in (*_REQUIRED, *_OPTIONAL):
        found = archive.find(member_pattern(kind))
        if kind in _REQUIRED and not found:
            msg = f"{archive.path}: must hold a file named {kind}*.txt; got none"
            raise InputError(msg)
        members[kind] = found
    return members


def _corrected_tables(
    archive: Archive,
    kind: str,
    members: Sequence[ZipInfo],
    quarter: Quarter,
    repairs: Counter[str],
) -> Iterator[DelimitedTable]:
    """Yield the tables of a kind, corrected files first, without the rows that they replace."""
    corrections: dict[str, Corrected] = defaultdict(Corrected)
    for member, name in in_order_of_correction(members):
        table = _table(archive, kind, member, quarter, repairs)
        if name is None:
            yield table
        elif correction_of(member)[1]:
            rows = corrections[name].recorded(table.rows, table.header)
            yield replace(table, rows=rows)
        else:
            # Rows of the other tables belong to a report, not to a case.
            replaced = quarter.replaced if kind == "DEMO" else None
            rows = corrections[name].without_replaced(table.rows, table.header, replaced, repairs)
            yield replace(table, rows=rows)


def _tables(
    archive: Archive, kind: str, members: Sequence[ZipInfo], quarter: Quarter
) -> Iterator[DelimitedTable]:
    """Yield the tables of a kind as they are read again, which counts no repair twice."""
    for member in members:
        yield _table(archive, kind, member, quarter, Counter())


def _table(
    archive: Archive, kind: str, member: ZipInfo, quarter: Quarter, repairs: Counter[str]
) -> DelimitedTable:
    table = dollar_table(archive, member, ALIASES)
    is_row = row_check(kind, table.header, quarter)
    return replace(table, rows=part_joined_rows(table.rows, table.header, is_row, repairs))


def _report(version: Version, quarter: Quarter) -> Report:
    details = version.content
    if isinstance(details, Revision):
        return Report(
            case_id=version.case_id,
            version=version.version,
            source="faers",
            first_received=version.first,
            latest_received=version.latest,
            revision=details,
        )
    key = version.key
    onset = stated_day(date_range(details.event_dt))
    if key in quarter.studies:
        report_type = ReportType.STUDY
    elif details.rept_cod.strip().upper() == "DIR":  # sent by a consumer or professional to FDA
        report_type = ReportType.SPONTANEOUS
    else:
        report_type = ReportType.UNKNOWN
    return Report(
        case_id=version.case_id,
        version=version.version,
        message_id=version.message_id,
        source="faers",
        sender=clean(details.mfr_sndr, 200),
        sender_case_id=clean(details.mfr_num, 200),
        report_type=report_type,
        first_received=version.first,
        latest_received=version.latest,
        reporter=reporter_of(details.occp_cod, details.reporter_country),
        occurrence_country=country_code(details.occr_country),
        patient=patient_of(
            details.age,
            details.age_cod,
            details.age_grp,
            details.sex,
            details.wt,
            details.wt_cod,
        ),
        products=_products(key, quarter),
        reactions=tuple([_reaction(term, onset) for term in quarter.terms.get(key, ())]),
        seriousness=tuple(dict.fromkeys(quarter.outcomes.get(key, ()))),
    )


def _products(key: str, quarter: Quarter) -> tuple[Product, ...]:
    products = []
    for text in quarter.drugs.get(key, ()):
        drug_seq, _, drug = text.partition("$")
        place = f"{key}${drug_seq}"
        start, end = map(stated_day, quarter.therapies.get(place, (None, None)))
        products.append(_product(drug, quarter.indications.get(place, ""), start, end))
    return tuple(products)


def _product(text: str, indication: str, start: date | None, end: date | None) -> Product:
    drug = Drug(*text.split("$"))
    return Product(
        verbatim=clean(drug.drugname, 2000),
        substances=substances_of(drug.prod_ai, drug.drugname),
        role=ROLES[drug.role_cod.strip()],
        indication=clean(indication, 500),
        route=clean(drug.route, 200),
        dose=clean(drug.dose_vbm, 1000) or _dose(drug),
        first_given=start,
        last_given=end,
        lot=clean(drug.lot_num, 200),
        licence=clean(drug.nda_num, 200),
        dechallenge=_ANSWER.get(drug.dechal),
        rechallenge=_ANSWER.get(drug.rechal),
    )


def _dose(drug: Drug) -> str | None:
    if not drug.dose_amt:
        return None
    return clean(" ".join((drug.dose_amt, drug.dose_unit, drug.dose_freq)), 1000)


@lru_cache(maxsize=1 << 16)
def _reaction(term: str, onset: date | None) -> Reaction:
    return Reaction(term=term, dictionary="MedDRA", onset=onset)
