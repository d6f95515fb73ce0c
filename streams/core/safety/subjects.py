"""State of rumours and other subjects, from their notices, independent of the counts.

Nothing here enters a 2x2 table. The state of a subject follows from the set of its notices and of
the reports that are part of it, so that the order of arrival and repeats change nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from schemas.domain import domain_vocabulary
from schemas.normal_form import normal_term
from schemas.notice import Assertion, Notice, NoticeKind, Patients, Verdict
from schemas.vocabulary import ActionTaken, ReporterKind, SupplyRoute, VerificationState
from streams.core.cases.spellings import one_spelling_each
from streams.core.safety.reporting_duties import LawTable

__all__ = [
    "KnownOnDay",
    "LinkedCase",
    "Subject",
    "describe",
    "in_order_of_receipt",
    "is_fatal",
    "open_requests",
    "verification_state",
]

_REPORTING_KINDS = {NoticeKind.SAFETY_NOTICE, NoticeKind.MEDIA, NoticeKind.AGGREGATE}
_SETTLED = {
    Verdict.REFUTED: VerificationState.REFUTED,
    Verdict.UNRESOLVABLE: VerificationState.UNRESOLVABLE,
}
_PHYSICIANS = {
    ReporterKind.PHYSICIAN,
    ReporterKind.OUTSIDE_PHYSICIAN,
    ReporterKind.PHARMACIST,
    ReporterKind.OTHER_HEALTH_PROFESSIONAL,
}


@dataclass(frozen=True, slots=True)
class KnownOnDay:
    """The notices known on a day, and the laws of the day.

    Attributes
    ----------
    notices
        By subject, both in order of name; none without a notice.
    acted
        Result of `streams.core.safety.findings.actions` for them.
    """

    day: date
    notices: Mapping[str, Sequence[Notice]]
    acted: Mapping[str, date]
    law: LawTable


@dataclass(frozen=True, slots=True)
class LinkedCase:
    """Current case that states that it is part of a subject.

    Attributes
    ----------
    counted
        Whether it is in the counted population: valid, not nullified, no duplicate.
    by_professional
        Whether a health professional reported it.
    """

    case_id: str
    counted: bool
    by_professional: bool
    fatal: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """State of one subject on a day.

    Attributes
    ----------
    state
        Verification state.
    evidence
        Statements in order of receipt: (day, role, assertion or verdict).
    sources
        Notices that report it and repeat no other one.
    repeats
        Notices that repeat another one.
    patients
        Number of patients, the case reports included; None if nothing states it.
    cases
        Current cases that are part of it, counted or not, by name.
    fatal
        Whether a death is reported.
    exposure_ongoing
        Whether treatment continues, or was reported to continue against advice; None if not known.
    overdue_since
        First day on which an answer was due that is still missing on the day asked; None if nothing
        is overdue.
    """

    subject_id: str
    first_received: date
    last_received: date
    state: VerificationState
    evidence: tuple[tuple[date, str, str], ...]
    sources: tuple[str, ...]
    repeats: tuple[str, ...]
    product_class: str | None
    terms: tuple[str, ...]
    families: tuple[str, ...]
    countries: tuple[str, ...]
    facilities: tuple[str, ...]
    indications: tuple[str, ...]
    supply_route: SupplyRoute
    patients: Patients | None
    cases: tuple[LinkedCase, ...]
    fatal: bool
    exposure_ongoing: bool | None
    advised_by: str | None
    overdue_since: date | None

    @property
    def confirmed(self) -> bool:
        """Return whether a verdict confirmed it."""
        return self.state in _CONFIRMED

    @property
    def closed(self) -> bool:
        """Return whether there is a verdict."""
        return self.confirmed or self.state in _SETTLED.values()

    @property
    def verified(self) -> int:
        """Return the number of patients with a counted case."""
        return sum(case.counted for case in self.cases)


_CONFIRMED = {
    VerificationState.VALID_ICSR,
    VerificationState.HCP_CONFIRMED,
    VerificationState.AUTHORITY_CONFIRMED,
}


def describe(notices: Iterable[Notice], cases: Iterable[LinkedCase], day: date) -> Subject:
    """Return the state of a subject on a day.

    Parameters
    ----------
    notices
        Every notice of the subject so far, in any order, repeats included; at least one.
    cases
        Current cases that say they are part of it.
    day
        Event-time day that deadlines are compared with.
    """
    known = in_order_of_receipt(notices)
    linked = tuple(sorted(cases, key=lambda case: case.case_id))
    reporting = [notice for notice in known if notice.kind in _REPORTING_KINDS]
    terms = one_spelling_each(term for notice in known for term in notice.terms)
    vocabulary = domain_vocabulary()
    classes = [
        code
        for notice in known
        if (code := notice.product_class or vocabulary.product_class(notice.product))
    ]
    return Subject(
        subject_id=known[0].subject_id,
        first_received=known[0].received,
        last_received=known[-1].received,
        state=verification_state(known),
        evidence=tuple(
            (notice.received, said.by, str(said.assertion or said.verdict))
            for notice in known
            if (said := notice.verification)
        ),
        sources=tuple(notice.notice_id for notice in reporting if not notice.derived_from),
        repeats=tuple(notice.notice_id for notice in reporting if notice.derived_from),
        product_class=classes[0] if classes else None,
        terms=terms,
        families=tuple(sorted({f for term in terms if (f := vocabulary.family(term))})),
        countries=_distinct(notice.country for notice in known),
        facilities=_distinct(notice.facility_id for notice in known),
        indications=_distinct(notice.indication for notice in known),
        supply_route=next(
            (n.supply_route for n in reversed(known) if n.supply_route is not SupplyRoute.UNKNOWN),
            SupplyRoute.UNKNOWN,
        ),
        patients=_patients(known, linked),
        cases=linked,
        fatal=any(map(is_fatal, known)) or any(case.fatal and case.counted for case in linked),
        exposure_ongoing=_exposure(known),
        advised_by=next(
            (
                notice.exposure.discontinuation_advised_by
                for notice in reversed(known)
                if notice.exposure and notice.exposure.discontinuation_advised_by
            ),
            None,
        ),
        overdue_since=_overdue(known, day),
    )


def in_order_of_receipt(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """Return notices in the order that a state follows from; of each id the current content."""
    unique = {notice.notice_id: notice for notice in sorted(notices, key=_content)}
    return tuple(sorted(unique.values(), key=_order))


def is_fatal(notice: Notice) -> bool:
    """Return whether a notice tells of a death."""
    return bool(notice.fatal) or "death" in map(normal_term, notice.terms)


def verification_state(notices: Sequence[Notice]) -> VerificationState:
    """Return the verification state of a subject, from its notices in order of receipt.

    It begins as a rumour; one that states patients is `reported`. A denial, or an authority that
    knows of no source, makes it only `contested`: only a verdict on evidence settles it. A
    statement after a verdict is evidence; only another verdict changes the state. The authority, a
    health professional, or a valid report confirms it.
    """
    state = VerificationState.RUMOUR
    settled = False
    for notice in notices:
        said = notice.verification
        if said is None:
            states_patients = notice.patients is not None and notice.kind in _REPORTING_KINDS
            if states_patients and state is VerificationState.RUMOUR:
                state = VerificationState.REPORTED
        elif said.verdict is not None:
            settled = True
            state = _SETTLED.get(said.verdict, _confirmed_by(notice.reporter))
        elif not settled and said.assertion is not Assertion.AFFIRMS:
            state = VerificationState.CONTESTED
    return state


def _confirmed_by(reporter: ReporterKind) -> VerificationState:
    if reporter is ReporterKind.AUTHORITY:
        return VerificationState.AUTHORITY_CONFIRMED
    if reporter in _PHYSICIANS:
        return VerificationState.HCP_CONFIRMED
    return VerificationState.VALID_ICSR


def _patients(known: Sequence[Notice], cases: Sequence[LinkedCase]) -> Patients | None:
    """Return the number of patients, which includes the case reports."""
    stated = [notice.patients for notice in known if notice.patients]
    verified = sum(case.counted for case in cases)
    if not stated:
        return Patients(at_least=verified) if verified else None
    at_least = max(patients.at_least for patients in stated)
    # The latest upper bound is used, unless there are more cases than it allows.
    at_most = stated[-1].at_most
    at_least = max(at_least, verified)
    if at_most is not None and at_most < at_least:
        at_most = None
    return Patients(at_least=at_least, at_most=at_most)


def _exposure(known: Sequence[Notice]) -> bool | None:
    for notice in reversed(known):
        if (exposure := notice.exposure) is None:
            continue
        if exposure.ongoing is not None:
            return exposure.ongoing
        if exposure.action_taken is ActionTaken.DOSE_NOT_CHANGED:
            return True
        if exposure.action_taken is ActionTaken.WITHDRAWN:
            return False
    return None


def open_requests(known: Sequence[Notice]) -> list[Notice]:
    """Return the notices that ask for an answer by a day and got none, nor a verdict, since."""
    closed = max(
        (notice.received for notice in known if notice.followup_closed or _settles(notice)),
        default=None,
    )
    return [
        notice
        for notice in known
        if notice.followup_due and (closed is None or notice.received > closed)
    ]


def _overdue(known: Sequence[Notice], day: date) -> date | None:
    due = [notice.followup_due for notice in open_requests(known) if notice.followup_due]
    return min((limit for limit in due if limit < day), default=None)


def _settles(notice: Notice) -> bool:
    return notice.verification is not None and notice.verification.verdict is not None


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value}))


def _order(notice: Notice) -> tuple[date, bool, str]:
    # On one day, notices that describe a subject come before verifications.
    return notice.received, notice.verification is not None, notice.notice_id


def _content(notice: Notice) -> tuple[date, str]:
    # Of two contents under one id the later is current, in any order of arrival.
    return notice.received, notice.model_dump_json()
