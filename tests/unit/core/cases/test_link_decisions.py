"""Links between cases: the contract, whose decision holds, and what it does to a case."""

import itertools
import json
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.errors import IcsrError
from schemas.link import LINK_MARK, CaseLink
from schemas.product import Product
from schemas.report import Reaction, Report, Revision
from schemas.vocabulary import LinkBasis, LinkState, RevisionKind
from streams.core.cases.from_report import case_version, link_version
from streams.core.cases.transitions import CaseVersion, advance, joined
from streams.intake.native import MOST_BYTES, decode_message
from streams.runtime.embedded.case_stage import Incoming, read_batch

DAY = date(2024, 2, 29)


def _link(state: str = "applied", basis: str = "worldwide_id", **changes: Any) -> CaseLink:
    fields: dict[str, Any] = {
        "case_id": "D",
        "master_case_id": "M",
        "state": LinkState(state),
        "basis": LinkBasis(basis),
        "decision": 1,
        "decided_on": DAY,
        "decided_by": "test",
        "reason": "test",
        "score": 0.9 if basis == "probable" else None,
    }
    return CaseLink(**{**fields, **changes})


def _version(**changes: Any) -> CaseVersion:
    fields: dict[str, Any] = {
        "case_id": "D",
        "first_received": DAY,
        "latest_received": DAY,
        "products": (Product(substances=("zinc",)),),
        "reactions": (Reaction(term="Rash"),),
    }
    return case_version(Report(**{**fields, **changes}))


VOID = {"revision": Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"master_case_id": "D"}, "master_case_id must be another case"),
        ({"score": 0.5}, "score must be stated if, and only if, the basis is probable"),
        ({"basis": "probable"}, "score must be stated if, and only if, the basis is probable"),
        ({"basis": "probable", "score": 1.1}, "less than or equal to 1"),
        ({"decision": 0}, "greater than or equal to 1"),
        ({"case_id": ""}, "at least 1 character"),
        ({"reason": ""}, "at least 1 character"),
        ({"decided_on": "1899-12-31"}, "greater than or equal to 1900-01-01"),
        ({"state": "merged"}, "'applied', 'reversed' or 'suspected'"),
        ({"narrative": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_link_that_breaks_the_contract_is_refused(changes: dict[str, Any], rule: str) -> None:
    sent = json.loads(_link().model_dump_json())
    with pytest.raises(ValidationError, match=rule):
        CaseLink.model_validate_json(json.dumps({**sent, **changes}))


def test_a_link_is_read_where_a_report_is() -> None:
    link = _link("suspected", "probable", agreed=("age", "sex"))
    raw = link.model_dump_json().encode()
    assert LINK_MARK in raw
    assert decode_message(raw) == link
    versions, rejected = read_batch([Incoming(4, raw, b"D")], source="t", horizon=DAY)
    assert (versions, rejected) == ([(4, link_version(link))], [])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"message_type": "case_link"}', r"^case_id: Field required \(and 7 more\)$"),
        (
            _link().model_dump_json().replace('"M"', '"D"').encode(),
            "link: master_case_id must be another case",
        ),
        (b'{"case_id": "case_link"}', r"^master_case_id: Field required \(and 6 more\)$"),
        (
            _link().model_dump_json().encode() + b" " * MOST_BYTES,
            f"report: at most {MOST_BYTES} bytes are read",
        ),
    ],
)
def test_a_broken_link_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(IcsrError, match=reason):
        decode_message(raw)


def test_a_link_under_another_key_or_of_tomorrow_is_rejected() -> None:
    raw = _link().model_dump_json().encode()
    later = _link(decided_on=date(2024, 3, 1)).model_dump_json().encode()
    messages = [Incoming(0, raw, b"M"), Incoming(1, later, b"D")]
    versions, rejected = read_batch(messages, source="t", horizon=DAY)
    assert versions == []
    assert [reject.reason.partition(":")[0] for reject in rejected] == ["key", "latest_received"]


COUNTS, MERGED = "counted", "duplicate"


@pytest.mark.parametrize(
    ("links", "standing"),
    [
        ([_link("applied")], MERGED),
        ([_link("suspected")], COUNTS),
        ([_link("reversed")], COUNTS),
        ([_link("applied", decision=2), _link("reversed")], MERGED),
        ([_link("applied"), _link("reversed", decision=2)], COUNTS),
        # of one number for two contents, the one that lets the patient count
        ([_link("applied"), _link("reversed")], COUNTS),
        # identifiers have one voice, whichever of them agree
        ([_link("applied"), _link("reversed", "source_id", decision=2)], COUNTS),
        # another decider's number does not compare
        ([_link("applied"), _link("reversed", "probable", decision=9)], MERGED),
        ([_link("suspected", "probable", decision=9), _link("applied")], MERGED),
        ([_link("applied", "probable")], MERGED),
        # a person's word holds, unless it is none
        ([_link("applied", decision=9), _link("reversed", "manual")], COUNTS),
        ([_link("applied", "manual"), _link("reversed", decision=9)], MERGED),
        ([_link("applied"), _link("suspected", "manual", decision=9)], MERGED),
        ([_link("suspected", "manual")], COUNTS),
        (
            [_link("reversed", "manual"), _link("suspected", "manual", decision=2), _link()],
            MERGED,
        ),
    ],
)
def test_whose_decision_holds(links: list[CaseLink], standing: str) -> None:
    for order in itertools.permutations([_version(), *map(link_version, links)]):
        step = advance(order, {})
        assert {key: n for key, n in step.population.items() if n} == {standing: 1}
        assert step.changes["n"].to_list() == ([1] if standing == COUNTS else [])
        for split in range(1, len(order)):  # and in two batches, the first of them stored
            before = advance(order[:split], {})
            after = advance(order[split:], before.updates)
            assert {**before.updates, **after.updates} == step.updates


def _net(*batches: list[CaseVersion]) -> tuple[int, dict[str, int], dict[str, CaseVersion]]:
    """Run batches one after the other; return the sum of all changes."""
    stored: dict[str, CaseVersion] = {}
    total, population = 0, dict.fromkeys((COUNTS, MERGED, "nullified"), 0)
    for batch in batches:
        step = advance(batch, stored)
        stored |= step.updates
        total += step.changes["n"].cast(int).sum()
        for key, n in step.population.items():
            population[key] += n
    return total, {key: n for key, n in population.items() if n}, stored


APPLIED, REVERSED = link_version(_link()), link_version(_link("reversed", decision=2))


def test_merging_takes_the_case_out_and_its_reversal_puts_it_back() -> None:
    assert _net([_version()])[:2] == (1, {COUNTS: 1})
    assert _net([_version()], [APPLIED])[:2] == (0, {MERGED: 1})
    assert _net([_version()], [APPLIED], [REVERSED])[:2] == (1, {COUNTS: 1})
    assert _net([_version()], [REVERSED], [APPLIED])[:2] == (1, {COUNTS: 1})
    assert _net([REVERSED], [APPLIED], [_version()])[:2] == (1, {COUNTS: 1})


def test_a_link_before_its_case_waits_for_it() -> None:
    total, population, stored = _net([APPLIED])
    assert (total, population) == (0, {})
    assert list(stored) == ["D"]
    assert _net([APPLIED], [_version()])[:2] == (0, {MERGED: 1})
    tally = advance([_version()], stored).tally
    assert tally == {"first": 1}


def test_every_later_version_of_a_merged_case_stays_out() -> None:
    other = _version(version=2, products=(Product(substances=("iron",)),))
    again = _version(version=3, latest_received=date(2024, 3, 1))
    assert _net([_version()], [APPLIED], [other], [again])[:2] == (0, {MERGED: 1})
    total, population, stored = _net([_version()], [APPLIED], [other], [REVERSED])
    assert (total, population) == (1, {COUNTS: 1})
    assert stored["D"].drugs == "iron"


def test_a_nullified_case_is_nullified_whatever_its_links() -> None:
    void = _version(version=2, **VOID)
    assert _net([_version()], [APPLIED], [void])[:2] == (0, {"nullified": 1})
    assert _net([_version()], [APPLIED], [void], [_version(version=3)])[:2] == (0, {MERGED: 1})
    assert _net([_version()], [void], [REVERSED])[:2] == (0, {"nullified": 1})


def test_repeats_and_stale_links_change_nothing_and_are_told_apart() -> None:
    step = advance([APPLIED, APPLIED, REVERSED, APPLIED], {})
    assert step.tally == {"linked": 2, "repeated_link": 2}
    again = advance([APPLIED, REVERSED], step.updates)
    assert (again.updates, again.tally, again.changes.height) == ({}, {"repeated_link": 2}, 0)


def test_a_repeated_version_of_a_linked_case_is_a_repeat() -> None:
    _, _, stored = _net([_version(version=2)], [APPLIED])
    versions = [_version(version=2), _version(), _version(version=2, reactions=())]
    assert advance(versions, stored).tally == {"repeated": 1, "stale": 1, "conflicting": 1}


def test_joining_is_blind_to_order_and_repeats() -> None:
    parts = [_version(), _version(version=2), APPLIED, REVERSED]
    parts += [
        link_version(_link("suspected", "probable")),
        link_version(_link("applied", "manual")),
    ]
    wholes = set()
    for order in itertools.permutations(parts):
        whole = order[0]
        for part in (*order[1:], order[0]):
            whole = joined(part, whole)
        wholes.add(whole)
    (whole,) = wholes
    assert (whole.version, len(whole.links)) == (2, 3)
