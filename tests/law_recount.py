"""Histories of cases, and the batch recount of them in plain Python: the oracle of the law.

It shares nothing with the stages but the schema: dictionaries and sets, the latest version by the
documented order.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from schemas.alert import WindowKind
from schemas.link import CaseLink
from schemas.product import Product
from schemas.report import Link, Patient, Reaction, Report, Reporter, Revision
from schemas.vocabulary import (
    LinkBasis,
    LinkKind,
    LinkState,
    Outcome,
    ProductRole,
    Qualification,
    RevisionKind,
    Seriousness,
    Sex,
    VerificationState,
)
from streams.topology.windows import WindowSpec

DRUGS = ("aspirin", "ibuprofen", "zinc")
EVENTS = ("rash", "nausea", "stroke")
DAYS = [
    date.fromisoformat(day)
    for day in (
        *("1969-12-31", "1970-01-01", "2023-12-31", "2024-01-01", "2024-01-31"),
        *("2024-02-29", "2024-03-01", "2024-03-31", "2024-01-02", "2024-04-01"),
    )
]
AGES = {None: "unknown", 5.0: "child", 70.0: "elderly"}
INDICATIONS = (None, "acne", "pain")
COUNTRIES = {None: "unknown", "DE": "europe", "JP": "japan"}
Arrival = Report | CaseLink
SPECS = ("cumulative", "month", "quarter", "sliding:2", "sliding:31", "sliding:400")


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any version of one of eight cases: most are counted, each exclusion occurs."""
    rarely = st.sampled_from([False, False, False, False, True])
    first = draw(st.sampled_from(DAYS))
    product = st.builds(
        lambda drug, role, indication: Product(
            substances=(drug,), role=role, indication=indication
        ),
        st.sampled_from(DRUGS),
        st.sampled_from(["suspect", "suspect", "interacting", "concomitant"]).map(ProductRole),
        st.sampled_from(INDICATIONS),
    )
    reaction = st.builds(
        lambda term, fatal: Reaction(term=term, outcome=Outcome("fatal" if fatal else "unknown")),
        st.sampled_from(EVENTS),
        rarely,
    )
    revision = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")
    master = Link(kind=LinkKind.DUPLICATE_OF, case_id="A")
    return Report(
        case_id=draw(st.sampled_from("ABCDEFGH")),
        version=draw(st.integers(1, 3)),
        message_id=draw(st.sampled_from(["", "m1", "m2"])),
        first_received=first,
        latest_received=first + timedelta(days=draw(st.sampled_from([0, 0, 0, 0, 1, 45]))),
        revision=revision if draw(rarely) else None,
        links=(master,) if draw(rarely) else (),
        verification=VerificationState("contested" if draw(rarely) else "hcp_confirmed"),
        products=tuple(draw(st.lists(product, max_size=3))),
        reactions=tuple(draw(st.lists(reaction, max_size=3))),
        seriousness=tuple(draw(st.lists(st.sampled_from(Seriousness), max_size=1))),
        patient=Patient(
            age_years=draw(st.sampled_from(list(AGES))), sex=draw(st.sampled_from(Sex))
        ),
        occurrence_country=draw(st.sampled_from(list(COUNTRIES))),
        sender=draw(st.sampled_from([None, "PHARMA"])),
        reporter=Reporter(qualification=draw(st.sampled_from(Qualification))),
    )


@st.composite
def case_links(draw: st.DrawFn) -> CaseLink:
    """Any decision on one of the eight cases, whether reported or not, its number used at will."""
    basis = draw(st.sampled_from(LinkBasis))
    case_id, master = draw(st.permutations("ABCDEFGH"))[:2]
    return CaseLink(
        case_id=case_id,
        master_case_id=master,
        state=draw(st.sampled_from([LinkState.APPLIED, *LinkState])),
        basis=basis,
        decision=draw(st.integers(1, 3)),
        decided_on=draw(st.sampled_from(DAYS)),
        decided_by="test",
        reason="test",
        score=0.5 if basis is LinkBasis.PROBABLE else None,
    )


@st.composite
def arrivals(draw: st.DrawFn) -> list[Arrival]:
    """Versions and links in any order, some more than once; half of the time by day of receipt."""
    sent: list[Arrival] = draw(st.lists(reports(), min_size=1, max_size=18))
    sent += draw(st.lists(case_links(), max_size=8))
    again = draw(st.lists(st.sampled_from(sent), max_size=8))
    arrived = draw(st.permutations(sent + again))
    if draw(st.booleans()):
        arrived = sorted(arrived, key=day_of)
    return arrived


def day_of(message: Arrival) -> date:
    return message.decided_on if isinstance(message, CaseLink) else message.latest_received


@dataclass(frozen=True, order=True)
class Content:
    """What a version says; its order decides between messages that share all four numbers."""

    day: date
    stratum: tuple[str, str, str]
    serious: bool
    fatal: bool
    drugs: tuple[str, ...]
    events: tuple[str, ...]
    excluded: str
    origin: tuple[str, str, str] = ("", "", "")
    indications: tuple[str, ...] = ()
    completeness: int = 0
    suspected: bool = False


def content_of(report: Report) -> Content:
    roles = (ProductRole.SUSPECT, ProductRole.INTERACTING)
    drugs = {name for each in report.products if each.role in roles for name in each.substances}
    events = {reaction.term for reaction in report.reactions}
    reasons = {
        "nullified": report.revision is not None,
        "duplicate": bool(report.links),
        "unverified": report.verification.value == "contested",
        "no_suspect_product": not drugs,
        "no_reaction": not events,
    }
    fatal = Seriousness.DEATH in report.seriousness or any(
        reaction.outcome.value == "fatal" for reaction in report.reactions
    )
    return Content(
        report.first_received,
        (
            AGES[report.patient.age_years],
            report.patient.sex.value,
            COUNTRIES[report.occurrence_country],
        ),
        fatal or len(report.seriousness) > 0,
        fatal,
        tuple(sorted(drugs)),
        tuple(sorted(events)),
        next((reason for reason, holds in reasons.items() if holds), ""),
        (
            report.occurrence_country or "",
            "p" if report.reporter.qualification.value not in ("consumer", "lawyer") else "",
            report.sender or "native",
        ),
        tuple(sorted({p.indication for p in report.products if p.role in roles and p.indication})),
        _completeness(report),
    )


def _completeness(report: Report) -> int:
    """Multiply what is left of 1 where a field is missing; `reports` states no other field."""
    suspects = [p for p in report.products if p.role in (ProductRole.SUSPECT, "interacting")]
    bare = [
        True,  # the type of the report
        True,  # the dose
        not report.occurrence_country,
        report.reporter.qualification.value == "consumer",
    ]
    barer = [
        not any(product.indication for product in suspects),
        all(reaction.outcome.value == "unknown" for reaction in report.reactions),
        report.patient.sex.value == "unknown",
        report.patient.age_years is None,
    ]
    left = Fraction(1, 2)  # for there is no time to onset
    left *= Fraction(9, 10) ** sum(bare) * Fraction(7, 10) ** sum(barer)
    return round(100 * left)


def latest_versions(messages: Iterable[Arrival]) -> dict[str, Content]:
    """Return what holds of each case: by version, then day, then nullification, then message.

    A case that is linked to a master is excluded as a duplicate, unless it is nullified.
    """
    arrived = list(messages)
    ranked: dict[str, tuple[Any, ...]] = {}
    for report in arrived:
        if isinstance(report, Report):
            numbers = (report.version, report.latest_received, report.is_nullified)
            rank = (*numbers, report.message_id, content_of(report))
            ranked[report.case_id] = max(rank, ranked.get(report.case_id, rank))
    latest = {case: rank[-1] for case, rank in ranked.items()}
    links = [link for link in arrived if isinstance(link, CaseLink)]
    merged = merged_away(links)
    for case_id in merged & latest.keys():
        if latest[case_id].excluded != "nullified":
            latest[case_id] = replace(latest[case_id], excluded="duplicate")
    for case_id in suspected_of(links) & latest.keys():
        latest[case_id] = replace(latest[case_id], suspected=True)
    return latest


def merged_away(links: Sequence[CaseLink]) -> set[str]:
    """Return the cases that their links keep out: a person's word goes before a program's."""
    merged = set()
    for case_id, holds in _holding(links).items():
        if holds["person"] in ("nothing", "suspected"):
            if "applied" in (holds["identifiers"], holds["linkage"]):
                merged.add(case_id)
        elif holds["person"] == "applied":
            merged.add(case_id)
    return merged


def suspected_of(links: Sequence[CaseLink]) -> set[str]:
    """Return the cases that count and may be duplicates: somebody says so, and nobody decided."""
    return {
        case_id
        for case_id, holds in _holding(links).items()
        if "suspected" in holds.values()
        and "applied" not in holds.values()
        and holds["person"] != "reversed"
    }


def _holding(links: Sequence[CaseLink]) -> dict[str, dict[str, str]]:
    """Return what each decider holds of each case."""
    gravest = ["applied", "reversed", "suspected"]
    holding = {}
    for case_id in {link.case_id for link in links}:
        holds = holding[case_id] = {}
        for decider in ("person", "identifiers", "linkage"):
            theirs = [
                (link.decision, gravest.index(link.state.value))
                for link in links
                if link.case_id == case_id
                and decider
                == {"manual": "person", "probable": "linkage"}.get(link.basis.value, "identifiers")
            ]
            holds[decider] = gravest[max(theirs)[1]] if theirs else "nothing"
    return holding


Cell = tuple[int, int, int, int]


def recount(cases: Iterable[Content]) -> dict[tuple[str, str], Cell]:
    """Count pairs and margins of counted cases by sets of their places."""
    total = 0
    drugs: dict[str, set[int]] = defaultdict(set)
    events: dict[str, set[int]] = defaultdict(set)
    for number, case in enumerate(cases):
        total += 1
        for drug in case.drugs:
            drugs[drug].add(number)
        for event in case.events:
            events[event].add(number)
    pairs = itertools.product(drugs, events)
    return {
        (drug, event): (
            len(drugs[drug] & events[event]),
            len(drugs[drug]),
            len(events[event]),
            total,
        )
        for drug, event in pairs
        if drugs[drug] & events[event]
    }


def stratified_expectation(cases: Sequence[Content], drug: str, event: str) -> float:
    expected = 0.0
    for stratum in {case.stratum for case in cases}:
        inside = [case for case in cases if case.stratum == stratum]
        with_drug = sum(drug in case.drugs for case in inside)
        expected += with_drug * sum(event in case.events for case in inside) / len(inside)
    return expected


def labels_of(spec: WindowSpec, day: date, today: date) -> list[str]:
    """Name the instances of a window that a day belongs to."""
    if spec.kind is WindowKind.CUMULATIVE:
        return ["cumulative"]
    if spec.kind is WindowKind.MONTH:
        return [f"{day.year:04}-{day.month:02}"]
    if spec.kind is WindowKind.QUARTER:
        return [f"{day.year:04}-Q{1 + (day.month - 1) // 3}"]
    assert spec.days is not None
    return [f"sliding-{spec.days}d"] if 0 <= (today - day).days < spec.days else []


def recount_windows(
    specs: Iterable[WindowSpec], messages: Iterable[Arrival], today: date
) -> dict[str, list[Content]]:
    """Return the counted cases of every window instance."""
    counted = [case for case in latest_versions(messages).values() if not case.excluded]
    instances: dict[str, list[Content]] = defaultdict(list)
    for case in counted:
        for spec in specs:
            for label in labels_of(spec, case.day, today):
                instances[label].append(case)
    return instances
