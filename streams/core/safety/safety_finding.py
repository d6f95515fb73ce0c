"""One safety finding: what is known on a day of a lot, a case or a rumour."""

from dataclasses import dataclass
from datetime import date

from schemas.notice import Patients
from schemas.safety_alert import AlertCategory, ClusterRuleMet, EndReason, Stated, SubjectKind
from schemas.vocabulary import SupplyRoute, VerificationState

__all__ = ["SafetyFinding"]


@dataclass(frozen=True, slots=True)
class SafetyFinding:
    """One finding to alert on, in its current state.

    Attributes
    ----------
    subject
        Parts of the signal key after the category.
    size
        Patients, or cases: a greater size strengthens the alert.
    ended_because
        Reason why it has ended; None while it is open.

    The other fields are those of `SafetyAlert`.
    """

    category: AlertCategory
    subject: tuple[str, ...]
    size: int
    urgent: bool = False
    ended_because: EndReason | None = None
    subject_kind: SubjectKind | None = None
    product_class: str | None = None
    supply_route: SupplyRoute = SupplyRoute.UNKNOWN
    terms: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    case_ids: tuple[str, ...] = ()
    n_cases: int = 0
    n_serious: int = 0
    n_fatal: int = 0
    patients: Patients | None = None
    n_verified: int = 0
    n_by_professional: int = 0
    verification: VerificationState | None = None
    stated: tuple[Stated, ...] = ()
    n_sources: int | None = None
    part_of: tuple[str, ...] = ()
    fatal_case_ids: tuple[str, ...] = ()
    advised_by: str | None = None
    due_since: date | None = None
    volume_ml: float | None = None
    limit_ml: float | None = None
    within_hours: float | None = None
    athlete_stated: bool | None = None
    rule: ClusterRuleMet | None = None
    first_day: date | None = None
    last_day: date | None = None
    lots: tuple[str, ...] = ()
    facilities: tuple[str, ...] = ()
    same_cases: tuple[str, ...] = ()
    n_same_cases: int | None = None
    flags: tuple[str, ...] = ()
