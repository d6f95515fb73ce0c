"""Safety findings from domain cases and notices on one day; stateless."""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files

import polars as pl

from detectors.clusters import CLUSTER_REPORTS, ClusterRule, Unit, find_clusters
from schemas.domain import domain_vocabulary
from schemas.notice import Notice, NoticeKind
from schemas.safety_alert import AlertCategory, ClusterRuleMet, SubjectKind
from schemas.vocabulary import SupplyRoute
from streams.core.cases.chronology import LATE_DAYS
from streams.core.cases.domain_case import DomainCase
from streams.core.cases.spellings import one_spelling_each
from streams.core.safety.safety_finding import SafetyFinding
from streams.core.safety.sports_rules import UsageRules
from streams.core.safety.subject_findings import findings_of_subject

__all__ = ["actions", "cluster_rules", "facts_of_cases", "findings", "flags_of"]

_EPOCH = date(1970, 1, 1)
_UNITS: Mapping[Unit, tuple[AlertCategory, Callable[[DomainCase], list[str]]]] = {
    "lot": (AlertCategory.LOT_CLUSTER, lambda case: case.lots),
    "facility": (AlertCategory.FACILITY_CLUSTER, lambda case: case.facilities),
    "manufacturer": (AlertCategory.MANUFACTURER_CLUSTER, lambda case: case.manufacturers),
    "distributor": (AlertCategory.DISTRIBUTOR_CLUSTER, lambda case: case.distributors),
}


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
        linked = [case for case in by_id.values() if subject in case.part_of]
        found += findings_of_subject(received, linked, day, usage)
    return found


@lru_cache(maxsize=1)
def cluster_rules() -> tuple[ClusterRule, ...]:
    """Return the cluster rules that are shipped."""
    raw = tomllib.loads(files("streams.core.safety").joinpath("clusters.toml").read_text("utf-8"))
    return tuple(ClusterRule.model_validate(rule) for rule in raw["rules"])


def _fatal(case: DomainCase, acted: Mapping[str, date]) -> SafetyFinding:
    return SafetyFinding(
        category=AlertCategory.FATAL_CASE,
        subject=(case.case_id,),
        size=1,
        urgent=True,
        subject_kind=SubjectKind.CASE,
        part_of=tuple(case.part_of),
        **facts_of_cases([case], acted),  # type: ignore[arg-type]
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
            subject_kind=SubjectKind(rule.by),
            rule=ClusterRuleMet(
                n_cases=rule.n_cases,
                within_days=rule.within_days,
                family=rule.event_family,
                unit=SubjectKind(rule.by),
                serious_only=rule.serious_only,
            ),
            **facts_of_cases([cases[name] for name in sorted(members)], acted),  # type: ignore[arg-type]
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


def facts_of_cases(cases: Sequence[DomainCase], acted: Mapping[str, date]) -> dict[str, object]:
    """Return the fields of a finding that follow from its cases; at least one."""
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
        "n_cases": len(cases),
        "n_serious": sum(case.serious for case in cases),
        "n_fatal": sum(case.fatal for case in cases),
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
        if case.lot_in_other_letters:
            flags.add("lot_in_other_letters")
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
