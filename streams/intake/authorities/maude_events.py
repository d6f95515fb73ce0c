"""An event of MAUDE as a report, from a row of the master table or from a JSON document."""

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from schemas.product import Product
from schemas.report import OtherId, Patient, Reaction, Report, Reporter
from schemas.vocabulary import Qualification, ReporterKind, ReportType, Seriousness, Sex
from streams.intake.authorities.codes import Codes
from streams.intake.countries import country_code
from streams.intake.dates import parse_compact_date, parse_us_date
from streams.intake.text import clean, parse_decimal

__all__ = ["Device", "DeviceEvent", "DevicePatient", "day_of", "report_of"]

DEVICE_PROBLEMS, PATIENT_PROBLEMS = "FDA device problems", "FDA patient problems"
_OLDEST = 150  # years: the limit of `Patient.age_years`
_NONE = {"", "*", "NA", "N/A", "NI", "UNK", "UNKNOWN", "NO INFORMATION"}
_EVENT_TYPES = {
    "D": Seriousness.DEATH,
    "DEATH": Seriousness.DEATH,
    **dict.fromkeys(("IN", "IL", "IJ", "INJURY", "M", "MALFUNCTION", "O", "OTHER"), None),
    **dict.fromkeys(("NO ANSWER PROVIDED", "*"), None),
}
_OUTCOMES = {
    "D": Seriousness.DEATH,
    "DEATH": Seriousness.DEATH,
    "L": Seriousness.LIFE_THREATENING,
    "LIFE THREATENING": Seriousness.LIFE_THREATENING,
    "H": Seriousness.HOSPITALISATION,
    "HOSPITALIZATION": Seriousness.HOSPITALISATION,
    "S": Seriousness.DISABILITY,
    "DISABILITY": Seriousness.DISABILITY,
    "C": Seriousness.CONGENITAL_ANOMALY,
    "CONGENITAL ANOMALY": Seriousness.CONGENITAL_ANOMALY,
    "R": Seriousness.MEDICALLY_IMPORTANT,
    "REQUIRED INTERVENTION": Seriousness.MEDICALLY_IMPORTANT,
    "O": Seriousness.MEDICALLY_IMPORTANT,
    "OTHER": Seriousness.MEDICALLY_IMPORTANT,
}
_NO_OUTCOME = {"", "*", "N", "A", "U", "I", "UNKNOWN", "NO INFORMATION", "NOT APPLICABLE"}
_NUMBERED = re.compile(r"[0-9]{1,3}[.,]\s*")
_SEXES = {"M": Sex.MALE, "MALE": Sex.MALE, "F": Sex.FEMALE, "FEMALE": Sex.FEMALE}
_YEARS = {"YR": 1.0, "MO": 1 / 12, "WK": 7 / 365.25, "DA": 1 / 365.25, "HR": 1 / (24 * 365.25)}
_AGE = re.compile(r"([0-9.]{1,9}) ?([A-Z]{2})[A-Z()]*")
_PROFESSIONAL = Reporter(
    kind=ReporterKind.OTHER_HEALTH_PROFESSIONAL,
    qualification=Qualification.OTHER_HEALTH_PROFESSIONAL,
)


class Device(NamedTuple):
    """Used fields of a device, as written."""

    generic: str
    brand: str
    manufacturer: str
    lot: str
    product_code: str


class DevicePatient(NamedTuple):
    """Used fields of a patient, as written."""

    age: str
    sex: str
    outcomes: Sequence[str]


class DeviceEvent(NamedTuple):
    """Used fields of an event, as written; `received` is its day."""

    number: str
    event: str
    report_number: str
    received: date
    event_type: str
    professional: str
    country: str
    devices: Sequence[Device]
    patients: Sequence[DevicePatient]
    device_problems: Sequence[str]
    patient_problems: Sequence[str]


def day_of(text: str) -> date | None:
    """Parse `MM/DD/YYYY` or `YYYYMMDD`.

    >>> day_of("08/01/2004") == day_of("20040801")
    True
    """
    return parse_us_date(text) or parse_compact_date(text)


def report_of(event: DeviceEvent, codes: Codes) -> Report:
    """Return the report of an event. Reports of one event have its number among their other ids."""
    outcomes = [codes.get("event_type", event.event_type.upper(), _EVENT_TYPES, None)]
    for patient in event.patients:
        outcomes += [_outcome(text, codes) for text in patient.outcomes]
    reporter = _PROFESSIONAL if event.professional.upper() == "Y" else Reporter()
    ids = [OtherId(source="MAUDE event", case_id=event.event)] if event.event else []
    return Report(
        case_id=f"MAUDE-{event.number}"[:200],
        version=1,
        source="maude",
        sender_case_id=clean(event.report_number, 200),
        other_ids=tuple(ids),
        report_type=ReportType.SPONTANEOUS,
        first_received=event.received,
        latest_received=event.received,
        reporter=reporter,
        occurrence_country=country_code(event.country),
        patient=_patient(event.patients, codes),
        products=tuple(_product(device) for device in event.devices),
        reactions=(
            *_reactions(event.patient_problems, PATIENT_PROBLEMS),
            *_reactions(event.device_problems, DEVICE_PROBLEMS),
        ),
        seriousness=tuple(dict.fromkeys(one for one in outcomes if one is not None)),
    )


def _outcome(text: str, codes: Codes) -> Seriousness | None:
    """Return the criterion of an outcome such as `1. L` or `Life Threatening`."""
    stated = _NUMBERED.sub("", text.strip()).upper()
    return None if stated in _NO_OUTCOME else codes.get("outcome", stated, _OUTCOMES, None)


def _patient(patients: Sequence[DevicePatient], codes: Codes) -> Patient:
    """Return the patient; of several it is not known to whom the event happened."""
    if len(patients) != 1:
        return Patient()
    match = _AGE.fullmatch(patients[0].age.strip().upper())
    number = parse_decimal(match[1]) if match else None
    factor = _YEARS.get(match[2]) if match else None
    years = number * factor if number is not None and factor is not None else None
    sex = patients[0].sex.strip().upper()
    return Patient(
        age_years=years if years is not None and years <= _OLDEST else None,
        sex=Sex.UNKNOWN if sex in _NONE else codes.get("patient_sex", sex, _SEXES, Sex.UNKNOWN),
    )


@lru_cache(maxsize=1 << 14)
def _product(device: Device) -> Product:
    generic, brand, manufacturer, lot, code = (
        "" if text.strip().upper() in _NONE else text.strip() for text in device
    )
    name = generic or brand
    return Product(
        verbatim=clean(brand or generic, 2000),
        substances=(name,) if name else (),
        product_class=clean(code, 200),
        manufacturer=clean(manufacturer, 500),
        lot=clean(lot, 200),
    )


def _reactions(problems: Sequence[str], dictionary: str) -> list[Reaction]:
    named = dict.fromkeys(text.strip() for text in problems if text.strip().upper() not in _NONE)
    return [Reaction(term=name, dictionary=dictionary) for name in named]
