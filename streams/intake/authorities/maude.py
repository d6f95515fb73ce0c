"""MAUDE: events with medical devices that FDA publishes, as tables or as JSON of openFDA.

FDA packs each table into a zip file of its own: the master table (mdrfoi), devices, patients, and
the problems of both, whose codes other tables name. The texts are not read. It is a snapshot: every
report is version 1.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipInfo

import msgspec
from pydantic import ValidationError

from schemas.errors import InputError, RejectCode
from schemas.rejected import Rejected
from schemas.report import Report
from streams.intake.archive import Archive, open_archive
from streams.intake.authorities.codes import Codes
from streams.intake.authorities.linked_rows import LinkedRows, key_of
from streams.intake.authorities.maude_events import (
    Device,
    DeviceEvent,
    DevicePatient,
    day_of,
    report_of,
)
from streams.intake.delimited import (
    DelimitedTable,
    Place,
    Refusal,
    Row,
    RowTally,
    csv_table,
    dollar_table,
    raw_rows,
    refusal,
)
from streams.intake.documents.content import Content, open_documents
from streams.intake.documents.json_items import Items, json_items

__all__ = ["is_maude", "read_maude"]

_MASTER = r"(.*/)?mdrfoi[^/]*\.txt"
_DEVICES = r"(.*/)?(foidev|device)(?!problem)[^/]*\.txt"
_PATIENTS = r"(.*/)?patient(?!problem)[^/]*\.txt"
_DEVICE_PROBLEMS = r"(.*/)?(foidevproblem|deviceproblem)(?!code)[^/]*\.txt"
_DEVICE_CODES = r"(.*/)?deviceproblemcodes?[^/]*\.(txt|csv)"
_PATIENT_PROBLEMS = r"(.*/)?patientproblemcode[^/]*\.txt"
_PATIENT_CODES = r"(.*/)?patientproblem(data|codes)[^/]*\.(txt|csv)"
_ALIASES = {
    "manufacturer_d_name": "manufacturer",
    "device_report_product_code": "product_code",
    "problem_code": "code",
    "device_problem_code": "code",
    "patient_problem_code": "code",
    "sequence_number_outcome": "outcomes",
    "patient_age": "age",
    "patient_sex": "sex",
    "patient_gender": "sex",
    "reporter_country_code": "country",
}
_KEY = ["mdr_report_key"]
_EVENT_COLUMNS = (
    *("mdr_report_key", "date_received", "event_key", "report_number", "event_type"),
    *("health_professional", "country"),
)
_DEVICE = ("generic_name", "brand_name", "manufacturer", "lot_number", "product_code")
_EVENT = re.compile(rb'"mdr_report_key"\s*:')
_RESULTS = re.compile(rb'"results"\s*:\s*\[')
_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)


def is_maude(content: Content) -> bool:
    """Return whether an archive has tables of MAUDE, or a document has device events."""
    if content.has(_MASTER) or content.has(_DEVICES):
        return True
    return content.head.startswith(b"{") and _EVENT.search(content.head) is not None


def read_maude(
    path: Path, unmapped: Counter[str] | None = None, tally: RowTally | None = None
) -> Iterator[Report | Rejected]:
    """Read the tables of a folder or an archive, or a JSON document of device events.

    Parameters
    ----------
    unmapped
        Counts values that have no counterpart, by column and value.
    tally
        Counts the rows of the master table.

    Yields
    ------
    Report or Rejected
        Every row of the master table, and every event of a document, gives one or the other. A row
        of another table is rejected if it is damaged or has no readable row of the master table.

    Raises
    ------
    InputError
        The master table is not there, or a document is damaged.

    Notes
    -----
    The drug of the 2x2 table is the generic name of the device, the event is a problem of the
    patient or of the device. The day is that on which FDA received the report. Reports of one event
    have its number in common, so that they count once.
    """
    codes = Codes(unmapped)
    if path.is_dir() or path.suffix.lower() == ".zip":
        with open_archive(path) as archive:
            if archive.find(_MASTER) or archive.find(_DEVICES):
                yield from _read_tables(archive, codes, tally or RowTally())
                return
    yield from _read_documents(path, codes)


def _read_tables(archive: Archive, codes: Codes, tally: RowTally) -> Iterator[Report | Rejected]:
    master = archive.find(_MASTER)
    if not master:
        msg = (
            f"{archive.path}: must hold the master table, mdrfoi*.txt, of the events; got none. "
            "Put the zip files of one year into one folder"
        )
        raise InputError(msg)
    known: set[str] = set()
    for table in _tables(archive, master):
        table.header.require(*_KEY, "date_received")
        at = table.header.index(_KEY[0])
        known |= {key_of(row.fields[at]) for row in table.rows if isinstance(row, Row)}
    linked = _Linked()
    for rows, pattern in linked.tables():
        for table in _tables(archive, archive.find(pattern)):
            yield from rows.read(table, known)
    names = [dict(_names(archive, pattern)) for pattern in (_DEVICE_CODES, _PATIENT_CODES)]
    refused: dict[Place, Refusal] = {}
    seen: dict[str, bytes] = {}
    for table in _tables(archive, master):
        for row in tally.counted(table):
            if isinstance(row, Rejected):
                yield row
                continue
            found = _event(row, table, linked, names)
            if isinstance(found, Rejected):
                yield found
            elif (before := seen.setdefault(found.number, row.raw)) is not row.raw:
                if before != row.raw:
                    reason = f"MDR_REPORT_KEY must be that of one row; got another {found.number}"
                    yield table.header.reject(row, reason)
                else:
                    tally.repeated()
            else:
                try:
                    yield report_of(found, codes)
                except ValidationError as error:
                    refused[table.header.where, row.line, 0] = refusal(error)
    if refused:
        yield from raw_rows(_tables(archive, master), refused)


class _Linked:
    """Rows of the other tables by report."""

    def __init__(self) -> None:
        self.devices = LinkedRows("device", _KEY, list(_DEVICE))
        self.patients = LinkedRows("patient", _KEY, ["age", "sex", "outcomes"])
        self.device_problems = LinkedRows("device problem", _KEY, ["code"])
        self.patient_problems = LinkedRows("patient problem", _KEY, ["code"])

    def tables(self) -> Iterator[tuple[LinkedRows, str]]:
        """Yield the rows of each table and the pattern of its path."""
        yield self.devices, _DEVICES
        yield self.patients, _PATIENTS
        yield self.device_problems, _DEVICE_PROBLEMS
        yield self.patient_problems, _PATIENT_PROBLEMS


def _tables(archive: Archive, members: list[ZipInfo]) -> Iterator[DelimitedTable]:
    for member in members:
        yield dollar_table(archive, member, _ALIASES, "|")


def _names(archive: Archive, pattern: str) -> Iterator[tuple[str, str]]:
    """Yield codes of problems and their names, the first two columns of their table."""
    for member in archive.find(pattern):
        is_csv = member.filename.lower().endswith(".csv")
        table = csv_table(archive, member) if is_csv else dollar_table(archive, member, {}, "|")
        for row in table.rows:
            if isinstance(row, Row) and len(row.fields) > 2:
                yield key_of(row.fields[0]), row.fields[1].strip()


def _event(
    row: Row, table: DelimitedTable, linked: _Linked, names: list[dict[str, str]]
) -> DeviceEvent | Rejected:
    header = table.header
    number, received, *others = map(str.strip, header.columns(*_EVENT_COLUMNS)(row.fields))
    day = day_of(received)
    if not _NUMBER.fullmatch(number):
        return header.reject(row, f"MDR_REPORT_KEY must be a number; got {number[:20]!r}")
    if day is None:
        return header.reject(row, f"DATE_RECEIVED must be MM/DD/YYYY; got {received[:20]!r}")
    event, report_number, event_type, professional, country = others
    key = key_of(number)
    of_devices, of_patients = names
    return DeviceEvent(
        number=number,
        event=event,
        report_number=report_number,
        received=day,
        event_type=event_type,
        professional=professional,
        country=country,
        devices=[Device(*fields) for fields in linked.devices.of(key)],
        patients=[
            DevicePatient(age, sex, outcomes.split(";"))
            for age, sex, outcomes in linked.patients.of(key)
        ],
        device_problems=[
            of_devices.get(key_of(code), code) for (code,) in linked.device_problems.of(key)
        ],
        patient_problems=[
            of_patients.get(key_of(code), code) for (code,) in linked.patient_problems.of(key)
        ],
    )


class _JsonDevice(msgspec.Struct, gc=False):
    generic_name: str | None = None
    brand_name: str | None = None
    manufacturer_d_name: str | None = None
    lot_number: str | None = None
    device_report_product_code: str | None = None


class _JsonPatient(msgspec.Struct, gc=False):
    patient_age: str | None = None
    patient_sex: str | None = None
    sequence_number_outcome: list[str | None] | None = None
    patient_problems: list[str | None] | None = None


class _JsonEvent(msgspec.Struct, gc=False):
    """Used fields of an event; msgspec skips the others undecoded."""

    mdr_report_key: str | None = None
    event_key: str | None = None
    report_number: str | None = None
    date_received: str | None = None
    event_type: str | None = None
    health_professional: str | None = None
    reporter_country_code: str | None = None
    product_problems: list[str | None] | None = None
    device: list[_JsonDevice] | None = None
    patient: list[_JsonPatient] | None = None


_DECODE = msgspec.json.Decoder(_JsonEvent).decode


def _read_documents(path: Path, codes: Codes) -> Iterator[Report | Rejected]:
    for stream, where, head in open_documents(path):
        items = Items(2, "results") if _RESULTS.search(head) else Items(0)
        for number, raw in json_items(stream, where, items):
            if isinstance(raw, Rejected):
                yield raw
                continue
            found = _of_json(raw, codes)
            if isinstance(found, Refusal):
                reason, code = found
                yield Rejected(source=where, position=number, raw=raw, reason=reason, code=code)
            else:
                yield found


def _of_json(raw: bytes, codes: Codes) -> Report | Refusal:
    try:
        event = _DECODE(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Refusal(f"event: {error}", RejectCode.NOT_JSON)
    number, received = (event.mdr_report_key or "").strip(), (event.date_received or "").strip()
    day = day_of(received)
    if not _NUMBER.fullmatch(number):
        return Refusal(f"mdr_report_key must be a number; got {number[:20]!r}", RejectCode.SCHEMA)
    if day is None:
        return Refusal(f"date_received must be YYYYMMDD; got {received[:20]!r}", RejectCode.SCHEMA)
    patients = event.patient or []
    stated = DeviceEvent(
        number=number,
        event=event.event_key or "",
        report_number=event.report_number or "",
        received=day,
        event_type=event.event_type or "",
        professional=event.health_professional or "",
        country=event.reporter_country_code or "",
        devices=[
            Device(
                one.generic_name or "",
                one.brand_name or "",
                one.manufacturer_d_name or "",
                one.lot_number or "",
                one.device_report_product_code or "",
            )
            for one in event.device or []
        ],
        patients=[
            DevicePatient(one.patient_age or "", one.patient_sex or "", _outcomes(one))
            for one in patients
        ],
        device_problems=[text or "" for text in event.product_problems or []],
        patient_problems=[text or "" for one in patients for text in one.patient_problems or []],
    )
    try:
        return report_of(stated, codes)
    except ValidationError as error:
        return refusal(error)


def _outcomes(patient: _JsonPatient) -> list[str]:
    """Return the outcomes of a patient, which old documents number and repeat within one text.

    >>> _outcomes(_JsonPatient(sequence_number_outcome=["1, Other", "1, Other, 2, Death"]))
    ['Other', 'Other', 'Death']
    """
    texts = ", ".join(text or "" for text in patient.sequence_number_outcome or [])
    return [part for part in texts.split(", ") if not part.strip().isdecimal()]
