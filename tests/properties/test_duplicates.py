"""Exact duplicates in any history: who is linked to whom is a function of the latest versions."""

import itertools
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.link import CaseLink
from schemas.product import Product
from schemas.report import OtherId, Reaction, Report, Revision
from schemas.vocabulary import LinkBasis, LinkState, RevisionKind, Sex
from streams.core.cases.from_report import case_version, link_version
from streams.core.duplicates import exact
from streams.core.duplicates.exact import relink
from streams.core.duplicates.identifiers import CaseIdentifiers, identifiers_of
from streams.core.duplicates.known_cases import KnownCase, MemoryIndex
from streams.intake.native import decode_message
from tests.support.law.recount import merged_away

DAY = date(2024, 1, 1)
MOST = 2  # so that few cases are too many

ids = st.sampled_from([None, None, "", "UNKNOWN", "JP-A-1", " jp‐a‐1", "JP-B-2", "JP-C-3"])
numbers = st.sampled_from([None, "", "?", "71", "72", "JP-A-1"])
others = st.builds(
    OtherId,
    source=st.sampled_from([None, "acme", "ZETA"]),
    case_id=st.sampled_from(["JP-B-2", "71", "none"]),
)


@st.composite
def versions(draw: st.DrawFn) -> Report:
    first = DAY + timedelta(days=draw(st.integers(0, 2)))
    revision = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")
    fields: dict[str, Any] = {
        "case_id": draw(st.sampled_from("ABCDEFG")),
        "version": draw(st.integers(1, 3)),
        "first_received": first,
        "latest_received": first + timedelta(days=draw(st.integers(0, 1))),
        "worldwide_id": draw(ids),
        "sender": draw(st.sampled_from([None, "ACME", " Acme "])),
        "sender_case_id": draw(numbers),
        "other_ids": tuple(draw(st.lists(others, max_size=1))),
        "revision": revision if draw(st.integers(0, 5)) == 0 else None,
        "products": (Product(substances=("zinc",)),) if draw(st.integers(0, 4)) else (),
        "reactions": (Reaction(term="rash"),),
    }
    patient: dict[str, Any] = {"sex": draw(st.sampled_from(Sex))}
    return Report(**fields, patient=patient)


@st.composite
def decisions(draw: st.DrawFn) -> CaseLink:
    basis = draw(st.sampled_from([LinkBasis.MANUAL, LinkBasis.PROBABLE]))
    case_id, master = draw(st.permutations("ABCDEFG"))[:2]
    return CaseLink(
        case_id=case_id,
        master_case_id=master,
        state=draw(st.sampled_from(LinkState)),
        basis=basis,
        decision=draw(st.integers(1, 2)),
        decided_on=DAY,
        decided_by="test",
        reason="test",
        score=0.5 if basis is LinkBasis.PROBABLE else None,
    )


def known(message: Report | CaseLink) -> KnownCase:
    if isinstance(message, CaseLink):
        return KnownCase(link_version(message))
    found = identifiers_of(message)
    # what is read of its bytes states the same
    assert identifiers_of(decode_message(message.model_dump_json().encode())) == found
    return KnownCase(case_version(message), found or CaseIdentifiers((), (), 0))


def plain(text: str | None) -> str | None:
    kept = (text or "").replace("‐", "-").replace(" ", "").upper()
    return kept if any(each in "123456789" for each in kept) else None


def names(report: Report) -> set[tuple[str, ...]]:
    """Return what a report may be known by: ('world', number) or (sender, number)."""
    found = set()
    if number := plain(report.worldwide_id):
        found.add(("world", number))
    told = [(report.sender, report.sender_case_id, False)]
    told += [(other.source, other.case_id, other.source is None) for other in report.other_ids]
    for source, text, anybody in told:
        if number := plain(text):
            if source:
                found.add((source.strip().upper(), number))
            if anybody or number.startswith("JP-"):
                found.add(("world", number))
    return found


def said_of(report: Report) -> tuple[bool, float, date, str]:
    """Return what decides who is the master; the report leaves all but the sex open."""
    is_counted = bool(report.products)
    score = 1.0 if report.patient.sex is not Sex.UNKNOWN else 0.7
    return not is_counted, -score, report.first_received, report.case_id


def expected(messages: Sequence[Report | CaseLink]) -> dict[str, str]:
    """Return every duplicate and its master, by groups that are merged until none share a name."""
    latest: dict[str, tuple[Any, ...]] = {}
    for each in messages:
        if isinstance(each, Report):
            version = case_version(each)
            rank = (version, identifiers_of(each) or CaseIdentifiers((), (), 0), each)
            held = latest.get(each.case_id)
            if held is None or rank[:2] > held[:2]:
                latest[each.case_id] = rank
    links = [each for each in messages if isinstance(each, CaseLink)]
    away = merged_away(links)
    alone = set()
    for case_id in latest:
        manual = [
            (link.decision, link.state.value)
            for link in links
            if link.case_id == case_id and link.basis is LinkBasis.MANUAL
        ]
        if manual and max(manual)[1] == "reversed":
            alone.add(case_id)
    current = {case: rank[2] for case, rank in latest.items() if not rank[2].is_nullified}
    carriers: dict[tuple[str, ...], set[str]] = {}
    for case_id, report in current.items():
        for name in names(report):
            carriers.setdefault(name, set()).add(case_id)
    groups = [{case_id} for case_id in current]
    for carrying in carriers.values():
        if len(carrying) <= MOST:
            together = carrying - alone
            if together:
                joined = [group for group in groups if group & together]
                groups = [group for group in groups if not group & together]
                groups.append(set().union(*joined))
    found = {}
    for group in groups:
        ranked = sorted(
            group,
            key=lambda case: (
                case in away or said_of(current[case])[0],
                *said_of(current[case])[1:],
            ),
        )
        found.update(dict.fromkeys(ranked[1:], ranked[0]))
    return found


@pytest.fixture(autouse=True, scope="module")
def _few_are_too_many() -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "MOST_SHARING", MOST)
        yield


@settings(deadline=None, max_examples=400)
@given(
    sent=st.lists(st.one_of(versions(), versions(), versions(), decisions()), max_size=14),
    size=st.integers(1, 14),
    echo=st.booleans(),
)
def test_links_are_those_of_the_latest_versions_after_every_batch(
    sent: list[Report | CaseLink], size: int, echo: bool
) -> None:
    index, published = MemoryIndex(), []
    for at in range(0, len(sent), size):
        batch = [known(each) for each in sent[at : at + size]]
        if echo:  # its own links stand in the log it reads
            batch += [known(link) for link in published]
        step = relink(batch, index)
        index.update(step.updates)
        published += step.links
        seen = sent[: at + size]
        holds = {}
        for link in sorted(published, key=lambda one: one.decision):
            holds[link.case_id] = link.master_case_id if link.state == "applied" else None
        void = {
            case_id
            for case_id, case in index.cases(list("ABCDEFG")).items()
            if case.version.nullified or case.version.version < 0
        }
        wanted = expected(seen)
        found = {case: m for case, m in holds.items() if m is not None and case not in void}
        assert found == wanted
        assert relink([known(each) for each in seen], index).links == []
        whole_log = [known(each) for each in (*seen, *published)]
        assert relink(whole_log, MemoryIndex()).links == []  # of a rebuilt index
        # and each decision of a case has a number of its own, in order
        by_case = itertools.groupby(
            sorted(published, key=lambda one: one.case_id), key=lambda one: one.case_id
        )
        for _, decided in by_case:
            made = [link.decision for link in decided]
            assert made == list(range(1, len(made) + 1))
