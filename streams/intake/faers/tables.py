"""Readers of the tables of a FAERS quarter.

Each reader reads one file, adds its rows to the quarter, and yields the rejects.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from sys import intern
from typing import NamedTuple
from zipfile import ZipInfo

from schemas.errors import InputError, RejectCode
from schemas.rejected import Rejected
from schemas.report import Revision
from schemas.vocabulary import RevisionKind, Seriousness
from streams.intake.archive import Archive
from streams.intake.dates import DateRange, as_stated, date_range, parse_compact_date
from streams.intake.delimited import DelimitedTable, Header, Row, RowTally
from streams.intake.faers.layout import (
    OUTCOMES,
    ROLES,
    SHIFT_WITNESS,
    quarter_end,
)

__all__ = [
    "DELETED_VERSION",
    "READERS",
    "Details",
    "Drug",
    "Quarter",
    "Version",
    "read_deletions",
    "row_check",
]

DELETED_VERSION = 2**31 - 1
"""Version of a deletion: FDA names the case and no version, so it outranks every version."""

_LEGACY_VERSION = 0
"""Version of a legacy report: below all later versions of the case; ordered by date and ISR."""

_NUMBER = re.compile(r"[0-9]{1,12}")
_MESSAGE_DIGITS = 12  # message ids are compared as text, so ISR and PRIMARYID have one width
_LONGEST_REASON = 2000  # characters: the limit of `Revision.reason`
_LONGEST_TERM = 500  # characters: the limit of `Reaction.term`
_MOST_SUBSTANCES = 200  # the limit of `Product.substances`
_DATES_AS_STATED = date(2013, 1, 1)  # first day of the first quarter whose dates may be partial
_NO_INDICATION = "product used for unknown indication"


class Details(NamedTuple):
    """Used columns of a DEMO row except its identity, as written."""

    event_dt: str
    rept_cod: str
    mfr_sndr: str
    mfr_num: str
    age: str
    age_cod: str
    age_grp: str
    sex: str
    wt: str
    wt_cod: str
    occp_cod: str
    reporter_country: str
    occr_country: str


class Drug(NamedTuple):
    """Used columns of a DRUG row except its number, as written."""

    role_cod: str
    drugname: str
    prod_ai: str
    route: str
    dose_vbm: str
    dose_amt: str
    dose_unit: str
    dose_freq: str
    dechal: str
    rechal: str
    lot_num: str
    nda_num: str


class Version(NamedTuple):
    """A version of a case, in the order of the fields by which reports are sorted."""

    latest: date
    case_id: str
    version: int
    message_id: str
    first: date
    key: str
    where: str
    line: int
    part: int
    content: Details | Revision


@dataclass
class Quarter:
    """Content of an archive; rows of a table by PRIMARYID, or by PRIMARYID and DRUG_SEQ.

    A drug is stored as text, DRUG_SEQ and the fields of `Drug` separated by '$': the two million
    drugs of a quarter would otherwise be objects that the garbage collector scans repeatedly.
    """

    versions: list[Version] = field(default_factory=list)
    demo_rows: dict[str, bytes] = field(default_factory=dict)
    drugs: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    terms: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    outcomes: dict[str, list[Seriousness]] = field(default_factory=lambda: defaultdict(list))
    studies: set[str] = field(default_factory=set)
    indications: dict[str, str] = field(default_factory=dict)
    therapies: dict[str, tuple[DateRange | None, DateRange | None]] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)  # reports that a corrected file leaves out
    n_replaced: int = 0  # rows of other tables that belong to them
    tally: RowTally = field(default_factory=RowTally)


def _read_demo(table: DelimitedTable, quarter: Quarter) -> Iterator[Rejected]:
    header = table.header
    header.require("primaryid", "caseid", "fda_dt")
    legacy = "caseversion" not in header.names
    identity = header.columns("primaryid", "caseid", "caseversion", "init_fda_dt", "fda_dt")
    details = header.columns(*Details._fields)
    is_shifted = _shift_check("DEMO", header)
    is_completed = _dates_are_completed(header, legacy=legacy)
    horizon = quarter_end(header.where) or date.max
    known = quarter.demo_rows
    for row in quarter.tally.counted(table):
        if isinstance(row, Rejected):
            yield row
            continue
        key, case, number, init_fda_dt, fda_dt = map(str.strip, identity(row.fields))
        latest = parse_compact_date(fda_dt)
        first = parse_compact_date(init_fda_dt) if init_fda_dt else latest
        if not _NUMBER.fullmatch(key):
            reason = f"PRIMARYID or ISR must be a number; got {key[:20]!r}"
        elif key in known:
            if known[key] == row.raw:
                quarter.tally.repeated()
                continue
            reason = f"PRIMARYID or ISR must be that of one report; got another row for {key}"
        elif not _NUMBER.fullmatch(case):
            reason = f"CASEID must be a number; got {case[:20]!r}"
        elif not legacy and not (_NUMBER.fullmatch(number) and 0 < int(number) < DELETED_VERSION):
            reason = f"CASEVERSION must be from 1 to {DELETED_VERSION - 1}; got {number[:20]!r}"
        elif latest is None:
            reason = f"FDA_DT must be YYYYMMDD; got {fda_dt[:20]!r}"
        elif first is None:
            reason = f"INIT_FDA_DT must be YYYYMMDD or blank; got {init_fda_dt[:20]!r}"
        elif is_shifted(row):
            reason = "a field must not hold '$'; got one before WT"
        elif max(first, latest) > horizon:
            reason = f"FDA_DT and INIT_FDA_DT must not be after {horizon}; got {max(first, latest)}"
            yield header.reject(row, reason, RejectCode.FUTURE_DATE)
            continue
        else:
            known[key] = row.raw
            found = Details(*details(row.fields))
            if is_completed:
                found = found._replace(event_dt=as_stated(found.event_dt))
            version = Version(
                latest=max(first, latest),
                case_id=f"FAERS-{int(case)}",
                version=_LEGACY_VERSION if legacy else int(number),
                message_id=key.zfill(_MESSAGE_DIGITS),
                first=first,
                key=key,
                where=header.where,
                line=row.line,
                part=row.part,
                content=Details(*map(intern, found)),
            )
            quarter.versions.append(version)
            continue
        yield header.reject(row, reason)


def _read_drugs(table: DelimitedTable, quarter: Quarter) -> Iterator[Rejected]:
    header = table.header
    header.require("primaryid", "drug_seq", "role_cod", "drugname")
    role_column = header.index("role_cod")
    wanted = header.columns("drug_seq", *Drug._fields)
    is_shifted = _shift_check("DRUG", header)
    for key, row in _rows_of_reports(table, quarter, "DRUG"):
        if isinstance(row, Rejected):
            yield row
            continue
        role_cod = row.fields[role_column].strip()
        if role_cod not in ROLES:
            reason = f"ROLE_COD must be one of {', '.join(ROLES)}; got {role_cod[:20]!r}"
        elif is_shifted(row):
            reason = "a field must not hold '$'; got one before ROUTE"
        elif row.raw.count(b"\\") >= _MOST_SUBSTANCES:
            reason = f"PROD_AI must have at most {_MOST_SUBSTANCES} substances; got more"
        else:
            quarter.drugs[key].append("$".join(wanted(row.fields)))
            continue
        yield header.reject(row, reason)


def _read_reactions(table: DelimitedTable, quarter: Quarter) -> Iterator[Rejected]:
    header = table.header
    header.require("primaryid", "pt")
    column = header.index("pt")
    for key, row in _rows_of_reports(table, quarter, "REAC"):
        if isinstance(row, Rejected):
            yield row
            continue
        term = row.fields[column].strip()
        if not 0 < len(term) <= _LONGEST_TERM:
            reason = f"PT must have 1 to {_LONGEST_TERM} characters; got {len(term)}"
            yield header.reject(row, reason)
        else:
            quarter.terms[key].append(term)


def _read_outcomes(table: DelimitedTable, quarter: Quarter) -> Iterator[Rejected]:
    table.header.require("primaryid", "outc_cod")
    column = table.header.index("outc_cod")
    for key, row in _rows_of_reports(table, quarter, "OUTC"):
        if isinstance(row, Rejected):
            yield row
        elif criterion := OUTCOMES.get(row.fields[column].strip().upper()):
            quarter.outcomes[key].append(criterion)


def _read_sources(table: DelimitedTable, quarter: Quarter) -> Iterator[Rejected]:
    table.header.require("primaryid", "rpsr_cod")
    column = table.header.index("rpsr_cod")
    for key, row in _rows_of_reports(table, quarter, "RPSR"):
        if isinstance(row, Rejected):
            yield row
        elif row.fields[column].strip().upper() == "SDY":
            quarter.studies.add(key)


def _read_indications(table: DelimitedTable, quarter: Quarter) -> Iterator[Rejected]:
    header = table.header
    header.require("primaryid", "drug_seq", "indi_pt")
    wanted = header.columns("drug_seq", "indi_pt")
    for key, row in _rows_of_reports(table, quarter, "INDI"):
        if isinstance(row, Rejected):
            yield row
            continue
        drug_seq, indication = wanted(row.fields)
        term = indication.strip()
        if term and term.lower() != _NO_INDICATION:
            quarter.indications.setdefault(f"{key}${drug_seq}", term)


def _read_therapies(table: DelimitedTable, quarter: Quarter) -> Iterator[Rejected]:
    header = table.header
    header.require("primaryid", "drug_seq")
    wanted = header.columns("drug_seq", "start_dt", "end_dt")
    is_completed = _dates_are_completed(header, legacy="caseid" not in header.names)
    for key, row in _rows_of_reports(table, quarter, "THER"):
        if isinstance(row, Rejected):
            yield row
            continue
        drug_seq, start_dt, end_dt = wanted(row.fields)
        if is_completed:
            start_dt, end_dt = as_stated(start_dt), as_stated(end_dt)
        start, end = date_range(start_dt), date_range(end_dt)
        if start or end:
            place = f"{key}${drug_seq}"
            starts, ends = quarter.therapies.get(place, (None, None))
            quarter.therapies[place] = (
                min(filter(None, (starts, start)), default=None),
                max(filter(None, (ends, end)), key=lambda each: each[::-1], default=None),
            )


READERS: dict[str, Callable[[DelimitedTable, Quarter], Iterator[Rejected]]] = {
    "DEMO": _read_demo,  # first: rows of the other tables need a DEMO row
    "DRUG": _read_drugs,
    "REAC": _read_reactions,
    "OUTC": _read_outcomes,
    "RPSR": _read_sources,
    "INDI": _read_indications,
    "THER": _read_therapies,
}


def read_deletions(
    archive: Archive, lists: list[ZipInfo], demo: ZipInfo, quarter: Quarter
) -> Iterator[Rejected]:
    """Read the lists of deleted cases; `demo` names the quarter if a list does not."""
    listed: set[str] = set()
    for member in lists:
        day = quarter_end(member.filename) or quarter_end(demo.filename)
        if day is None:
            msg = (
                f"{archive.path}: a deletion list, or DEMO, must name its quarter as yyQq; "
                f"got {member.filename}"
            )
            raise InputError(msg)
        where = archive.label(member)
        reason = f"FDA deleted the case: it is listed in {where}"
        revision = Revision(kind=RevisionKind.NULLIFICATION, reason=reason[:_LONGEST_REASON])
        for line, raw in enumerate(archive.lines(member), start=1):
            if isinstance(raw, Rejected):
                quarter.tally.rows[where] += 1
                yield raw
                continue
            text = raw.decode("utf-8", "replace").strip("\ufeff \t\r\n").removesuffix("$")
            if not text:
                continue
            quarter.tally.rows[where] += 1
            if not _NUMBER.fullmatch(text):
                reason = f"a deleted case must be a number; got {text[:20]!r}"
                raw = raw.rstrip(b"\r\n")
                yield Rejected(
                    source=where,
                    position=line,
                    reason=reason,
                    raw=raw,
                    code=RejectCode.SCHEMA,
                )
                continue
            case_id = f"FAERS-{int(text)}"
            if case_id in listed:
                quarter.tally.repeated()
            else:
                listed.add(case_id)
                quarter.versions.append(
                    Version(day, case_id, DELETED_VERSION, "", day, "", where, line, 0, revision)
                )


def _rows_of_reports(
    table: DelimitedTable, quarter: Quarter, kind: str
) -> Iterator[tuple[str, Row | Rejected]]:
    """Yield the rows of a table with the key of their report, rejecting rows without one."""
    header = table.header
    column = header.index("primaryid")
    known = quarter.demo_rows
    for row in table.rows:
        if isinstance(row, Rejected):
            yield "", row
            continue
        key = row.fields[column].strip()
        if key in known:
            yield key, row
        elif key in quarter.replaced:
            quarter.n_replaced += 1
        else:
            reason = f"a {kind} row must have a readable DEMO row; got none for {key[:20]!r}"
            yield key, header.reject(row, reason)


def _shift_check(kind: str, header: Header) -> Callable[[Row], bool]:
    """Return a predicate: a '$' inside a field made a row look like one with a surplus field."""
    name, impossible = SHIFT_WITNESS[kind]
    column, width = header.index(name), len(header.names)
    return lambda row: row.fields[column] in impossible and row.raw.count(b"$") == width


def _dates_are_completed(header: Header, *, legacy: bool) -> bool:
    """Return whether a file has a day in every date, although the reporter may have stated none.

    In a legacy quarter a third of all dates are of the first of a month and none is partial; since
    2013 dates are as stated.
    """
    end = quarter_end(header.where)
    return legacy if end is None else end < _DATES_AS_STATED


def row_check(kind: str, header: Header, quarter: Quarter) -> Callable[[list[str]], bool]:
    """Return a predicate: the fields are those of a row, to part rows that share a line.

    A row of DEMO has a case, a date of receipt and, in the current layout, its case and version as
    key; a row of another table has the key of a report, and of DRUG a role.
    """
    identity = header.columns("primaryid", "caseid", "caseversion", "fda_dt")
    role = header.index("role_cod")

    def is_demo_row(fields: list[str]) -> bool:
        key, case, number, fda_dt = map(str.strip, identity([*fields, ""]))
        if not (_NUMBER.fullmatch(key) and _NUMBER.fullmatch(case) and parse_compact_date(fda_dt)):
            return False
        return "caseversion" not in header.names or key == case + number

    def is_other_row(fields: list[str]) -> bool:
        key = identity([*fields, ""])[0].strip()
        known = key in quarter.demo_rows or key in quarter.replaced
        return known and (kind != "DRUG" or fields[role].strip() in ROLES)

    return is_demo_row if kind == "DEMO" else is_other_row
