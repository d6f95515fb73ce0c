"""Names of files and columns, and meanings of codes, in the FAERS quarterly files.

Every entry occurs in a published quarter, 2004Q1 to 2026Q2.
"""

import re
from datetime import date
from functools import lru_cache

from schemas.report import Patient, Reporter
from schemas.visible_text import visible
from schemas.vocabulary import (
    AgeGroup,
    ProductRole,
    Qualification,
    ReporterKind,
    Seriousness,
    Sex,
)
from streams.intake.countries import country_code
from streams.intake.dates import last_day_of_quarter
from streams.intake.text import parse_decimal

__all__ = [
    "ALIASES",
    "DELETION_LISTS",
    "FAERS_DEMO",
    "OUTCOMES",
    "ROLES",
    "SHIFT_WITNESS",
    "member_pattern",
    "patient_of",
    "quarter_end",
    "reporter_of",
    "substances_of",
]


def member_pattern(kind: str) -> str:
    """Return a pattern of a table's path: `ascii/DEMO04Q1.TXT`, `DEMO18Q1_new.txt`."""
    return rf"(.*/)?{kind}[^/]*\.txt"


FAERS_DEMO = member_pattern("DEMO")
"""Path of the member that identifies a FAERS archive, in any case."""

DELETION_LISTS = r"(.*/)?[^/]*DELE[^/]*\.txt"
"""Such as `Deleted/DELETE26Q2.txt`, `AllDeletedCases.txt`, `ADR20Q1DeletedCases.txt`."""

ALIASES = {
    "isr": "primaryid",  # to 2012Q3
    "case": "caseid",
    "i_f_cod": "i_f_code",
    "gndr_cod": "sex",  # to 2014Q2
    "outc_code": "outc_cod",  # 2012Q4
    "lot_nbr": "lot_num",
    "dsg_drug_seq": "drug_seq",  # in THER and INDI, from 2012Q4
    "indi_drug_seq": "drug_seq",
}
"""Column names of some quarters, and the name used here."""

SHIFT_WITNESS = {"DEMO": ("wt", {"Y", "N"}), "DRUG": ("route", {"1", "2"})}
"""A column, and values that it has only if a '$' in an earlier field shifted the row to the right.

A row with one field more than its header is valid if the last field is blank. A row with '$' in
MFR_NUM or DRUGNAME and a blank last column looks the same, but has E_SUB in WT or VAL_VBM in ROUTE.
"""

ROLES = {
    "PS": ProductRole.SUSPECT,
    "SS": ProductRole.SUSPECT,
    "I": ProductRole.INTERACTING,
    "C": ProductRole.CONCOMITANT,
    "DN": ProductRole.NOT_ADMINISTERED,
}
OUTCOMES = {
    "DE": Seriousness.DEATH,
    "LT": Seriousness.LIFE_THREATENING,
    "HO": Seriousness.HOSPITALISATION,
    "DS": Seriousness.DISABILITY,
    "CA": Seriousness.CONGENITAL_ANOMALY,
    "RI": Seriousness.MEDICALLY_IMPORTANT,  # required intervention
    "OT": Seriousness.MEDICALLY_IMPORTANT,
}
_SEX = {"F": Sex.FEMALE, "M": Sex.MALE}
_AGE_GROUPS = {
    "N": AgeGroup.NEONATE,
    "I": AgeGroup.INFANT,
    "C": AgeGroup.CHILD,
    "T": AgeGroup.ADOLESCENT,
    "A": AgeGroup.ADULT,
    "E": AgeGroup.ELDERLY,
}
_YEARS = {
    "DEC": 10.0,
    "YR": 1.0,
    "MON": 1 / 12,
    "WK": 7 / 365.25,
    "DY": 1 / 365.25,
    "HR": 1 / (24 * 365.25),
}
_KILOGRAMS = {"KG": 1.0, "LBS": 0.45359237, "GMS": 0.001}
_OLDEST = 150  # years: the limit of `Patient.age_years`
_HEAVIEST = 700  # kg: the limit of `Patient.weight_kg`
_REPORTERS = {
    "MD": (ReporterKind.PHYSICIAN, Qualification.PHYSICIAN),
    "PH": (ReporterKind.PHARMACIST, Qualification.PHARMACIST),
    "HP": (ReporterKind.OTHER_HEALTH_PROFESSIONAL, Qualification.OTHER_HEALTH_PROFESSIONAL),
    "OT": (ReporterKind.OTHER_HEALTH_PROFESSIONAL, Qualification.OTHER_HEALTH_PROFESSIONAL),
    "CN": (ReporterKind.CONSUMER, Qualification.CONSUMER),
    "LW": (ReporterKind.LAWYER, Qualification.LAWYER),
}
_UNKNOWN_REPORTER = (ReporterKind.UNKNOWN, Qualification.CONSUMER)  # GVP VI.B.2

_QUARTER = re.compile(r"([0-9]{2})Q([1-4])", re.IGNORECASE)
_DICTIONARY_CODES = re.compile(r"(?:\s*/[0-9]{6,11}/)+$")


def quarter_end(member: str) -> date | None:
    """Return the last day of the quarter in a file's name, or in its source label; else None.

    >>> quarter_end("Deleted/DELETE26Q2.txt"), quarter_end("AllDeletedCases.txt")
    (datetime.date(2026, 6, 30), None)
    """
    match = _QUARTER.search(re.split("[/!]", member)[-1])
    return last_day_of_quarter(2000 + int(match[1]), int(match[2])) if match else None


@lru_cache(maxsize=1 << 16)
def substances_of(prod_ai: str, drugname: str) -> tuple[str, ...]:
    r"""Return the active substances assigned by FDA, else the name as reported.

    Codes of the drug dictionary at the end of the name are removed.

    >>> substances_of("SULFAMETHOXAZOLE\\TRIMETHOPRIM", "BAKTAR")
    ('SULFAMETHOXAZOLE', 'TRIMETHOPRIM')
    >>> substances_of("", "Acyclovir          /00587301/")
    ('Acyclovir',)
    """
    found = dict.fromkeys(part.strip() for part in visible(prod_ai).split("\\"))
    found.pop("", None)
    if found:
        return tuple(found)
    name = _DICTIONARY_CODES.sub("", " ".join(visible(drugname).split()))
    return (name,) if name else ()


@lru_cache(maxsize=1 << 16)
def patient_of(
    age: str, age_code: str, age_group: str, sex: str, weight: str, weight_code: str
) -> Patient:
    """Parse the columns of the patient; a value that cannot be parsed is unknown.

    >>> patient_of("9", "MON", "", "M", "20", "LBS")
    Patient(age_years=0.75, age_group=None, sex=<Sex.MALE: 'male'>, weight_kg=9.071847,
    relationship_to_facility=None)
    """
    years = _scaled(age, _YEARS.get(age_code.strip().upper()))
    kilograms = _scaled(weight, _KILOGRAMS.get(weight_code.strip().upper()))
    return Patient(
        age_years=years if years is not None and years <= _OLDEST else None,
        age_group=_AGE_GROUPS.get(age_group.strip().upper()),
        sex=_SEX.get(sex.strip().upper(), Sex.UNKNOWN),
        weight_kg=kilograms if kilograms is not None and 0 < kilograms <= _HEAVIEST else None,
    )


@lru_cache(maxsize=4096)
def reporter_of(occupation: str, country: str) -> Reporter:
    """Parse the columns of the reporter; without an occupation it counts as a consumer.

    >>> reporter_of("MD", "UNITED KINGDOM").country, reporter_of("", "EU").country
    ('GB', None)
    """
    kind, qualification = _REPORTERS.get(occupation.strip().upper(), _UNKNOWN_REPORTER)
    return Reporter(kind=kind, qualification=qualification, country=country_code(country))


def _scaled(value: str, unit: float | None) -> float | None:
    number = parse_decimal(value)
    return number * unit if number is not None and unit is not None else None
