"""Histories of safety findings: cases and notices that come, change and go, and their alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from schemas.notice import (
    Assertion,
    Exposure,
    Notice,
    NoticeKind,
    Patients,
    Usage,
    Verdict,
    VerificationEvent,
)
from schemas.safety_alert import SafetyAlert
from schemas.vocabulary import ReporterKind, SupplyRoute
from streams.core.cases.domain_case import DomainCase, encode_domain_case
from streams.core.safety.monitor import SafetyMonitor
from tests.support.alerts import AS_OF

__all__ = ["Step", "histories", "make_case", "run_history"]

_EPOCH = date(1970, 1, 1)
FIRST = date(2024, 1, 1)
_SUBJECTS = ("RUM-7", "LC-9")
_ROLES = ("ministry", "institution", "outside_physician", "coroner", "PMDA", "society")
_TERMS = (
    "Sepsis",
    "Septic shock",
    "Urticaria",
    "Death",
    "Malignant neoplasm progression",
    "Systemic inflammatory response syndrome",
)
_CLASSES = ("engineered-ev", "culture-supernatant", "cell-product", "msc-supernatant-exosome")


@dataclass(frozen=True, slots=True)
class Step:
    """What is received on one day: current cases by id (None: nullified), and notices."""

    days: int
    cases: dict[str, DomainCase | None]
    notices: tuple[Notice, ...]


def make_case(
    case_id: str, received: date = FIRST, *, onset: date | None = None, **fields: Any
) -> DomainCase:
    """Return a serious case of sepsis after a vesicle product, with other fields as given."""
    values: dict[str, Any] = {
        "product_class": "engineered-ev",
        "terms": ["Sepsis"],
        "indication_terms": [],
        "serious": True,
        "fatal": False,
        "by_professional": True,
        "country": "US",
        "age_group": "adult",
        "lots": [],
        "facilities": [],
        "manufacturers": [],
        "distributors": [],
        "indications": [],
        "supply_route": SupplyRoute.UNKNOWN.value,
        "exposure_ongoing": None,
        "part_of": [],
        "source": "test",
    }
    return DomainCase(
        case_id=case_id,
        received=(received - _EPOCH).days,
        onset=None if onset is None else (onset - _EPOCH).days,
        **{**values, **fields},
    )


def run_history(steps: Sequence[Step]) -> list[SafetyAlert]:
    """Return every alert that a monitor publishes over a history."""
    monitor, current = SafetyMonitor(), dict[str, DomainCase]()
    alerts: list[SafetyAlert] = []
    day = FIRST
    for step in steps:
        day += timedelta(days=step.days)
        changes: list[tuple[str, int]] = []
        for case_id, case in step.cases.items():
            if (old := current.pop(case_id, None)) is not None:
                changes.append((encode_domain_case(old), -1))
            if case is not None:
                current[case_id] = case
                changes.append((encode_domain_case(case), +1))
        monitor.count(changes)
        for notice in step.notices:
            monitor.apply_notice(notice.model_copy(update={"received": day}))
        alerts += monitor.evaluate(day, AS_OF)
    return alerts


def _some(values: Sequence[str], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(sorted)


@st.composite
def _cases(draw: st.DrawFn) -> DomainCase | None:
    if draw(st.integers(0, 4)) == 0:
        return None
    received = FIRST + timedelta(days=draw(st.integers(0, 20)))
    late = draw(st.sampled_from([None, 0, 1, 120]))
    terms = draw(st.lists(st.sampled_from(_TERMS), min_size=1, max_size=6, unique=True))
    return make_case(
        "",
        received,
        onset=None if late is None else received - timedelta(days=late),
        product_class=draw(st.sampled_from(_CLASSES)),
        terms=["Sepsis", *terms] if draw(st.booleans()) and "Sepsis" not in terms else terms,
        indication_terms=terms[:1] if draw(st.integers(0, 3)) == 0 else [],
        serious=draw(st.integers(0, 5)) > 0,
        fatal=draw(st.integers(0, 4)) == 0,
        by_professional=draw(st.booleans()),
        country=draw(st.sampled_from([None, "US", "JP", "KR", "DE", "BR"])),
        lots=draw(_some(("EX117", "B-2"), 1)),
        facilities=draw(_some(("C-A", "C-B", "C-C", "C-D", "C-E"), 2)),
        manufacturers=draw(_some(("Maker 5",), 1)),
        distributors=draw(_some(("Dealer 6",), 1)),
        part_of=draw(_some(_SUBJECTS, 1)),
        supply_route=draw(st.sampled_from([route.value for route in SupplyRoute])),
    )


@st.composite
def _notices(draw: st.DrawFn) -> Notice:
    kind = draw(
        st.sampled_from(
            [
                NoticeKind.SAFETY_NOTICE,
                NoticeKind.AGGREGATE,
                NoticeKind.VERIFICATION,
                NoticeKind.AMENDMENT,
                NoticeKind.USAGE,
                NoticeKind.FOLLOW_UP,
                NoticeKind.REGULATORY_ACTION,
            ]
        )
    )
    fields: dict[str, Any] = {}
    if kind is NoticeKind.SAFETY_NOTICE:
        fields = {
            "terms": tuple(draw(_some(_TERMS, 2))),
            "fatal": draw(st.sampled_from([True, True, None])),
            "followup_due": draw(st.sampled_from([None, FIRST + timedelta(days=15)])),
        }
    elif kind is NoticeKind.AGGREGATE:
        least = draw(st.integers(1, 5))
        most = draw(st.sampled_from([None, least, least + 3]))
        fields = {
            "terms": tuple(draw(_some(_TERMS, 2))),
            "patients": Patients(at_least=least, at_most=most),
            "indication": draw(st.sampled_from([None, "Lung cancer"])),
        }
    elif kind is NoticeKind.VERIFICATION:
        said = draw(st.sampled_from([*Assertion, *Verdict]))
        fields["verification"] = VerificationEvent(
            by=draw(st.sampled_from(_ROLES)),
            assertion=said if isinstance(said, Assertion) else None,
            verdict=said if isinstance(said, Verdict) else None,
            evidence="records",
        )
    elif kind is NoticeKind.AMENDMENT:
        fields["exposure"] = Exposure(
            ongoing=draw(st.sampled_from([True, True, False])),
            discontinuation_advised_by=draw(st.sampled_from([None, "outside oncologist", "PMDA"])),
        )
    elif kind is NoticeKind.USAGE:
        fields["usage"] = (
            Usage(
                person="P-3",
                volume_ml=draw(st.sampled_from([80.0, 100.0, 100.00001, 250.0, 1500.5])),
                route="intravenous",
                setting=draw(st.sampled_from([None, "clinic", "surgery"])),
                athlete=draw(st.sampled_from([True, None, False])),
                approved=draw(st.sampled_from([True, None, False])),
            ),
        )
    elif kind is NoticeKind.FOLLOW_UP:
        fields["followup_closed"] = draw(st.booleans())
        if not fields["followup_closed"]:
            fields["followup_due"] = FIRST + timedelta(days=draw(st.integers(5, 25)))
    else:
        fields["authority"] = "FDA"
    return Notice(
        notice_id=f"N-{draw(st.integers(1, 12))}",
        subject_id=draw(st.sampled_from(_SUBJECTS)),
        kind=kind,
        received=FIRST,
        source="press",
        reporter=draw(st.sampled_from(list(ReporterKind))),
        country=draw(st.sampled_from([None, "JP", "US"])),
        product_class=draw(st.sampled_from([None, *_CLASSES])),
        **fields,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Draw a history of at most 12 days with something received."""
    steps = []
    for _ in range(draw(st.integers(1, 12))):
        cases = {
            case_id: None if (case := draw(_cases())) is None else _named(case, case_id)
            for case_id in draw(_some(("NE-1", "NE-2", "NE-3", "NE-4", "NE-5"), 4))
        }
        notices = tuple(draw(st.lists(_notices(), max_size=2)))
        steps.append(Step(days=draw(st.integers(0, 9)), cases=cases, notices=notices))
    return steps


def _named(case: DomainCase, case_id: str) -> DomainCase:
    fields = {name: getattr(case, name) for name in case.__struct_fields__}
    return DomainCase(**{**fields, "case_id": case_id})
