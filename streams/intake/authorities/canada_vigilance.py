"""Canada Vigilance: the extract of Health Canada's database of suspected adverse reactions.

An archive has quoted tables without headers, separated by dollar signs and joined by the number of
the report. It is a snapshot: of a report the version that it states is there.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from zipfile import ZipInfo

from pydantic import ValidationError

from schemas.errors import InputError
from schemas.product import Product
from schemas.rejected import Rejected
from schemas.report import Link, OtherId, Patient, Reaction, Report, Reporter
from schemas.vocabulary import LinkKind, Outcome, ProductRole, ReportType, Sex
from streams.intake.archive import Archive, open_archive
from streams.intake.authorities.canada_layout import (
    CRITERIA,
    DRUGS,
    INDICATIONS,
    INGREDIENTS,
    KILOGRAMS,
    LINK_KINDS,
    LINKS,
    OUTCOMES,
    REACTIONS,
    REPORTERS,
    REPORTS,
    ROLES,
    SEXES,
    TYPES,
    UNKNOWN_REPORTER,
    YES,
)
from streams.intake.authorities.codes import Codes
from streams.intake.authorities.linked_rows import LinkedRows, key_of
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
from streams.intake.text import clean, parse_decimal

__all__ = ["CANADA_TABLES", "read_canada_vigilance"]

CANADA_TABLES = tuple(rf"(.*/)?{name}\.txt" for name in ("reports", "report_drug", "reactions"))
"""Paths of the members that identify an extract, in any case."""

_LINK_FILES = r"(.*/)?report_links(_lx)?\.txt"
_INGREDIENT_FILES = r"(.*/)?drug_product_ingredients\.txt"
_INDICATION_FILES = r"(.*/)?report_drug_indication\.txt"


_DETAILS = (
    *("mah_no", "type", "gender", "age_years", "outcome", "weight", "weight_unit"),
    *("death", "disability", "congenital_anomaly", "life_threatening", "hospitalisation"),
    *("other_condition", "reporter", "e2b_id", "authority_no", "company_no"),
)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?: .*)?|([0-9]{1,2})-([A-Z]{3})-([0-9]{2})")
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_FIRST_YEAR = 65  # the database begins in 1965; dates of two digits are from then on
_OLDEST, _HEAVIEST = 150, 700  # years and kg: the limits of `Patient`


@dataclass(slots=True)
class _Case:
    """A row of reports, and the place that it was read from."""

    key: str
    case_id: str
    version: int
    first: date
    latest: date
    where: str
    line: int
    fields: tuple[str, ...]
    links: dict[tuple[str, LinkKind], None] = field(default_factory=dict)


@dataclass
class _Extract:
    """Rows of the other tables, by report, drug or product."""

    drugs: LinkedRows = field(
        default_factory=lambda: LinkedRows(
            "report_drug",
            ["report_id"],
            ["report_drug_id", "product_id", "name", "role", "route", "dose", "dose_unit"],
        )
    )
    reactions: LinkedRows = field(
        default_factory=lambda: LinkedRows("reactions", ["report_id"], ["term", "meddra"])
    )
    indications: dict[str, str] = field(default_factory=dict)
    ingredients: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))


def read_canada_vigilance(
    path: Path, unmapped: Counter[str] | None = None, tally: RowTally | None = None
) -> Iterator[Report | Rejected]:
    """Read an extract: yield rejects while reading, then the reports by day of latest receipt.

    Parameters
    ----------
    unmapped
        Counts values that have no counterpart, by column and value.
    tally
        Counts the rows of reports.

    Yields
    ------
    Report or Rejected
        Every row of reports gives one or the other. A row of drugs, reactions or links is rejected
        if it is damaged or has no readable report.

    Raises
    ------
    InputError
        The file is not a complete extract.

    Notes
    -----
    Of two duplicates the report that was received first counts, and the other one is a duplicate
    of it, whichever of them lists the other. The outcome of a report is that of its reaction if it
    has one; of several it is not known which one had it.
    """
    codes, extract, tally = Codes(unmapped), _Extract(), tally or RowTally()
    with open_archive(path) as archive:
        found = {pattern: archive.find(pattern) for pattern in CANADA_TABLES}
        if not all(found.values()):
            msg = f"{path}: must hold reports.txt, report_drug.txt and reactions.txt; got not all"
            raise InputError(msg)
        reports, drugs, reactions = found.values()
        cases: dict[str, _Case] = {}
        for table in _tables(archive, reports, REPORTS):
            yield from _read_reports(table, cases, tally)
        yield from _read_others(archive, (drugs, reactions), cases, extract, codes)
        refused: dict[Place, Refusal] = {}
        for case in sorted(cases.values(), key=lambda case: (case.latest, case.case_id)):
            try:
                yield _report(case, extract, codes)
            except ValidationError as error:
                refused[case.where, case.line, 0] = refusal(error)
        if refused:
            yield from raw_rows(_tables(archive, reports, REPORTS), refused)


def _read_others(
    archive: Archive,
    members: tuple[list[ZipInfo], list[ZipInfo]],
    cases: dict[str, _Case],
    extract: _Extract,
    codes: Codes,
) -> Iterator[Rejected]:
    drugs, reactions = members
    for table in _tables(archive, archive.find(_INGREDIENT_FILES), INGREDIENTS):
        yield from _read_ingredients(table, extract)
    for table in _tables(archive, archive.find(_INDICATION_FILES), INDICATIONS):
        yield from _read_indications(table, extract)
    for table in _tables(archive, drugs, DRUGS):
        yield from extract.drugs.read(table, cases)
    for table in _tables(archive, reactions, REACTIONS):
        yield from extract.reactions.read(table, cases)
    for table in _tables(archive, archive.find(_LINK_FILES), LINKS):
        yield from _read_links(table, cases, codes)


def _tables(archive: Archive, members: list[ZipInfo], dialect: Dialect) -> Iterator[DelimitedTable]:
    for member in members:
        yield csv_table(archive, member, dialect)


def _read_reports(
    table: DelimitedTable, cases: dict[str, _Case], tally: RowTally
) -> Iterator[Rejected]:
    header = table.header
    identity = header.columns("report_id", "report_no", "version_no", "received", "first_received")
    details = header.columns(*_DETAILS)
    for row in tally.counted(table):
        if isinstance(row, Rejected):
            yield row
            continue
        number, name, version, latest, first = map(str.strip, identity(row.fields))
        days = _day(first), _day(latest)
        if not _NUMBER.fullmatch(number):
            yield header.reject(row, f"report_id must be a number; got {number[:20]!r}")
        elif not _NUMBER.fullmatch(version or "0"):
            yield header.reject(row, f"version_no must be a number; got {version[:20]!r}")
        elif (received := days[0] or days[1]) is None:
            yield header.reject(row, "a date of receipt must be YYYY-MM-DD or DD-MON-YY; got none")
        else:
            case = _Case(
                key=key_of(number),
                case_id=f"CANADA-{name or number}"[:200],
                version=int(version or 0),
                first=received,
                latest=max(received, days[1] or received),
                where=header.where,
                line=row.line,
                fields=details(row.fields),
            )
            known = cases.setdefault(case.key, case)
            if known.fields != case.fields:
                reason = f"report_id must be that of one row; got another for {number}"
                yield header.reject(row, reason)
            elif known is not case:
                tally.repeated()


@lru_cache(maxsize=1 << 16)
def _day(text: str) -> date | None:
    """Parse `YYYY-MM-DD` or `DD-MON-YY`.

    >>> _day("2014-03-06"), _day("06-MAR-14"), _day("06-MAR-73"), _day("")
    (datetime.date(2014, 3, 6), datetime.date(2014, 3, 6), datetime.date(1973, 3, 6), None)
    """
    match = _DAY.fullmatch(text.upper())
    if match is None:
        return None
    try:
        if match[1]:
            return date(int(match[1]), int(match[2]), int(match[3]))
        year = int(match[6])
        century = 1900 if year >= _FIRST_YEAR else 2000
        return date(century + year, _MONTHS.split().index(match[5]) + 1, int(match[4]))
    except ValueError:
        return None


def _read_ingredients(table: DelimitedTable, extract: _Extract) -> Iterator[Rejected]:
    columns = table.header.columns("product_id", "ingredient")
    for row in table.rows:
        if isinstance(row, Rejected):
            yield row
            continue
        product, ingredient = map(str.strip, columns(row.fields))
        if ingredient:
            extract.ingredients[key_of(product)][ingredient] = None


def _read_indications(table: DelimitedTable, extract: _Extract) -> Iterator[Rejected]:
    columns = table.header.columns("report_drug_id", "indication")
    for row in table.rows:
        if isinstance(row, Rejected):
            yield row
            continue
        drug, indication = map(str.strip, columns(row.fields))
        extract.indications.setdefault(key_of(drug), indication)


def _read_links(table: DelimitedTable, cases: dict[str, _Case], codes: Codes) -> Iterator[Rejected]:
    header = table.header
    columns = header.columns("report_id", "kind", "other_no")
    by_name = {case.case_id: case for case in cases.values()}
    for row in table.rows:
        if isinstance(row, Rejected):
            yield row
            continue
        number, stated, other_no = map(str.strip, columns(row.fields))
        case, other = cases.get(key_of(number)), by_name.get(f"CANADA-{other_no}")
        if case is None:
            yield _unlinked(header, row, number)
            continue
        kind = codes.get("report_links.kind", stated.lower(), LINK_KINDS, None)
        if other is None:
            codes.absent("report_links.other_no of a report that the extract does not hold")
        elif kind is not None and other is not case:
            first, later = sorted((case, other), key=lambda one: (one.first, one.case_id))
            later.links[first.case_id, kind] = None


def _unlinked(header: Header, row: Row, number: str) -> Rejected:
    reason = f"a report_links row must have a readable report; got none for {number[:20]!r}"
    return header.reject(row, reason)


def _report(case: _Case, extract: _Extract, codes: Codes) -> Report:
    mah_no, kind, sex, age, outcome, weight, unit, *flags, reporter, e2b, authority, company = map(
        str.strip, case.fields
    )
    stated, qualified = codes.get("reporter", reporter.lower(), REPORTERS, UNKNOWN_REPORTER)
    terms = extract.reactions.of(case.key)
    of_report = codes.get("outcome", outcome.lower(), OUTCOMES, Outcome.UNKNOWN)
    numbers = (("e2b", e2b), ("authority", authority), ("holder", mah_no if company else ""))
    return Report(
        case_id=case.case_id,
        version=case.version,
        source="canada_vigilance",
        sender_case_id=clean(company or mah_no, 200),
        other_ids=tuple(
            OtherId(source=source, case_id=number[:200]) for source, number in numbers if number
        ),
        report_type=codes.get("type", kind.lower(), TYPES, ReportType.UNKNOWN),
        first_received=case.first,
        latest_received=case.latest,
        reporter=Reporter(kind=stated, qualification=qualified),
        occurrence_country="CA",
        patient=_patient(sex, age, weight, unit, codes),
        products=tuple(_product(row, extract, codes) for row in extract.drugs.of(case.key)),
        reactions=tuple(
            _reactions(terms, of_report if len(terms) == 1 else Outcome.UNKNOWN, codes)
        ),
        seriousness=tuple(
            criterion
            for criterion, flag in zip(CRITERIA, flags, strict=True)
            if codes.get(criterion.value, flag.upper(), YES, False)
        ),
        links=tuple(Link(kind=kind, case_id=other) for other, kind in case.links),
    )


def _patient(sex: str, age: str, weight: str, unit: str, codes: Codes) -> Patient:
    years, amount = parse_decimal(age), parse_decimal(weight)
    factor = codes.get("weight_unit", unit.lower(), KILOGRAMS, None)
    kilograms = amount * factor if amount is not None and factor is not None else None
    return Patient(
        age_years=years if years is not None and years <= _OLDEST else None,
        sex=codes.get("gender", sex.lower(), SEXES, Sex.UNKNOWN),
        weight_kg=kilograms if kilograms is not None and 0 < kilograms <= _HEAVIEST else None,
    )


def _product(row: list[str], extract: _Extract, codes: Codes) -> Product:
    drug, product, name, role, route, dose, unit = map(str.strip, row)
    ingredients = tuple(extract.ingredients.get(key_of(product), ()))
    return Product(
        verbatim=clean(name, 2000),
        substances=ingredients or ((name,) if name else ()),
        role=codes.get("role", role.lower(), ROLES, None) or ProductRole.CONCOMITANT,
        indication=clean(extract.indications.get(key_of(drug), ""), 500),
        route=clean(route, 200),
        dose=clean(f"{dose} {unit}", 1000) if dose else None,
    )


def _reactions(rows: list[list[str]], outcome: Outcome, codes: Codes) -> Iterator[Reaction]:
    for term, version in rows:
        if term.strip():
            yield Reaction(
                term=term.strip(),
                dictionary="MedDRA",
                dictionary_version=clean(version.strip().lower().removeprefix("v."), 20),
                outcome=outcome,
            )
        else:
            codes.absent("reactions.term")
