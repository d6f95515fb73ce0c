"""VAERS: the yearly zip files of the US Vaccine Adverse Event Reporting System.

An archive has DATA (one row per report), VAX (one row per vaccine) and SYMPTOMS (up to five MedDRA
terms per row), joined by VAERS_ID. It is a snapshot: every report is version 1. The narrative and
the other free texts are not read.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipInfo

from pydantic import ValidationError

from schemas.errors import InputError, RejectCode
from schemas.product import Product
from schemas.rejected import Rejected
from schemas.release import ReleaseMarker
from schemas.report import Patient, Reaction, Report
from schemas.visible_text import visible
from schemas.vocabulary import ReportType, Seriousness, Sex
from streams.intake.archive import Archive, open_archive
from streams.intake.bounded import ReadMeter
from streams.intake.countries import country_code, us_subdivision
from streams.intake.dates import parse_us_date
from streams.intake.delimited import (
    DelimitedTable,
    Header,
    Place,
    Refusal,
    Row,
    RowTally,
    csv_table,
    raw_rows,
    refusal,
)
from streams.intake.releases import DataFile, data_file
from streams.intake.text import clean, parse_decimal

__all__ = ["VAERS_DATA", "read_vaers"]

VAERS_DATA = r"(.*/)?[^/]*VAERSDATA\.csv"
"""Path of the member that identifies a VAERS archive, in any case."""

_MEMBERS = {
    "DATA": VAERS_DATA,
    "VAX": VAERS_DATA.replace("DATA", "VAX"),
    "SYMPTOMS": VAERS_DATA.replace("DATA", "SYMPTOMS"),
}
_VAERS_ID = re.compile(r"[0-9]{1,12}")
_FOREIGN = "FR"  # in STATE
_WORLDWIDE_NUMBER = re.compile(r"[A-Z]{2}.*[0-9]")  # country, sender, number; `NONE` is none
_SERIES = re.compile(
    r"PH(?:HY|EH)[0-9]{4}([A-Z]{2})[0-9]"
)  # Novartis: the country is in the middle
_OLDEST = 150  # years: the limit of `Patient.age_years`
_LONGEST_TERM = 500  # characters: the limit of `Reaction.term`
_SEX = {"F": Sex.FEMALE, "M": Sex.MALE}
_SERIOUS = {
    "died": Seriousness.DEATH,
    "l_threat": Seriousness.LIFE_THREATENING,
    "hospital": Seriousness.HOSPITALISATION,
    "x_stay": Seriousness.HOSPITALISATION,
    "disable": Seriousness.DISABILITY,
    "birth_defect": Seriousness.CONGENITAL_ANOMALY,
}


class _Vaccine(NamedTuple):
    """Used fields of a VAX row, as written."""

    vax_type: str
    name: str
    manufacturer: str
    lot: str
    doses_before: str
    dose_in_series: str
    route: str


@dataclass(slots=True)
class _Case:
    """Fields of a report from its DATA row and from the other files."""

    file: DataFile
    where: str
    line: int
    digest: bytes
    received: date
    country: str | None
    subdivision: str | None
    patient: Patient
    seriousness: tuple[Seriousness, ...]
    onset: date | None
    vaccinated: date | None
    vaccines: list[_Vaccine] = field(default_factory=list)
    terms: list[tuple[str, str]] = field(default_factory=list)


class _Members(NamedTuple):
    """Members of an archive by kind."""

    data: list[ZipInfo]
    vax: list[ZipInfo]
    symptoms: list[ZipInfo]


def read_vaers(
    path: Path,
    *,
    released_on: date | None = None,
    tally: RowTally | None = None,
    meter: ReadMeter | None = None,
) -> Iterator[Report | ReleaseMarker | Rejected]:
    """Read a VAERS archive: yield rejects while reading, then the reports by day of receipt.

    A DATA file is a release of its scope, such as `vaers/2021`. If none of its rows was rejected, a
    marker closes it after the reports.

    Parameters
    ----------
    path
        A zip file with DATA, VAX and SYMPTOMS of one year, or of several.
    released_on
        Day of the release; by default the date of the DATA file in the archive.
    tally
        Counts the rows of DATA.
    meter
        Counts the bytes read; once all are, it has the number of reports.

    Yields
    ------
    Report, ReleaseMarker or Rejected
        Every DATA row gives one or the other; a row of the other files is rejected if it is
        damaged or if its report has no readable DATA row. An identical repetition of a DATA row is
        ignored; of differing rows the first is used.

    Raises
    ------
    InputError
        The file is not a complete VAERS archive, or a member lacks a required column.

    Notes
    -----
    An optional value that cannot be read is unknown. Despite its name, CAGE_MO is a fraction of a
    year in the published files, so the age is `CAGE_YR + CAGE_MO` where AGE_YRS is blank. VAX_DOSE
    counts the doses *before* this one, VAX_DOSE_SERIES counts this one. RECVDATE may not be after
    the release of its file. The country of a report is the US, or in a NonDomestic file the one at
    the start of SPLTTYPE.
    """
    tally, meter = tally or RowTally(), meter or ReadMeter()
    with open_archive(path, meter=meter) as archive:
        members = _find_members(archive)
        cases: dict[int, _Case] = {}
        files = [data_file(archive, member, released_on) for member in members.data]
        for member, file in zip(members.data, files, strict=True):
            for rejected in _read_data(csv_table(archive, member), cases, file, tally):
                file.is_complete = False
                yield rejected
        for table in _tables(archive, members.vax):
            yield from _read_vaccines(table, cases)
        for table in _tables(archive, members.symptoms):
            yield from _read_symptoms(table, cases)
        meter.n_reports = len(cases)
        refused: dict[Place, Refusal] = {}
        for case_id, case in sorted(
            ((f"VAERS-{number}", case) for number, case in cases.items()),
            key=lambda item: (item[1].received, item[0]),
        ):
            try:
                yield _report(case_id, case)
            except ValidationError as error:
                refused[case.where, case.line, 0] = refusal(error)
                case.file.is_complete = False
        if refused:
            yield from raw_rows(_tables(archive, members.data), refused)
        for file in files:
            yield from file.markers()


def _find_members(archive: Archive) -> _Members:
    found = {}
    for kind, pattern in _MEMBERS.items():
        members = archive.find(pattern)
        if not members:
            msg = f"{archive.path}: must hold a file ending in VAERS{kind}.csv; got none"
            raise InputError(msg)
        found[kind.lower()] = members
    return _Members(**found)


def _tables(archive: Archive, members: Sequence[ZipInfo]) -> Iterator[DelimitedTable]:
    for member in members:
        yield csv_table(archive, member)


def _read_data(
    table: DelimitedTable, cases: dict[int, _Case], file: DataFile, tally: RowTally
) -> Iterator[Rejected]:
    header = table.header
    header.require("vaers_id", "recvdate")
    identity = header.columns("vaers_id", "recvdate")
    details = header.columns(
        *("state", "splttype", "age_yrs", "cage_yr", "cage_mo", "sex", "onset_date", "vax_date")
    )
    flags = [(header.index(name), criterion) for name, criterion in _SERIOUS.items()]
    for row in tally.counted(table):
        if isinstance(row, Rejected):
            yield row
            continue
        vaers_id, recvdate = identity(row.fields)
        number = _case_number(vaers_id)
        received = parse_us_date(recvdate)
        if number is None:
            yield header.reject(row, f"VAERS_ID must be a number; got {vaers_id[:20]!r}")
            continue
        digest = hashlib.blake2b(row.raw, digest_size=16).digest()
        if number in cases:
            if cases[number].digest != digest:
                reason = f"VAERS_ID must be that of one report; got another row for {number}"
                yield header.reject(row, reason)
            else:
                tally.repeated()
            continue
        if received is None:
            yield header.reject(row, f"RECVDATE must be MM/DD/YYYY; got {recvdate[:20]!r}")
            continue
        if received > file.horizon:
            reason = f"RECVDATE must not be after the release of its file; got {received}"
            yield header.reject(row, reason, RejectCode.FUTURE_DATE)
            continue
        state, number_of_sender, age, years, months, sex, onset, vaccinated = details(row.fields)
        criteria = dict.fromkeys(
            criterion for index, criterion in flags if row.fields[index].strip().upper() == "Y"
        )
        file.n_cases += 1
        cases[number] = _Case(
            file=file,
            where=header.where,
            line=row.line,
            digest=digest,
            received=received,
            country=_country(state, number_of_sender, file),
            # In files from abroad STATE is no subdivision of the country.
            subdivision=None if file.non_domestic else us_subdivision(state),
            patient=Patient(
                age_years=_age(age, years, months),
                sex=_SEX.get(sex.strip().upper(), Sex.UNKNOWN),
            ),
            seriousness=tuple(criteria),
            onset=parse_us_date(onset),
            vaccinated=parse_us_date(vaccinated),
        )


def _country(state: str, number_of_sender: str, file: DataFile) -> str | None:
    """Return the country of a report.

    Reports from abroad begin SPLTTYPE with it. In domestic files these two letters are as often a
    state of the US or a series of a manufacturer, so that they say nothing there.
    """
    if file.non_domestic:
        number = number_of_sender.strip().upper()
        if series := _SERIES.match(number):
            return country_code(series[1])
        return country_code(number[:2]) if _WORLDWIDE_NUMBER.match(number) else None
    return None if state.strip().upper() == _FOREIGN else "US"


def _read_vaccines(table: DelimitedTable, cases: dict[int, _Case]) -> Iterator[Rejected]:
    header = table.header
    header.require("vaers_id", "vax_type")
    wanted = header.columns(
        *("vax_type", "vax_name", "vax_manu", "vax_lot"),
        *("vax_dose", "vax_dose_series", "vax_route"),
    )
    for row in table.rows:
        case = _case_of(row, header, cases, "VAX")
        if isinstance(case, Rejected):
            yield case
        elif isinstance(row, Row):
            case.vaccines.append(_Vaccine(*wanted(row.fields)))


def _read_symptoms(table: DelimitedTable, cases: dict[int, _Case]) -> Iterator[Rejected]:
    header = table.header
    header.require("vaers_id", "symptom1")
    pairs = [
        (header.index(f"symptom{place}"), header.index(f"symptomversion{place}"))
        for place in range(1, 6)
    ]
    for row in table.rows:
        case = _case_of(row, header, cases, "SYMPTOMS")
        if isinstance(case, Rejected):
            yield case
        elif isinstance(row, Row):
            terms = [
                (visible(row.fields[term]).strip(), row.fields[version]) for term, version in pairs
            ]
            longest = max(len(term) for term, _ in terms)
            if longest > _LONGEST_TERM:
                reason = f"a symptom must have at most {_LONGEST_TERM} characters; got {longest}"
                yield header.reject(row, reason)
            else:
                case.terms.extend(pair for pair in terms if pair[0])


def _case_of(
    row: Row | Rejected, header: Header, cases: dict[int, _Case], kind: str
) -> _Case | Rejected:
    """Return the case of a VAX or SYMPTOMS row, or a reject if there is none."""
    if isinstance(row, Rejected):
        return row
    vaers_id = row.fields[header.index("vaers_id")]
    number = _case_number(vaers_id)
    if number is None:
        return header.reject(row, f"VAERS_ID must be a number; got {vaers_id[:20]!r}")
    case = cases.get(number)
    if case is None:
        reason = f"a {kind} row must have a readable DATA row; got none for {number}"
        return header.reject(row, reason)
    return case


def _report(case_id: str, case: _Case) -> Report:
    return Report(
        case_id=case_id,
        version=1,
        source="vaers",
        report_type=ReportType.SPONTANEOUS,
        first_received=case.received,
        latest_received=case.received,
        occurrence_country=case.country,
        occurrence_subdivision=case.subdivision,
        release=case.file.release,
        patient=case.patient,
        products=tuple(_product(vaccine, case.vaccinated) for vaccine in case.vaccines),
        reactions=tuple(_reaction(term, version, case.onset) for term, version in case.terms),
        seriousness=case.seriousness,
    )


def _product(vaccine: _Vaccine, vaccinated: date | None) -> Product:
    vax_type = visible(vaccine.vax_type).strip()
    return Product(
        verbatim=clean(vaccine.name, 2000),
        substances=(vax_type,) if vax_type else (),
        manufacturer=clean(vaccine.manufacturer, 500),
        lot=clean(vaccine.lot, 200),
        dose=_dose(vaccine),
        route=clean(vaccine.route, 200),
        first_given=vaccinated,
    )


def _dose(vaccine: _Vaccine) -> str | None:
    if in_series := clean(vaccine.dose_in_series, 900):
        return f"dose in series: {in_series}"
    if before := clean(vaccine.doses_before, 900):
        return f"doses before: {before}"
    return None


@lru_cache(maxsize=1 << 16)
def _reaction(term: str, version: str, onset: date | None) -> Reaction:
    return Reaction(
        term=term,
        dictionary="MedDRA",
        dictionary_version=clean(version, 20),
        onset=onset,
    )


def _age(age: str, years: str, year_fraction: str) -> float | None:
    stated = parse_decimal(age)
    if stated is None or stated > _OLDEST:
        parts = [parse_decimal(years), parse_decimal(year_fraction)]
        known = [part for part in parts if part is not None]
        stated = sum(known) if known else None
    return stated if stated is not None and stated <= _OLDEST else None


def _case_number(vaers_id: str) -> int | None:
    """Parse an id, which only some years pad with zeros; None if it is not a number."""
    vaers_id = vaers_id.strip()
    return int(vaers_id) if _VAERS_ID.fullmatch(vaers_id) else None
