"""The closed vocabularies of a report. Members are the codes that travel in messages."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

__all__ = [
    "ActionTaken",
    "AgeGroup",
    "ClaimType",
    "Country",
    "Donor",
    "LinkBasis",
    "LinkKind",
    "LinkState",
    "Outcome",
    "Payment",
    "ProductRole",
    "Qualification",
    "ReportType",
    "ReporterKind",
    "RevisionKind",
    "Seriousness",
    "Sex",
    "SupplyRoute",
    "VerificationState",
]

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2, upper case."""


class RevisionKind(StrEnum):
    """Nullification or amendment (ICH E2B(R3) C.1.11.1)."""

    NULLIFICATION = "nullification"
    AMENDMENT = "amendment"


class ReportType(StrEnum):
    """Type of report (ICH E2B(R3) C.1.3)."""

    SPONTANEOUS = "spontaneous"
    STUDY = "study"
    OTHER = "other"
    UNKNOWN = "unknown"


class ReporterKind(StrEnum):
    """Role in which the primary source reports."""

    PHYSICIAN = "physician"
    OUTSIDE_PHYSICIAN = "outside_physician"  # treats the patient, did not give the product
    PHARMACIST = "pharmacist"
    OTHER_HEALTH_PROFESSIONAL = "other_health_professional"
    PATIENT = "patient"
    CONSUMER = "consumer"
    LAWYER = "lawyer"
    CLINIC = "clinic"
    MANUFACTURER = "manufacturer"
    SOCIETY = "society"
    MEDIA = "media"
    AUTHORITY = "authority"
    UNKNOWN = "unknown"


class Qualification(StrEnum):
    """Qualification of the primary source (ICH E2B(R3) C.2.r.4)."""

    PHYSICIAN = "physician"
    PHARMACIST = "pharmacist"
    OTHER_HEALTH_PROFESSIONAL = "other_health_professional"
    LAWYER = "lawyer"
    CONSUMER = "consumer"


class Sex(StrEnum):
    """Sex of the patient (ICH E2B(R3) D.5)."""

    FEMALE = "female"
    MALE = "male"
    UNKNOWN = "unknown"


class AgeGroup(StrEnum):
    """Age group of the patient (the groups of ICH E2B(R3) D.2.3)."""

    NEONATE = "neonate"  # under 28 days
    INFANT = "infant"  # 28 days to 23 months
    CHILD = "child"  # 2 to 11 years
    ADOLESCENT = "adolescent"  # 12 to 17 years
    ADULT = "adult"  # 18 to 64 years
    ELDERLY = "elderly"  # 65 years and over
    UNKNOWN = "unknown"


class ProductRole(StrEnum):
    """Role of a product in the reaction (ICH E2B(R3) G.k.1)."""

    SUSPECT = "suspect"
    INTERACTING = "interacting"
    CONCOMITANT = "concomitant"
    NOT_ADMINISTERED = "not_administered"


class Donor(StrEnum):
    """Relation of the donor of the source material to the patient."""

    AUTOLOGOUS = "autologous"
    ALLOGENEIC = "allogeneic"
    XENOGENEIC = "xenogeneic"
    UNKNOWN = "unknown"


class SupplyRoute(StrEnum):
    """Supply route of the product to the patient; decides which law applies."""

    MARKETED_PRODUCT = "marketed_product"
    PHYSICIAN_PRACTICE = "physician_practice"
    CLINICAL_TRIAL = "clinical_trial"
    COMPASSIONATE_USE = "compassionate_use"
    UNKNOWN = "unknown"


class ClaimType(StrEnum):
    """Claimed indication of the product, as stated by its provider."""

    TREATMENT = "treatment"
    PREVENTION = "prevention"
    PERFORMANCE = "performance"
    COSMETIC = "cosmetic"
    UNKNOWN = "unknown"


class Payment(StrEnum):
    """Payer of the product; in Japan it decides the legal frame."""

    INSURED = "insured"
    SELF_PAY = "self_pay"
    UNKNOWN = "unknown"


class ActionTaken(StrEnum):
    """Action taken with the product (ICH E2B(R3) G.k.8)."""

    WITHDRAWN = "withdrawn"
    DOSE_REDUCED = "dose_reduced"
    DOSE_INCREASED = "dose_increased"
    DOSE_NOT_CHANGED = "dose_not_changed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Outcome(StrEnum):
    """Outcome of a reaction at the last observation (ICH E2B(R3) E.i.7)."""

    RECOVERED = "recovered"
    RECOVERING = "recovering"
    NOT_RECOVERED = "not_recovered"
    RECOVERED_WITH_SEQUELAE = "recovered_with_sequelae"
    FATAL = "fatal"
    UNKNOWN = "unknown"


class Seriousness(StrEnum):
    """Seriousness criteria (ICH E2B(R3) E.i.3.2)."""

    DEATH = "death"
    LIFE_THREATENING = "life_threatening"
    HOSPITALISATION = "hospitalisation"
    DISABILITY = "disability"
    CONGENITAL_ANOMALY = "congenital_anomaly"
    MEDICALLY_IMPORTANT = "medically_important"


class VerificationState(StrEnum):
    """Verification state of a report. Rumours never enter a 2x2 table."""

    RUMOUR = "rumour"
    REPORTED = "reported"
    CONTESTED = "contested"
    VALID_ICSR = "valid_icsr"
    HCP_CONFIRMED = "hcp_confirmed"
    AUTHORITY_CONFIRMED = "authority_confirmed"
    REFUTED = "refuted"
    NULLIFIED = "nullified"
    UNRESOLVABLE = "unresolvable"


class LinkKind(StrEnum):
    """Relation of this case to another one."""

    DUPLICATE_OF = "duplicate_of"  # the other case is the master; this one contributes nothing
    PART_OF = "part_of"  # one patient of an aggregate report
    RELATED = "related"  # ICH E2B(R3) C.1.10.r
    DERIVED_FROM = "derived_from"  # repeats what the other one said


class LinkState(StrEnum):
    """Decision about a case and its master."""

    APPLIED = "applied"  # a duplicate: it is kept out of the counts
    REVERSED = "reversed"  # no duplicate after all: it counts again
    SUSPECTED = "suspected"  # noted; it changes no count


class LinkBasis(StrEnum):
    """Basis of a decision that a case is a duplicate."""

    WORLDWIDE_ID = "worldwide_id"  # both have one worldwide case number
    REPORT_NUMBER = "report_number"  # one report of a source stands under two case numbers
    SOURCE_ID = "source_id"  # both have one case number of one sender
    CROSS_LISTED = "cross_listed"  # one lists a number of the other, or both list the same
    PROBABLE = "probable"  # patient, dates, drugs and events agree
    MANUAL = "manual"  # a person decided
