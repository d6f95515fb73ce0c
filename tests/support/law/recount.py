"""Recount of whole histories, the oracle of the law: latest versions, by dictionaries and sets.

It shares nothing with the stages but the schema; which version is the latest is decided by the
documented order. Single alerts are recounted in `tests.support.alert_recount`, source files in
`tests.support.source_file_counts`.
"""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any

from schemas.alert import WindowKind
from schemas.link import CaseLink
from schemas.product import Product
from schemas.release import ReleaseMarker
from schemas.report import Report
from schemas.vocabulary import ProductRole, Seriousness
from streams.core.counting.windows import WindowSpec
from tests.support.law.histories import (
    AGES,
    CLASSES,
    CODINGS,
    COUNTRIES,
    FACILITIES,
    FAMILIES,
    IS_CLASS,
    LOTS,
    SUBSTANCES,
    TERMS,
)


@dataclass(frozen=True)
class ClosedRelease:
    """A release marker on one partition, and the cases that belong to that partition."""

    marker: ReleaseMarker
    cases: frozenset[str]

    def withdraws(self, case_id: str, scope: str, released_on: date) -> bool:
        """Return whether a case that was last in a release of a scope is no longer in this one."""
        is_of_scope = case_id in self.cases and scope == self.marker.scope
        return is_of_scope and self.marker.released_on > released_on


Message = Report | CaseLink | ClosedRelease


@dataclass(frozen=True, order=True)
class Content:
    """Content of a version; its order decides between messages with the same four numbers."""

    day: date
    stratum: tuple[str, str, str]
    serious: bool
    fatal: bool
    drugs: tuple[str, ...]
    events: tuple[str, ...]
    excluded: str
    origin: tuple[str, ...] = ("", "", "")  # behind the source come dictionaries
    indications: tuple[str, ...] = ()
    completeness: int = 0
    life_threatening: bool = False
    courses: tuple[str, ...] = ()  # as written beside drugs, which decides between contents
    onsets: tuple[str, ...] = ()  # beside events, likewise
    age: float = -1.0  # in years; -1 if it is not stated
    scope: str = ""  # of its release
    facts: tuple["DrugFacts", ...] = ()  # beside drugs
    unusual: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())  # spellings as written, of both
    spelt: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())  # beside drugs, and beside events
    suspected: bool = False

    def began(self, event: str) -> int:
        """Return the first day of an event, 0 if it is not stated."""
        return (
            int(dict(zip(self.events, self.onsets, strict=True)).get(event, 0))
            if self.onsets
            else 0
        )


@dataclass(frozen=True, order=True)
class DrugFacts:
    """Facts of a drug, merged over its products."""

    start: int = 0  # ordinal of the day; 0 if none says it
    lot: bool = False
    dechallenges: frozenset[bool] = frozenset()
    rechallenges: frozenset[bool] = frozenset()

    @property
    def written(self) -> str:
        """The integer that travels: the day, and below it five bits."""
        bits = [
            self.lot,
            len(self.dechallenges) > 0,
            True in self.dechallenges,
            len(self.rechallenges) > 0,
            True in self.rechallenges,
        ]
        return str(32 * self.start + sum(bit << place for place, bit in enumerate(bits)))


def drug_facts(products: Sequence[Product]) -> DrugFacts:
    """Put together what the products of one drug say."""
    starts = [product.first_given.toordinal() for product in products if product.first_given]
    return DrugFacts(
        min(starts, default=0),
        any(LOTS[product.lot] for product in products),
        frozenset(p.dechallenge for p in products if p.dechallenge is not None),
        frozenset(p.rechallenge for p in products if p.rechallenge is not None),
    )


def content_of(report: Report) -> Content:
    roles = (ProductRole.SUSPECT, ProductRole.INTERACTING)
    of_drug: dict[str, list[Product]] = defaultdict(list)
    of_event: dict[str, list[int]] = defaultdict(list)
    drug_spelt: dict[str, str] = {}
    event_spelt: dict[str, str] = {}
    for product in report.products:
        if product.role in roles:
            names = {SUBSTANCES[name][0] for name in product.substances}
            for name, spelling in map(SUBSTANCES.__getitem__, product.substances):
                drug_spelt[name] = min(spelling, drug_spelt.get(name, spelling))
            if product.product_class is not None:
                names.update(CLASSES[product.product_class], LOTS[product.lot])
                names.update(FACILITIES[product.facility and product.facility.facility_id])
            for name in names:
                of_drug[name].append(product)
    for reaction in report.reactions:
        term, spelling = TERMS[reaction.term]
        event_spelt[term] = min(spelling, event_spelt.get(term, spelling))
        for name in (term, *FAMILIES.get(term, ())):
            of_event[name] += [reaction.onset.toordinal()] if reaction.onset else []
    drugs, events = sorted(of_drug), sorted(of_event)
    facts = tuple(drug_facts(of_drug[drug]) for drug in drugs)
    began = tuple(min(of_event[event], default=0) for event in events)
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
        tuple(drugs),
        tuple(events),
        next((reason for reason, holds in reasons.items() if holds), ""),
        (
            report.occurrence_country or "",
            ("p" if report.reporter.qualification.value not in ("consumer", "lawyer") else "")
            + ("" if report.sender else "u"),
            report.sender or "native",
            *sorted(
                {n for r in report.reactions for n in CODINGS[r.dictionary, r.dictionary_version]}
            ),
        ),
        tuple(sorted({p.indication for p in report.products if p.role in roles and p.indication})),
        _completeness(report),
        Seriousness.LIFE_THREATENING in report.seriousness,
        tuple(of_drug.written for of_drug in facts)
        if any(of_drug != DrugFacts() for of_drug in facts)
        else (),
        tuple(map(str, began)) if any(began) else (),
        -1.0 if report.patient.age_years is None else report.patient.age_years,
        report.release.scope if report.release else "",
        facts,
        (
            _unusual([drug_spelt.get(drug, drug) for drug in drugs], str.upper),
            _unusual([event_spelt.get(event, event) for event in events], str.capitalize),
        ),
        (
            tuple(drug_spelt.get(drug, drug) for drug in drugs),
            tuple(event_spelt.get(event, event) for event in events),
        ),
    )


def _unusual(spellings: Sequence[str], usual: Callable[[str], str]) -> tuple[str, ...]:
    """Leave out spellings that are the usual one, and those of levels; all of them if so."""
    levels = {s for s in spellings if s in IS_CLASS or re.match("(lot|facility|family):[^ ]", s)}
    written = tuple("" if s in levels or s == usual(s) else s for s in spellings)
    return written if any(written) else ()


def labels(messages: Iterable[Message]) -> tuple[dict[str, str], dict[str, str]]:
    """Return how each drug and each event of counted cases is shown: as most of them spell it."""
    cases = [case for case in latest_versions(messages).values() if not case.excluded]
    found = []
    for names, which in (("drugs", 0), ("events", 1)):
        said = Counter(
            (name, spelling)
            for case in cases
            for name, spelling in zip(getattr(case, names), case.spelt[which], strict=True)
        )
        # Of one name the most frequent comes last, and of the equally frequent the first by letter.
        by_letter = sorted(said.items(), key=lambda each: each[0][1], reverse=True)
        found.append({name: s for (name, s), _ in sorted(by_letter, key=lambda each: each[1])})
    return found[0], found[1]


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
    onsets = [reaction.onset for reaction in report.reactions if reaction.onset]
    starts = [product.first_given for product in suspects if product.first_given]
    timed = bool(onsets and starts and min(starts) <= max(onsets))
    left = Fraction(1) if timed else Fraction(1, 2)
    left *= Fraction(9, 10) ** sum(bare) * Fraction(7, 10) ** sum(barer)
    return round(100 * left)


def latest_versions(messages: Iterable[Message]) -> dict[str, Content]:
    """Return the current content by case: by version, release, day, nullification, then message.

    A case that is linked to a master is excluded as a duplicate, unless it is nullified; one that a
    newer closed release of its scope does not have is excluded as withdrawn, unless it is either.
    """
    arrived = list(messages)
    ranked: dict[str, tuple[Any, ...]] = {}
    for report in arrived:
        if isinstance(report, Report):
            released_on = report.release.released_on if report.release else date.min
            numbers = (report.version, released_on, report.latest_received, report.is_nullified)
            rank = (*numbers, report.message_id, content_of(report))
            ranked[report.case_id] = max(rank, ranked.get(report.case_id, rank))
    latest = {case: rank[-1] for case, rank in ranked.items()}
    closed = [one for one in arrived if isinstance(one, ClosedRelease)]
    for case_id, (_, released_on, *_, content) in ranked.items():
        is_withdrawn = any(one.withdraws(case_id, content.scope, released_on) for one in closed)
        if is_withdrawn and content.excluded != "nullified":
            latest[case_id] = replace(latest[case_id], excluded="withdrawn")
    links = [link for link in arrived if isinstance(link, CaseLink)]
    merged = merged_away(links)
    for case_id in merged & latest.keys():
        if latest[case_id].excluded != "nullified":
            latest[case_id] = replace(latest[case_id], excluded="duplicate")
    for case_id in suspected_of(links) & latest.keys():
        latest[case_id] = replace(latest[case_id], suspected=True)
    return latest


def removed(messages: Iterable[Message]) -> dict[str, tuple[str, Content]]:
    """Return why each case is out that would count otherwise, and in what form it would.

    Of a nullified one that is what holds of the messages which nullify nothing, links apart.
    """
    arrived = list(messages)
    latest = latest_versions(arrived)
    stated = [item for item in arrived if isinstance(item, Report) and not item.is_nullified]
    found = {}
    for case_id, content in latest_versions(stated).items():
        if latest[case_id].excluded == "nullified" and not content.excluded:
            found[case_id] = "nullified", content
    for case_id, content in latest_versions(
        item for item in arrived if isinstance(item, Report)
    ).items():
        reason = latest[case_id].excluded
        if reason in ("duplicate", "withdrawn") and not content.excluded:
            found[case_id] = reason, content
    return found


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
    """Count pairs and margins of counted cases by sets of their places.

    A family is a question only of classes.
    """
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
        if drug in IS_CLASS or not event.startswith("family:")
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
    specs: Iterable[WindowSpec], messages: Iterable[Message], today: date
) -> dict[str, list[Content]]:
    """Return the counted cases of every window instance."""
    counted = [case for case in latest_versions(messages).values() if not case.excluded]
    instances: dict[str, list[Content]] = defaultdict(list)
    for case in counted:
        for spec in specs:
            for label in labels_of(spec, case.day, today):
                instances[label].append(case)
    return instances
