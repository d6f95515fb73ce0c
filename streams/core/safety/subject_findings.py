"""Safety findings of subjects: rumours, series, ongoing exposure, overdue answers, use in sport."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from schemas.notice import Notice
from schemas.safety_alert import AlertCategory, EndReason, Stated, SubjectKind
from schemas.vocabulary import VerificationState
from streams.core.cases.domain_case import DomainCase, confounded
from streams.core.safety.safety_finding import SafetyFinding
from streams.core.safety.sports_rules import UsageRules, check_usage
from streams.core.safety.subjects import LinkedCase, Subject, describe, is_fatal

__all__ = ["findings_of_subject"]


def findings_of_subject(
    notices: Sequence[Notice], cases: Sequence[DomainCase], day: date, usage: UsageRules
) -> list[SafetyFinding]:
    """Return the safety findings of one subject.

    Parameters
    ----------
    notices
        Its notices so far; at least one.
    cases
        The current, counted cases that are part of it.
    """
    linked = [LinkedCase(case.case_id, True, case.by_professional, case.fatal) for case in cases]
    subject = describe(notices, linked, day)
    several = subject.patients is not None and subject.patients.at_least > 1
    common = SafetyFinding(
        category=AlertCategory.CASE_SERIES,
        subject=(subject.subject_id,),
        subject_kind=SubjectKind.SERIES if several else SubjectKind.NOTICE,
        size=0,
        product_class=subject.product_class,
        supply_route=subject.supply_route,
        terms=subject.terms,
        families=subject.families,
        countries=subject.countries,
        verification=subject.state,
        stated=tuple(Stated(on=on, by=by, said=said) for on, by, said in subject.evidence),
        first_day=subject.first_received,
        facilities=subject.facilities,
        flags=("indication_confounding",) if confounded(subject.terms, subject.indications) else (),
    )
    found = [
        *_rumour(common, subject, notices, cases),
        *_series(common, subject, cases),
        *_exposure(common, subject, notices),
    ]
    if subject.overdue_since is not None:
        found.append(
            replace(
                common,
                category=AlertCategory.FOLLOW_UP_OVERDUE,
                size=1,
                due_since=subject.overdue_since,
            )
        )
    return found + _usage(common, notices, usage)


def _rumour(
    common: SafetyFinding,
    subject: Subject,
    notices: Sequence[Notice],
    cases: Sequence[DomainCase],
) -> list[SafetyFinding]:
    if not (subject.fatal and _is_hearsay(notices)):
        return []
    fatal = tuple(sorted(case.case_id for case in cases if case.fatal))
    return [
        replace(
            common,
            category=AlertCategory.UNVERIFIED_FATAL,
            subject_kind=SubjectKind.NOTICE,
            size=len(subject.sources),
            n_sources=len(subject.sources),
            n_fatal=len(fatal),
            fatal_case_ids=fatal,
            ended_because=EndReason.SETTLED if subject.closed else None,
        )
    ]


def _series(
    common: SafetyFinding, subject: Subject, cases: Sequence[DomainCase]
) -> list[SafetyFinding]:
    if subject.patients is None or subject.patients.at_least <= 1:
        return []
    refuted = subject.state is VerificationState.REFUTED
    return [
        replace(
            common,
            size=subject.patients.at_least,
            patients=subject.patients,
            n_cases=len(cases),
            n_serious=sum(case.serious for case in cases),
            n_fatal=sum(case.fatal for case in cases),
            n_verified=subject.verified,
            n_by_professional=sum(case.by_professional for case in subject.cases),
            case_ids=tuple(case.case_id for case in subject.cases),
            ended_because=EndReason.SETTLED if refuted else None,
        )
    ]


def _exposure(
    common: SafetyFinding, subject: Subject, notices: Sequence[Notice]
) -> list[SafetyFinding]:
    if subject.exposure_ongoing is None or not _was_ongoing(notices):
        return []
    return [
        replace(
            common,
            category=AlertCategory.ONGOING_EXPOSURE,
            size=1,
            advised_by=subject.advised_by,
            ended_because=None if subject.exposure_ongoing else EndReason.EXPOSURE_ENDED,
        )
    ]


def _usage(
    common: SafetyFinding, notices: Sequence[Notice], rules: UsageRules
) -> list[SafetyFinding]:
    given = [(notice.received, usage) for notice in notices for usage in notice.usage]
    athletes = {usage.person for _, usage in given if usage.athlete}
    return [
        replace(
            common,
            category=AlertCategory.USAGE_RULE,
            size=1,
            subject=(*common.subject, result.person),
            subject_kind=SubjectKind.PERSON,
            volume_ml=result.volume_ml,
            limit_ml=rules.volume.more_than_ml,
            within_hours=rules.volume.within_hours,
            athlete_stated=result.person in athletes,
            flags=result.reasons,
            verification=None,
        )
        for result in check_usage(given, rules)
        if result.to_report
    ]


def _is_hearsay(notices: Sequence[Notice]) -> bool:
    """Return whether a notice reported the death, not only its case reports."""
    return any(map(is_fatal, notices))


def _was_ongoing(notices: Sequence[Notice]) -> bool:
    """Return whether exposure was ever reported as ongoing: only then is its end reported."""
    return any(
        describe(notices[: n + 1], (), date.max).exposure_ongoing for n in range(len(notices))
    )
