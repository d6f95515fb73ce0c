"""Safety findings from domain cases and notices on one day; stateless."""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files

import polars as pl

from detectors.clusters import CLUSTER_REPORTS, ClusterRule, Unit, find_clusters
from schemas.domain import domain_vocabulary
from schemas.notice import Notice, NoticeKind, Patients
from schemas.safety_alert import AlertCategory, Stated
from schemas.vocabulary import SupplyRoute, VerificationState
from streams.core.cases.chronology import LATE_DAYS
from streams.core.cases.domain_case import DomainCase, confounded
from streams.core.cases.spellings import one_spelling_each
from streams.core.safety.sports_rules import UsageRules, check_usage
from streams.core.safety.subjects import LinkedCase, Subject, describe, is_fatal

__all__ = ["SafetyFinding", "actions", "cluster_rules", "findings", "flags_of"]

_EPOCH = date(1970, 1, 1)
_UNITS: Mapping[Unit, tuple[AlertCategory, Callable[[DomainCase], list[str]]]] = {
    "lot": (AlertCategory.LOT_CLUSTER, lambda case: case.lots),
    "facility": (AlertCategory.FACILITY_CLUSTER, lambda case: case.facilities),
    "manufacturer": (AlertCategory.MANUFACTURER_CLUSTER, lambda case: case.manufacturers),
    "distributor": (AlertCategory.DISTRIBUTOR_CLUSTER, lambda case: case.distributors),
}


@dataclass(frozen=True, slots=True)
class SafetyFinding:
    """One finding to alert on, in its current state.

    Attributes
    ----------
    subject
        Parts of the signal key after the category.
    size
        Patients, or cases: a greater size strengthens the alert.
    closing
        Reason why it has ended; None while it is open.
    note
        Addition to the sentence.
    """

    category: AlertCategory
    subject: tuple[str, ...]
    size: int
    urgent: bool = False
    closing: str | None = None
    note: str = ""
    product_class: str | None = None
    supply_route: SupplyRoute = SupplyRoute.UNKNOWN
    terms: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    case_ids: tuple[str, ...] = ()
    patients: Patients | None = None
    n_verified: int = 0
    n_by_professional: int = 0
    verification: VerificationState | None = None
    stated: tuple[Stated, ...] = ()
    first_day: date | None = None
    last_day: date | None = None
    lots: tuple[str, ...] = ()
    facilities: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def findings(
    cases: Iterable[DomainCase],
    notices: Mapping[str, Sequence[Notice]],
    day: date,
    *,
    clusters: Sequence[ClusterRule],
    usage: UsageRules,
) -> list[SafetyFinding]:
    """Return every safety finding of a day.

    Parameters
    ----------
    cases
        The current, counted cases with a product of the domain.
    notices
        All notices so far, by subject.
    day
        Event-time day; notices after it are not known yet.
    clusters, usage
        The rules.
    """
    by_id = {case.case_id: case for case in sorted(cases, key=lambda case: case.case_id)}
    known = {
        subject: received
        for subject, of_subject in sorted(notices.items())
        if (received := [notice for notice in of_subject if notice.received <= day])
    }
    acted = actions(known)
    found = _clusters(by_id, clusters, acted)
    found += [_fatal(case, acted) for case in by_id.values() if case.fatal]
    for subject, received in known.items():
        linked = [
            LinkedCase(case.case_id, True, case.by_professional, case.fatal)
            for case in by_id.values()
            if subject in case.part_of
        ]
        found += _of_subject(describe(received, linked, day), received, usage)
    return found


@lru_cache(maxsize=1)
def cluster_rules() -> tuple[ClusterRule, ...]:
    """Return the cluster rules that are shipped."""
    raw = tomllib.loads(files("streams.core.safety").joinpath("clusters.toml").read_text("utf-8"))
    return tuple(ClusterRule.model_validate(rule) for rule in raw["rules"])


def _of_subject(
    subject: Subject, notices: Sequence[Notice], usage: UsageRules
) -> list[SafetyFinding]:
    common = SafetyFinding(
        category=AlertCategory.CASE_SERIES,
        subject=(subject.subject_id,),
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
    verdict = f"settled as {subject.state.replace('_', ' ')}" if subject.closed else None
    found = []
    if subject.fatal and _is_hearsay(notices):
        found.append(
            _with(common, AlertCategory.UNVERIFIED_FATAL, len(subject.sources), closing=verdict)
        )
    if subject.patients and subject.patients.at_least > 1:
        found.append(
            _with(
                common,
                AlertCategory.CASE_SERIES,
                subject.patients.at_least,
                patients=subject.patients,
                n_verified=subject.verified,
                n_by_professional=sum(case.by_professional for case in subject.cases),
                case_ids=tuple(case.case_id for case in subject.cases),
                closing=verdict if subject.state is VerificationState.REFUTED else None,
            )
        )
    if subject.exposure_ongoing is not None and _was_ongoing(notices):
        against = f", against the advice of an {subject.advised_by}" if subject.advised_by else ""
        found.append(
            _with(
                common,
                AlertCategory.ONGOING_EXPOSURE,
                1,
                note=against,
                closing=None if subject.exposure_ongoing else "the exposure has ended",
            )
        )
    if subject.overdue_since is not None:
        found.append(
            _with(
                common,
                AlertCategory.FOLLOW_UP_OVERDUE,
                1,
                note=f", due on {subject.overdue_since.isoformat()}",
            )
        )
    return found + _usage(common, notices, usage)


def _with(
    common: SafetyFinding, category: AlertCategory, size: int, **fields: object
) -> SafetyFinding:
    values = {name: getattr(common, name) for name in SafetyFinding.__dataclass_fields__}
    return SafetyFinding(**{**values, "category": category, "size": size, **fields})  # type: ignore[arg-type]


def _usage(
    common: SafetyFinding, notices: Sequence[Notice], rules: UsageRules
) -> list[SafetyFinding]:
    given = [(notice.received, usage) for notice in notices for usage in notice.usage]
    return [
        _with(
            common,
            AlertCategory.USAGE_RULE,
            1,
            subject=(*common.subject, result.person),
            note=f", {result.volume_ml:g} mL at most within "
            f"{rules.volume.within_hours:g} hours ({', '.join(result.reasons)})",
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


def _fatal(case: DomainCase, acted: Mapping[str, date]) -> SafetyFinding:
    return SafetyFinding(
        category=AlertCategory.FATAL_CASE,
        subject=(case.case_id,),
        size=1,
        urgent=True,
        note=f", reported in part of {', '.join(case.part_of)}" if case.part_of else "",
        **_of_cases([case], acted),  # type: ignore[arg-type]
    )


def _clusters(
    cases: Mapping[str, DomainCase], rules: Sequence[ClusterRule], acted: Mapping[str, date]
) -> list[SafetyFinding]:
    found: dict[tuple[str, ...], tuple[ClusterRule, set[str]]] = {}
    for rule in rules:
        table = _cluster_reports(cases.values(), rule.by)
        for row in find_clusters(table, rule).iter_rows(named=True):
            key = (rule.by, row["product_class"], rule.event_family, row["unit"])
            found.setdefault(key, (rule, set()))[1].update(row["case_ids"])
    of_lots = [members for key, (_, members) in found.items() if key[0] == "lot"]
    return [
        SafetyFinding(
            category=_UNITS[rule.by][0],
            subject=key[1:],
            size=len(members),
            urgent=True,
            **_of_cases([cases[name] for name in sorted(members)], acted),  # type: ignore[arg-type]
        )
        for key, (rule, members) in found.items()
        # A cluster that one lot explains is not one of the clinic that used it.
        if rule.by == "lot" or not any(members <= of_lot for of_lot in of_lots)
    ]


def _cluster_reports(cases: Iterable[DomainCase], by: Unit) -> pl.DataFrame:
    family = domain_vocabulary().family
    rows = [
        (case.case_id, _day(case), code, of_event, case.serious, unit)
        for case in cases
        for code in domain_vocabulary().classes_of(case.product_class)[-1:]
        for of_event in sorted(set(filter(None, map(family, case.terms))))
        for unit in _UNITS[by][1](case)
    ]
    columns = ("case_id", "day", "product_class", "event_family", "serious", by)
    return pl.DataFrame(
        {name: [row[i] for row in rows] for i, name in enumerate(columns)},
        schema={**CLUSTER_REPORTS, by: pl.String()},
    ).select(*CLUSTER_REPORTS, by)


def _of_cases(cases: Sequence[DomainCase], acted: Mapping[str, date]) -> dict[str, object]:
    vocabulary = domain_vocabulary()
    terms = one_spelling_each(term for case in cases for term in case.terms)
    days = [_day(case) for case in cases]
    routes = {case.supply_route for case in cases} - {SupplyRoute.UNKNOWN.value}
    return {
        "product_class": vocabulary.classes_of(cases[0].product_class)[-1],
        "supply_route": SupplyRoute(routes.pop()) if len(routes) == 1 else SupplyRoute.UNKNOWN,
        "terms": terms,
        "families": tuple(sorted({f for term in terms if (f := vocabulary.family(term))})),
        "countries": tuple(sorted({case.country for case in cases if case.country})),
        "case_ids": tuple(case.case_id for case in cases),
        "n_verified": len(cases),
        "n_by_professional": sum(case.by_professional for case in cases),
        "first_day": min(days),
        "last_day": max(days),
        "lots": tuple(sorted({lot for case in cases for lot in case.lots})),
        "facilities": tuple(sorted({name for case in cases for name in case.facilities})),
        "flags": flags_of(cases, acted),
    }


def flags_of(cases: Iterable[DomainCase], acted: Mapping[str, date]) -> tuple[str, ...]:
    """Return the flags of cases, such as `late` or `post_notice`.

    Parameters
    ----------
    acted
        Result of `actions`.
    """
    flags = set()
    for case in cases:
        if case.indication_terms:
            flags.add("indication_confounding")
        if case.onset is not None and case.received - case.onset > LATE_DAYS:
            flags.add("late")
        if not case.lots:
            flags.add("lot_missing")
        if _after_action(case, acted):
            flags.add("post_notice")
    return tuple(sorted(flags))


def actions(known: Mapping[str, Sequence[Notice]]) -> dict[str, date]:
    """Return the first day an authority acted on each class: reports after it may be stimulated."""
    first: dict[str, date] = {}
    for notices in known.values():
        for notice in notices:
            if notice.kind is NoticeKind.REGULATORY_ACTION and notice.product_class:
                top = domain_vocabulary().classes_of(notice.product_class)[-1]
                first[top] = min(first.get(top, date.max), notice.received)
    return first


def _after_action(case: DomainCase, acted: Mapping[str, date]) -> bool:
    top = domain_vocabulary().classes_of(case.product_class)[-1]
    return top in acted and _EPOCH + timedelta(days=case.received) > acted[top]


def _day(case: DomainCase) -> date:
    return _EPOCH + timedelta(days=case.received if case.onset is None else case.onset)
