"""Columns of the tables of Canada Vigilance, which have no headers, and meanings of values."""

from schemas.vocabulary import (
    LinkKind,
    Outcome,
    ProductRole,
    Qualification,
    ReporterKind,
    ReportType,
    Seriousness,
    Sex,
)
from streams.intake.delimited import Dialect

__all__ = [
    "CRITERIA",
    "DRUGS",
    "INDICATIONS",
    "INGREDIENTS",
    "KILOGRAMS",
    "LINKS",
    "LINK_KINDS",
    "OUTCOMES",
    "REACTIONS",
    "REPORTERS",
    "REPORTS",
    "ROLES",
    "SEXES",
    "TYPES",
    "UNKNOWN_REPORTER",
    "YES",
]


def _dialect(columns: str) -> Dialect:
    return Dialect(separator="$", names=tuple(columns.split()))


REPORTS = _dialect(
    "report_id report_no version_no received first_received mah_no type_code type type_fr "
    "gender_code gender gender_fr age age_years age_unit age_unit_fr outcome_code outcome "
    "outcome_fr weight weight_unit weight_unit_fr height height_unit height_unit_fr serious_code "
    "serious serious_fr death disability congenital_anomaly life_threatening hospitalisation "
    "other_condition reporter reporter_fr source_code source source_fr e2b_id authority_no "
    "company_no"
)
DRUGS = _dialect(
    "report_drug_id report_id product_id name role role_fr route route_fr dose dose_unit "
    "dose_unit_fr frequency freq_time frequency_text frequency_fr freq_unit freq_unit_fr duration "
    "duration_unit duration_unit_fr form form_fr"
)
REACTIONS = _dialect(
    "reaction_id report_id duration duration_unit duration_unit_fr term term_fr soc soc_fr meddra"
)
LINKS = _dialect("link_id report_id kind kind_fr other_no")
INGREDIENTS = _dialect("row_id product_id name ingredient_id ingredient")
INDICATIONS = _dialect("report_drug_id report_id product_id name indication indication_fr")

CRITERIA = (
    Seriousness.DEATH,
    Seriousness.DISABILITY,
    Seriousness.CONGENITAL_ANOMALY,
    Seriousness.LIFE_THREATENING,
    Seriousness.HOSPITALISATION,
    Seriousness.MEDICALLY_IMPORTANT,
)
YES = {"1": True, "Y": True, "YES": True, "2": False, "N": False, "NO": False, "0": False}
TYPES = {
    "spontaneous": ReportType.SPONTANEOUS,
    "study": ReportType.STUDY,
    "clinical trial": ReportType.STUDY,
    "published": ReportType.OTHER,
    "other": ReportType.OTHER,
    "not available": ReportType.UNKNOWN,
    "unknown": ReportType.UNKNOWN,
}
SEXES = {"female": Sex.FEMALE, "male": Sex.MALE, "unknown": Sex.UNKNOWN}
KILOGRAMS = {"kilogram": 1.0, "kg": 1.0, "pound": 0.45359237, "lb": 0.45359237, "gram": 0.001}
OUTCOMES = {
    "recovered/resolved": Outcome.RECOVERED,
    "recovered without sequelae": Outcome.RECOVERED,
    "recovering/resolving": Outcome.RECOVERING,
    "not recovered/not resolved": Outcome.NOT_RECOVERED,
    "not yet recovered": Outcome.NOT_RECOVERED,
    "recovered/resolved with sequelae": Outcome.RECOVERED_WITH_SEQUELAE,
    "recovered with sequelae": Outcome.RECOVERED_WITH_SEQUELAE,
    "death": Outcome.FATAL,
    "fatal": Outcome.FATAL,
    "unknown": Outcome.UNKNOWN,
}
_PROFESSIONAL = (
    ReporterKind.OTHER_HEALTH_PROFESSIONAL,
    Qualification.OTHER_HEALTH_PROFESSIONAL,
)
UNKNOWN_REPORTER = (ReporterKind.UNKNOWN, Qualification.CONSUMER)  # GVP VI.B.2
_CONSUMER = (ReporterKind.CONSUMER, Qualification.CONSUMER)
REPORTERS = {
    "physician": (ReporterKind.PHYSICIAN, Qualification.PHYSICIAN),
    "pharmacist": (ReporterKind.PHARMACIST, Qualification.PHARMACIST),
    "nurse": _PROFESSIONAL,
    "dentist": _PROFESSIONAL,
    "health professional": _PROFESSIONAL,
    "other health professional": _PROFESSIONAL,
    "lawyer": (ReporterKind.LAWYER, Qualification.LAWYER),
    "consumer": _CONSUMER,
    "consumer or other non health professional": _CONSUMER,
    "consumer/non-health professional": _CONSUMER,
    "unknown": UNKNOWN_REPORTER,
}
ROLES = {
    "suspect": ProductRole.SUSPECT,
    "interacting": ProductRole.INTERACTING,
    "concomitant": ProductRole.CONCOMITANT,
    "drug not administered": ProductRole.NOT_ADMINISTERED,
    "treatment": None,
}
LINK_KINDS = {"duplicate": LinkKind.DUPLICATE_OF, "linked": LinkKind.RELATED}
