"""Context of a signal of a product of the domain, from its cases and the notices of a day.

Stateless: for a signal without a case left, the caller passes the context published last.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

from schemas.alert import SignalLevel
from schemas.context import Context, ContextChanges, NamedCount, NoticeSoFar, SubjectSoFar
from schemas.domain import domain_vocabulary
from schemas.normal_form import normal_term
from schemas.notice import Notice, NoticeKind
from schemas.vocabulary import SupplyRoute, VerificationState
from streams.core.cases.domain_case import DomainCase
from streams.core.cases.levels import family_of_term, level_names, level_of
from streams.core.cases.spellings import one_spelling_each
from streams.core.safety.findings import flags_of
from streams.core.safety.reporting_duties import duty_lines
from streams.core.safety.subjects import KnownOnDay, Subject, describe
from streams.core.wording.duties import duty_without_country, law_table_line

__all__ = ["context_of", "is_of_product"]

_LISTED = {
    NoticeKind.SAFETY_NOTICE,
    NoticeKind.MEDIA,
    NoticeKind.AGGREGATE,
    NoticeKind.GUIDANCE,
    NoticeKind.REGULATORY_ACTION,
}


def is_of_product(case: DomainCase, drug: str) -> bool:
    """Return whether a counted drug is a product of the domain in a case, or a level of one."""
    return drug in case.drugs or drug in level_names(case.classes, case.lots, case.facilities)


def context_of(
    drug: str,
    event: str,
    cases: Sequence[DomainCase],
    on_day: KnownOnDay,
    *,
    designated: frozenset[str],
    last: Context | None = None,
) -> Context | None:
    """Return the context of a signal; None if its product is not of the domain.

    Parameters
    ----------
    drug, event
        Names as counted.
    cases
        The cases of the pair in which the drug is a product of the domain (`is_of_product`).
    on_day
        The notices and laws of the day of evaluation.
    designated
        Normal forms of the terms that the policy designates.
    last
        The last published context.
    """
    code = _class_of(drug, event, cases, last)
    if code is None:
        return None
    family = family_of_term(event).removeprefix("family:") or None
    if level_of(drug, event) is SignalLevel.FAMILY:
        family = event.removeprefix("family:")
    of_class = {
        subject: notices
        for subject, notices in on_day.notices.items()
        if any(_is_of_class(notice, code) for notice in notices)
    }
    subjects = _subjects_of(of_class, cases, event, family, on_day.day)
    terms = one_spelling_each(term for case in cases for term in case.terms)
    n, n_by_professional = len(cases), sum(case.by_professional for case in cases)
    counted = _counted_by_name(cases)
    named = domain_vocabulary().classes.get(code)
    return Context(
        product_class=code,
        class_label=named.label if named else code,
        family=family,
        n_cases=n,
        lot_missing_share=sum(not case.lots for case in cases) / n if n else None,
        **counted,
        designated=tuple(term for term in terms if normal_term(term) in designated),
        duty=_duties(code, cases, on_day, last),
        law_version=on_day.law.version,
        exposure_ongoing=_ongoing(cases, subjects),
        subjects=_subjects_so_far(subjects, last),
        notices=_so_far(of_class.values(), code),
        n_by_professional=n_by_professional,
        verification=_verification(n, n_by_professional, subjects),
        flags=flags_of(cases, on_day.acted),
        changes=_changes(counted, last),
    )


def _subjects_so_far(subjects: Iterable[Subject], last: Context | None) -> tuple[SubjectSoFar, ...]:
    """Return the subjects with their states, and those that the last context had."""
    before = {each.subject_id: each.state for each in last.subjects} if last else {}
    return tuple(
        SubjectSoFar(
            subject_id=each.subject_id,
            state=each.state,
            was=None if (was := before.get(each.subject_id)) is each.state else was,
        )
        for each in subjects
    )


def _changes(
    counted: Mapping[str, tuple[NamedCount, ...]], last: Context | None
) -> ContextChanges | None:
    """Return what changed since the context published last."""
    if last is None:
        return None
    added, gone = {}, {}
    for field in ("countries", "lots", "facilities"):
        now, before = (
            {each.name for each in counts} for counts in (counted[field], getattr(last, field))
        )
        added[field], gone[field] = tuple(sorted(now - before)), tuple(sorted(before - now))
    return ContextChanges(
        countries_added=added["countries"],
        countries_gone=gone["countries"],
        n_lots_gone=len(gone["lots"]),
        n_facilities_gone=len(gone["facilities"]),
    )


def _subjects_of(
    notices: Mapping[str, Sequence[Notice]],
    cases: Iterable[DomainCase],
    event: str,
    family: str | None,
    day: date,
) -> list[Subject]:
    """Return the subjects that the cases are part of, or whose notices mention the event."""
    linked = {name for case in cases for name in case.part_of}
    return [
        describe(of_subject, (), day)
        for subject, of_subject in notices.items()
        if subject in linked or _mentions(of_subject, event, family)
    ]


def _counted_by_name(cases: Sequence[DomainCase]) -> dict[str, tuple[NamedCount, ...]]:
    """Return the fields of `Context` that are numbers of cases by name."""
    return {
        "countries": _counted([case.country] for case in cases if case.country),
        "lots": _counted(case.lots for case in cases),
        "facilities": _counted(case.facilities for case in cases),
        "tissues": _counted(case.tissues for case in cases),
        "donors": _counted(case.donors for case in cases),
        "routes": _counted(case.routes for case in cases),
        "indications": _counted(case.indications for case in cases),
        "supply_routes": _counted([case.supply_route] for case in cases),
    }


def _class_of(
    drug: str, event: str, cases: Sequence[DomainCase], last: Context | None
) -> str | None:
    """Return the class of the signal, of all its cases, the class above them, or the last one."""
    level = level_of(drug, event)
    if level in (SignalLevel.CLASS, SignalLevel.FAMILY):
        return drug
    codes = {case.product_class for case in cases}
    if not codes:
        return last.product_class if last else None
    if len(codes) == 1:
        return codes.pop()
    return domain_vocabulary().classes_of(min(codes))[-1]


def _is_of_class(notice: Notice, code: str) -> bool:
    """Return whether a notice is about a class, one under it or one above it."""
    vocabulary = domain_vocabulary()
    named = notice.product_class or vocabulary.product_class(notice.product)
    return named is not None and (
        named in vocabulary.classes_of(code) or code in vocabulary.classes_of(named)
    )


def _mentions(notices: Iterable[Notice], event: str, family: str | None) -> bool:
    terms = {normal_term(term) for notice in notices for term in notice.terms}
    if event == f"family:{family}":
        return any(family_of_term(term) == event for term in terms)
    return event in terms


def _counted(values: Iterable[Collection[str]]) -> tuple[NamedCount, ...]:
    counts = Counter(name for of_case in values for name in set(of_case))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(NamedCount(name=name, n=n) for name, n in ordered)


def _duties(
    code: str, cases: Iterable[DomainCase], on_day: KnownOnDay, last: Context | None
) -> tuple[str, ...]:
    """Return law lines for each country, also one without a known duty, by the law of the day."""
    asked = {(case.country or "", case.product_class, case.supply_route) for case in cases}
    if not asked and last is not None:  # no case is left: the last published countries
        asked = {(place.name, code, SupplyRoute.UNKNOWN.value) for place in last.countries}
    lines = [
        line
        for country, of_class, route in sorted(asked)
        for line in (
            duty_lines(
                country, on_day.law.frames_for(country, of_class, SupplyRoute(route), on_day.day)
            )
            if country
            else (duty_without_country(),)
        )
    ]
    unique = tuple(dict.fromkeys(lines)) or (duty_without_country(),)
    return (*unique, law_table_line(on_day.law.version))


def _ongoing(cases: Iterable[DomainCase], subjects: Iterable[Subject]) -> bool | None:
    stated = {
        *(case.exposure_ongoing for case in cases),
        *(subject.exposure_ongoing for subject in subjects),
    }
    return True if True in stated else False if False in stated else None


def _so_far(by_subject: Iterable[Sequence[Notice]], code: str) -> tuple[NoticeSoFar, ...]:
    listed = [
        NoticeSoFar(
            notice_id=notice.notice_id,
            kind=notice.kind,
            on=notice.received,
            country=notice.country,
        )
        for notices in by_subject
        for notice in notices
        if notice.kind in _LISTED and _is_of_class(notice, code)
    ]
    return tuple(sorted(listed, key=lambda notice: (notice.on, notice.notice_id)))


def _verification(n: int, n_by_professional: int, subjects: Iterable[Subject]) -> str:
    text = f"{n_by_professional} of {n} patients reported by a health professional"
    if n == 0:
        text = "no case is left"
    if n > n_by_professional:
        text += f"; {n - n_by_professional} by a consumer or lawyer"
    for subject in subjects:
        if subject.patients is None or subject.state is VerificationState.REFUTED:
            continue
        number = f"{subject.patients.at_least}"
        if not subject.patients.exact:
            number = f"at least {number}"
        text += f"; {subject.subject_id} tells of {number}"
    return text
