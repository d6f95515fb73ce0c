"""EudraVigilance: line listings of suspected adverse reactions, as CSV.

A row is a case, its reactions and drugs are lists within one field. A listing is a snapshot of what
was asked for: every case is version 1.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from pydantic import ValidationError

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
    Seriousness,
    Sex,
)
from streams.intake.authorities.codes import Codes
from streams.intake.bounded import bounded_lines
from streams.intake.delimited import Dialect, Header, Row, RowTally, csv_lines, refusal
from streams.intake.documents.content import Content, open_documents
from streams.intake.text import clean

__all__ = ["is_line_listing", "read_line_listing"]

_COLUMNS = (
    *("eu local number", "report type", "ev gateway receipt date"),
    *("primary source qualification", "patient age group", "patient sex", "reaction list pt"),
    *("suspect/interacting drug list", "concomitant/not administered drug list"),
    "worldwide unique case identification",
)
_REQUIRED = (_COLUMNS[0], _COLUMNS[2], _COLUMNS[6], _COLUMNS[7])
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T][0-9:.]+)?", re.ASCII)
# Spaces are single ones when these are used: runs of them would take quadratic time.
_ITEM_END = re.compile(r",? ?(?:<BR> ?)+", re.IGNORECASE)
_REACTION = re.compile(r"(.*\S) ?\(([^()]*)\)")
_ROLE = re.compile(r"\((?=([SICN]|n/a) - )")
_NONE = {"", "not reported", "not available", "n/a", "-"}

_REPORT_TYPES = {
    "spontaneous": ReportType.SPONTANEOUS,
    "report from study": ReportType.STUDY,
    "other": ReportType.OTHER,
    "not available to sender (unknown)": ReportType.UNKNOWN,
}
_UNKNOWN_REPORTER = (ReporterKind.UNKNOWN, Qualification.CONSUMER)  # GVP VI.B.2
_REPORTERS = {
    "healthcare professional": (
        ReporterKind.OTHER_HEALTH_PROFESSIONAL,
        Qualification.OTHER_HEALTH_PROFESSIONAL,
    ),
    "non healthcare professional": (ReporterKind.CONSUMER, Qualification.CONSUMER),
    "not specified": _UNKNOWN_REPORTER,
}
_AGE_GROUPS = {
    "0-1 month": AgeGroup.NEONATE,
    "2 months - 2 years": AgeGroup.INFANT,
    "3-11 years": AgeGroup.CHILD,
    "12-17 years": AgeGroup.ADOLESCENT,
    "18-64 years": AgeGroup.ADULT,
    "65-85 years": AgeGroup.ELDERLY,
    "more than 85 years": AgeGroup.ELDERLY,
    "not specified": None,
}
_SEXES = {"female": Sex.FEMALE, "male": Sex.MALE, "not specified": Sex.UNKNOWN}
_OUTCOMES = {
    "recovered/resolved": Outcome.RECOVERED,
    "recovering/resolving": Outcome.RECOVERING,
    "not recovered/not resolved": Outcome.NOT_RECOVERED,
    "recovered/resolved with sequelae": Outcome.RECOVERED_WITH_SEQUELAE,
    "fatal": Outcome.FATAL,
    "unknown": Outcome.UNKNOWN,
    "not specified": Outcome.UNKNOWN,
    "n/a": Outcome.UNKNOWN,
}
_CRITERIA = {
    "results in death": Seriousness.DEATH,
    "life threatening": Seriousness.LIFE_THREATENING,
    "caused/prolonged hospitalisation": Seriousness.HOSPITALISATION,
    "disabling": Seriousness.DISABILITY,
    "congenital anomaly": Seriousness.CONGENITAL_ANOMALY,
    "other medically important condition": Seriousness.MEDICALLY_IMPORTANT,
    "n/a": None,
}
_ROLES = {
    "S": ProductRole.SUSPECT,
    "I": ProductRole.INTERACTING,
    "C": ProductRole.CONCOMITANT,
    "N": ProductRole.NOT_ADMINISTERED,
}
_ACTIONS = {
    "drug withdrawn": ActionTaken.WITHDRAWN,
    "dose reduced": ActionTaken.DOSE_REDUCED,
    "dose increased": ActionTaken.DOSE_INCREASED,
    "dose not changed": ActionTaken.DOSE_NOT_CHANGED,
    "unknown": ActionTaken.UNKNOWN,
    "n/a": ActionTaken.UNKNOWN,
    "not applicable": ActionTaken.NOT_APPLICABLE,
}


def _column(name: str) -> str:
    """Return the name of a column without its explanation in parentheses.

    The age group as the reporter states it is another column than that of EudraVigilance.
    """
    return name if "per reporter" in name else name.partition(" (")[0]


_LISTING = Dialect(rename=_column)


def is_line_listing(content: Content) -> bool:
    """Return whether the first line of a file names the columns of a line listing."""
    first = content.head.partition(b"\n")[0].lower()
    return b"eu local number" in first and b"reaction list pt" in first


def read_line_listing(
    path: Path, unmapped: Counter[str] | None = None, tally: RowTally | None = None
) -> Iterator[Report | Rejected]:
    """Read a line listing: yield rejects while reading, then the reports by day of receipt.

    Parameters
    ----------
    unmapped
        Counts values that have no counterpart, by column and value.
    tally
        Counts the rows.

    Yields
    ------
    Report or Rejected
        Every row gives one or the other. A row is rejected if it is damaged, if its number, day or
        an item of its lists cannot be read, or if its number was read before.

    Raises
    ------
    InputError
        The file lacks a required column.
    """
    codes, reports = Codes(unmapped), dict[str, Report]()
    tally = tally or RowTally()
    for stream, where, _ in open_documents(path):
        table = csv_lines(bounded_lines(stream, where), where, _LISTING)
        table.header.require(*_REQUIRED)
        for row in tally.counted(table):
            item = row if isinstance(row, Rejected) else _report(row, table.header, codes)
            if isinstance(item, Report) and isinstance(row, Row) and item.case_id in reports:
                if item != reports[item.case_id]:
                    reason = "EU Local Number must be that of one row; got another before"
                    yield table.header.reject(row, reason)
                else:
                    tally.repeated()
            elif isinstance(item, Report):
                reports[item.case_id] = item
            else:
                yield item
    yield from sorted(reports.values(), key=lambda report: (report.first_received, report.case_id))


def _report(row: Row, header: Header, codes: Codes) -> Report | Rejected:
    values = header.columns(*_COLUMNS)(row.fields)
    number, kind, received, qualified, age, sex, reactions, suspects, others, worldwide = map(
        str.strip, values
    )
    day = _day(received)
    if not number:
        return header.reject(row, "EU Local Number must be stated; got none")
    if day is None:
        reason = f"EV Gateway Receipt Date must be YYYY-MM-DD; got {received[:20]!r}"
        return header.reject(row, reason)
    found = [_reaction(item, codes) for item in _items(reactions)]
    drugs = [_product(item, codes) for item in (*_items(suspects), *_items(others))]
    if None in found:
        reason = "a reaction must be 'PT (Duration - Outcome - Seriousness)'; got another form"
        return header.reject(row, reason)
    if None in drugs:
        reason = "a drug must be 'NAME [SUBSTANCE] (Char - Indication - Action - [Dose])'; got not"
        return header.reject(row, reason)
    reporter, qualification = codes.get(
        "primary source qualification", qualified.lower(), _REPORTERS, _UNKNOWN_REPORTER
    )
    met = [criterion for one in found if one is not None for criterion in one[1]]
    try:
        return Report(
            case_id=f"EV-{number}"[:200],
            version=1,
            source="eudravigilance",
            worldwide_id=clean(worldwide, 200),
            report_type=codes.get("report type", kind.lower(), _REPORT_TYPES, ReportType.UNKNOWN),
            first_received=day,
            latest_received=day,
            reporter=Reporter(kind=reporter, qualification=qualification),
            patient=Patient(
                age_group=codes.get("patient age group", age.lower(), _AGE_GROUPS, None),
                sex=codes.get("patient sex", sex.lower(), _SEXES, Sex.UNKNOWN),
            ),
            products=tuple(drug for drug in drugs if drug is not None),
            reactions=tuple(one[0] for one in found if one is not None),
            seriousness=tuple(dict.fromkeys(met)),
        )
    except ValidationError as error:
        return header.reject(row, *refusal(error))


def _day(text: str) -> date | None:
    match = _DAY.fullmatch(text)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def _items(text: str) -> list[str]:
    """Return the items of a list that `<BR><BR>` parts, with single spaces and one dash."""
    plain = " ".join(text.split()).replace(" – ", " - ")
    items = (item.strip().removesuffix(",").strip() for item in _ITEM_END.split(plain))
    return [item for item in items if item.lower() not in _NONE]


def _reaction(item: str, codes: Codes) -> tuple[Reaction, list[Seriousness]] | None:
    match = _REACTION.fullmatch(item)
    parts = f"{match[2].strip()} ".split(" - ") if match else []
    if match is None or len(parts) not in (2, 3):
        return None
    outcome = parts[1].strip().removesuffix(" -").lower()
    criteria = parts[2].strip().lower() if len(parts) == 3 else ""
    met = [codes.get("seriousness", one.strip(), _CRITERIA, None) for one in criteria.split(",")]
    reaction = Reaction(
        term=match[1][:500].strip(),
        dictionary="MedDRA",
        outcome=codes.get("outcome", outcome, _OUTCOMES, Outcome.UNKNOWN),
    )
    return reaction, [one for one in met if one is not None]


def _product(item: str, codes: Codes) -> Product | None:
    found = _ROLE.search(item)
    if found is None or not item.endswith(")"):
        return None
    brand, stated = item[: found.start()].strip(), ""
    if brand.endswith("]"):
        brand, _, stated = brand[:-1].rpartition("[")
    substances = stated.split(", ") if stated.strip() else [brand]
    use, _, dosage = item[found.end() :].removesuffix(")").partition(" - ")[2].partition(" - [")
    indication, _, action = use.rpartition(" - ")
    dose = f"{dosage.removesuffix(']')} ".split(" - ")
    return Product(
        verbatim=clean(brand or stated, 2000),
        substances=tuple(dict.fromkeys(one.strip() for one in substances if one.strip())),
        role=codes.get("drug char", found[1], _ROLES, ProductRole.CONCOMITANT),
        indication=None if indication.lower() in _NONE else clean(indication, 500),
        dose=_known(dose, 1),
        route=_known(dose, 2),
        action_taken=codes.get("action taken", action.lower(), _ACTIONS, ActionTaken.UNKNOWN),
    )


def _known(parts: list[str], index: int) -> str | None:
    """Return the dose or the route of a drug with one dosage; None if it is not stated."""
    text = parts[index].strip() if len(parts) == 3 else ""
    return None if text.lower() in _NONE else clean(text, 200)
