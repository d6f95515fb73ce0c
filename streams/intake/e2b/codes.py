"""Code lists of ICH E2B, releases 2 and 3, in the vocabulary of a report."""

from schemas.vocabulary import (
    ActionTaken,
    AgeGroup,
    Outcome,
    ProductRole,
    Qualification,
    ReporterKind,
    ReportType,
    RevisionKind,
    Seriousness,
    Sex,
)

__all__ = [
    "ACTIONS_R2",
    "ACTIONS_R3",
    "AGE_GROUPS",
    "CRITERIA_R2",
    "CRITERIA_R3",
    "DOSE_UNITS_R2",
    "KINDS",
    "OUTCOMES_R2",
    "OUTCOMES_R3",
    "QUALIFICATIONS",
    "REPORT_TYPES",
    "REVISIONS",
    "ROLES_R2",
    "ROLES_R3",
    "ROUTES_R2",
    "SEXES",
]

REPORT_TYPES = {
    "1": ReportType.SPONTANEOUS,
    "2": ReportType.STUDY,
    "3": ReportType.OTHER,
    "4": ReportType.UNKNOWN,
}
REVISIONS = {"1": RevisionKind.NULLIFICATION, "2": RevisionKind.AMENDMENT}
SEXES = {"1": Sex.MALE, "2": Sex.FEMALE, "0": Sex.UNKNOWN}
AGE_GROUPS = {  # without 0, foetus, which a report has no group for
    "1": AgeGroup.NEONATE,
    "2": AgeGroup.INFANT,
    "3": AgeGroup.CHILD,
    "4": AgeGroup.ADOLESCENT,
    "5": AgeGroup.ADULT,
    "6": AgeGroup.ELDERLY,
}
QUALIFICATIONS = {
    "1": Qualification.PHYSICIAN,
    "2": Qualification.PHARMACIST,
    "3": Qualification.OTHER_HEALTH_PROFESSIONAL,
    "4": Qualification.LAWYER,
    "5": Qualification.CONSUMER,
}
KINDS = {
    Qualification.PHYSICIAN: ReporterKind.PHYSICIAN,
    Qualification.PHARMACIST: ReporterKind.PHARMACIST,
    Qualification.OTHER_HEALTH_PROFESSIONAL: ReporterKind.OTHER_HEALTH_PROFESSIONAL,
    Qualification.LAWYER: ReporterKind.LAWYER,
    Qualification.CONSUMER: ReporterKind.CONSUMER,
}
ROLES_R3 = {
    "1": ProductRole.SUSPECT,
    "2": ProductRole.CONCOMITANT,
    "3": ProductRole.INTERACTING,
    "4": ProductRole.NOT_ADMINISTERED,
}
ROLES_R2 = ROLES_R3  # 4 is an extension of the regions
OUTCOMES_R3 = {
    "0": Outcome.UNKNOWN,
    "1": Outcome.RECOVERED,
    "2": Outcome.RECOVERING,
    "3": Outcome.NOT_RECOVERED,
    "4": Outcome.RECOVERED_WITH_SEQUELAE,
    "5": Outcome.FATAL,
}
OUTCOMES_R2 = {**OUTCOMES_R3, "6": Outcome.UNKNOWN}
ACTIONS_R3 = {
    "0": ActionTaken.UNKNOWN,
    "1": ActionTaken.WITHDRAWN,
    "2": ActionTaken.DOSE_REDUCED,
    "3": ActionTaken.DOSE_INCREASED,
    "4": ActionTaken.DOSE_NOT_CHANGED,
    "9": ActionTaken.NOT_APPLICABLE,
}
ACTIONS_R2 = {
    "1": ActionTaken.WITHDRAWN,
    "2": ActionTaken.DOSE_REDUCED,
    "3": ActionTaken.DOSE_INCREASED,
    "4": ActionTaken.DOSE_NOT_CHANGED,
    "5": ActionTaken.UNKNOWN,
    "6": ActionTaken.NOT_APPLICABLE,
}
CRITERIA_R3 = {
    "34": Seriousness.DEATH,
    "21": Seriousness.LIFE_THREATENING,
    "33": Seriousness.HOSPITALISATION,
    "35": Seriousness.DISABILITY,
    "12": Seriousness.CONGENITAL_ANOMALY,
    "26": Seriousness.MEDICALLY_IMPORTANT,
}
"""E.i.3.2a to f, by the code of their observation."""

CRITERIA_R2 = {
    "seriousnessdeath": Seriousness.DEATH,
    "seriousnesslifethreatening": Seriousness.LIFE_THREATENING,
    "seriousnesshospitalization": Seriousness.HOSPITALISATION,
    "seriousnessdisabling": Seriousness.DISABILITY,
    "seriousnesscongenitalanomali": Seriousness.CONGENITAL_ANOMALY,
    "seriousnessother": Seriousness.MEDICALLY_IMPORTANT,
}
_UNITS = (
    "kg g mg µg ng pg mg/kg µg/kg mg/m² µg/m² L mL µL Bq GBq MBq kBq Ci mCi µCi nCi mol mmol µmol "
    "IU kIU MIU IU/kg mEq % drops DF"
)
DOSE_UNITS_R2 = {f"{number:03}": unit for number, unit in enumerate(_UNITS.split(), start=1)}
ROUTES_R2 = dict(
    zip(
        (f"{number:03}" for number in range(1, 68)),
        (
            *("Auricular (otic)", "Buccal", "Cutaneous", "Dental", "Endocervical", "Endosinusial"),
            *("Endotracheal", "Epidural", "Extra-amniotic", "Hemodialysis"),
            *("Intra corpus cavernosum", "Intra-amniotic", "Intra-arterial", "Intra-articular"),
            *("Intra-uterine", "Intracardiac", "Intracavernous", "Intracerebral"),
            *("Intracervical", "Intracisternal", "Intracorneal", "Intracoronary", "Intradermal"),
            *("Intradiscal (intraspinal)", "Intrahepatic", "Intralesional", "Intralymphatic"),
            *("Intramedullar (bone marrow)", "Intrameningeal", "Intramuscular", "Intraocular"),
            *("Intrapericardial", "Intraperitoneal", "Intrapleural", "Intrasynovial"),
            *("Intratumor", "Intrathecal", "Intrathoracic", "Intratracheal"),
            *("Intravenous bolus", "Intravenous drip", "Intravenous (not otherwise specified)"),
            *("Intravesical", "Iontophoresis", "Nasal", "Occlusive dressing technique"),
            *("Ophthalmic", "Oral", "Oropharingeal", "Other", "Parenteral", "Periarticular"),
            *("Perineural", "Rectal", "Respiratory (inhalation)", "Retrobulbar"),
            *("Subconjunctival", "Subcutaneous", "Subdermal", "Sublingual", "Topical"),
            *("Transdermal", "Transmammary", "Transplacental", "Unknown", "Urethral", "Vaginal"),
        ),
        strict=True,
    )
)
