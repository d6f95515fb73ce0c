"""Links between cases: how one is read, whose decision holds, and what it does to a case."""

import itertools
from datetime import date

import pytest

from schemas.errors import IcsrError
from schemas.link import LINK_MARK, CaseLink
from schemas.product import Product
from streams.core.cases.from_report import link_version
from streams.core.cases.transitions import CaseVersion, advance, joined
from streams.intake.native import MOST_BYTES, decode_message
from streams.runtime.embedded.case_stage import Incoming, read_batch
from tests.support.reports import DAY, NULLIFIED
from tests.support.versions import make_link, make_version


def test_a_link_is_read_where_a_report_is() -> None:
    link = make_link("suspected", "probable", agreed=("age", "sex"))
    raw = link.model_dump_json().encode()
    assert LINK_MARK in raw
    assert decode_message(raw) == link
    versions, rejected = read_batch([Incoming(4, raw, b"A")], source="t", horizon=DAY)
    assert (versions, rejected) == ([(4, link_version(link))], [])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"message_type": "case_link"}', r"^case_id: Field required \(and 7 more\)$"),
        (
            make_link().model_dump_json().replace('"M"', '"A"').encode(),
            "link: master_case_id must be another case",
        ),
        (b'{"case_id": "case_link"}', r"^master_case_id: Field required \(and 6 more\)$"),
        (
            make_link().model_dump_json().encode() + b" " * MOST_BYTES,
            f"report: at most {MOST_BYTES} bytes are read",
        ),
    ],
)
def test_a_broken_link_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(IcsrError, match=reason):
        decode_message(raw)


def test_a_link_under_another_key_or_of_tomorrow_is_rejected() -> None:
    raw = make_link().model_dump_json().encode()
    later = make_link(decided_on=date(2024, 3, 1)).model_dump_json().encode()
    messages = [Incoming(0, raw, b"M"), Incoming(1, later, b"A")]
    versions, rejected = read_batch(messages, source="t", horizon=DAY)
    assert versions == []
    assert [reject.reason.partition(":")[0] for reject in rejected] == ["key", "latest_received"]


COUNTS, MERGED = "counted", "duplicate"


@pytest.mark.parametrize(
    ("links", "standing"),
    [
        ([make_link("applied")], MERGED),
        ([make_link("suspected")], COUNTS),
        ([make_link("reversed")], COUNTS),
        ([make_link("applied", decision=2), make_link("reversed")], MERGED),
        ([make_link("applied"), make_link("reversed", decision=2)], COUNTS),
        # of one number for two contents, the one that lets the patient count
        ([make_link("applied"), make_link("reversed")], COUNTS),
        # identifiers have one voice, whichever of them agree
        ([make_link("applied"), make_link("reversed", "source_id", decision=2)], COUNTS),
        # another decider's number does not compare
        ([make_link("applied"), make_link("reversed", "probable", decision=9)], MERGED),
        ([make_link("suspected", "probable", decision=9), make_link("applied")], MERGED),
        ([make_link("applied", "probable")], MERGED),
        # a person's word holds, unless it is none
        ([make_link("applied", decision=9), make_link("reversed", "manual")], COUNTS),
        ([make_link("applied", "manual"), make_link("reversed", decision=9)], MERGED),
        ([make_link("applied"), make_link("suspected", "manual", decision=9)], MERGED),
        ([make_link("suspected", "manual")], COUNTS),
        (
            [
                make_link("reversed", "manual"),
                make_link("suspected", "manual", decision=2),
                make_link(),
            ],
            MERGED,
        ),
    ],
)
def test_whose_decision_holds(links: list[CaseLink], standing: str) -> None:
    for order in itertools.permutations([make_version(), *map(link_version, links)]):
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


APPLIED, REVERSED = link_version(make_link()), link_version(make_link("reversed", decision=2))


def test_merging_takes_the_case_out_and_its_reversal_puts_it_back() -> None:
    assert _net([make_version()])[:2] == (1, {COUNTS: 1})
    assert _net([make_version()], [APPLIED])[:2] == (0, {MERGED: 1})
    assert _net([make_version()], [APPLIED], [REVERSED])[:2] == (1, {COUNTS: 1})
    assert _net([make_version()], [REVERSED], [APPLIED])[:2] == (1, {COUNTS: 1})
    assert _net([REVERSED], [APPLIED], [make_version()])[:2] == (1, {COUNTS: 1})


def test_a_link_before_its_case_waits_for_it() -> None:
    total, population, stored = _net([APPLIED])
    assert (total, population) == (0, {})
    assert list(stored) == ["A"]
    assert _net([APPLIED], [make_version()])[:2] == (0, {MERGED: 1})
    tally = advance([make_version()], stored).tally
    assert tally == {"first": 1}


def test_every_later_version_of_a_merged_case_stays_out() -> None:
    other = make_version(version=2, products=(Product(substances=("iron",)),))
    again = make_version(version=3, latest_received=date(2024, 3, 1))
    assert _net([make_version()], [APPLIED], [other], [again])[:2] == (0, {MERGED: 1})
    total, population, stored = _net([make_version()], [APPLIED], [other], [REVERSED])
    assert (total, population) == (1, {COUNTS: 1})
    assert stored["A"].drugs == "iron"


def test_a_nullified_case_is_nullified_whatever_its_links() -> None:
    void = make_version(version=2, revision=NULLIFIED)
    assert _net([make_version()], [APPLIED], [void])[:2] == (0, {"nullified": 1})
    later = make_version(version=3)
    assert _net([make_version()], [APPLIED], [void], [later])[:2] == (0, {MERGED: 1})
    assert _net([make_version()], [void], [REVERSED])[:2] == (0, {"nullified": 1})


def test_repeats_and_stale_links_change_nothing_and_are_told_apart() -> None:
    step = advance([APPLIED, APPLIED, REVERSED, APPLIED], {})
    assert step.tally == {"linked": 2, "repeated_link": 2}
    again = advance([APPLIED, REVERSED], step.updates)
    assert (again.updates, again.tally, again.changes.height) == ({}, {"repeated_link": 2}, 0)


def test_a_repeated_version_of_a_linked_case_is_a_repeat() -> None:
    _, _, stored = _net([make_version(version=2)], [APPLIED])
    versions = [make_version(version=2), make_version(), make_version(version=2, reactions=())]
    assert advance(versions, stored).tally == {"repeated": 1, "stale": 1, "conflicting": 1}


def test_joining_is_blind_to_order_and_repeats() -> None:
    parts = [make_version(), make_version(version=2), APPLIED, REVERSED]
    parts += [
        link_version(make_link("suspected", "probable")),
        link_version(make_link("applied", "manual")),
    ]
    wholes = set()
    for order in itertools.permutations(parts):
        whole = order[0]
        for part in (*order[1:], order[0]):
            whole = joined(part, whole)
        wholes.add(whole)
    (whole,) = wholes
    assert (whole.version, len(whole.links)) == (2, 3)
