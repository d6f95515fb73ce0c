"""When a revision is due, of which kind and why; and which changes are suppressed, and why."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from schemas.suppressed import SuppressionReason
from streams.core.signals.decisions import (
    DROPPED,
    SUPPRESSIONS,
    Decisions,
)
from streams.core.signals.new_evidence import FATAL, PAEDIATRIC_BIT, CaseChanges
from streams.core.signals.published_signals import Signals
from streams.core.signals.window_scores import ScoredPairs
from tests.support.one_signal import (
    ASIA,
    DEFAULTS,
    JAPAN,
    NAMED,
    NAN,
    A,
    B,
    decided_for,
    evidence_of,
    published_in,
    scored_as,
    signals_with,
)


def _suppressed(decided: Decisions) -> list[str]:
    return [SUPPRESSIONS[code].value for code in decided.why]


@pytest.mark.parametrize(
    ("entered", "expected"), [(A, [("new", "first")]), (A | B, [("new", "first")]), (0, [])]
)
def test_a_pair_is_new_when_a_rule_fires(entered: int, expected: list[tuple[str, ...]]) -> None:
    decided = decided_for(scored_as(entered, held=A | B), Signals())
    assert published_in(decided) == expected
    assert decided.on.tolist() == [entered] * len(expected)
    assert decided.was["revision"].tolist() == [0] * len(expected)


ONE_LEFT = evidence_of(left=(12,))
ONE_UNNAMED_LEFT = evidence_of(left=(99,))


@pytest.mark.parametrize(
    ("was", "scored", "evidence", "expected"),
    [
        # nothing worth telling
        ({}, {}, None, None),
        ({}, {"n": 4, "ic": 0.5}, None, None),
        ({"on": 0}, {"entered": 0, "n": 9, "ic": 2.0}, None, None),
        ({"on": 0}, {"entered": 0, "n": 1}, ONE_LEFT, ("update", "cases_retracted")),
        ({"on": 0}, {"entered": 0, "n": 1}, ONE_UNNAMED_LEFT, None),
        # within the band: the rule would not fire, but its exit is not passed
        ({}, {"entered": 0, "held": A}, None, None),
        ({"on": A | B}, {"entered": A, "held": A | B}, None, None),
        # off, and on again at the entry only
        ({}, {"entered": 0, "held": 0}, None, ("closed", "no_rule_on")),
        ({}, {"entered": 0, "held": B}, None, ("closed", "no_rule_on")),
        (
            {"on": A | B},
            {"entered": 0, "held": 0, "n": 2},
            ONE_LEFT,
            ("retraction", "cases_retracted", "no_rule_on"),
        ),
        (
            {},
            {"entered": 0, "held": 0, "n": 3},
            ONE_UNNAMED_LEFT,
            ("retraction", "cases_retracted", "no_rule_on"),
        ),
        ({"on": 0}, {"entered": 0, "held": A}, None, None),
        ({"on": 0}, {"entered": A}, None, ("strengthened", "reopened")),
        ({"on": 0}, {"entered": B, "n": 9, "ic": 2.0}, None, ("strengthened", "reopened")),
        # down before up
        ({"on": A | B}, {"entered": A}, None, ("weakened", "rule_off")),
        ({}, {"entered": B, "held": B}, None, ("weakened", "rule_off", "further_rule")),
        (
            {"on": A | B, "n_observed": 9},
            {"entered": A, "n": 3},
            ONE_LEFT,
            ("weakened", "cases_retracted", "rule_off"),
        ),
        ({"n_observed": 9}, {"n": 8}, ONE_LEFT, ("weakened", "cases_retracted")),
        ({"n_observed": 9}, {"n": 8}, ONE_UNNAMED_LEFT, ("weakened", "cases_retracted")),
        (
            {"n_observed": 9},
            {"entered": A | B, "n": 8, "ic": 2.0},
            ONE_LEFT,
            ("weakened", "cases_retracted", "further_rule", "ic_rose"),
        ),
        # a retraction into the band is published, for any case
        ({}, {"entered": 0, "held": A}, ONE_LEFT, ("weakened", "cases_retracted")),
        (
            {},
            {"entered": 0, "held": A, "n": 4},
            ONE_UNNAMED_LEFT,
            ("weakened", "cases_retracted"),
        ),
        # a case that was named left and others came: corrected, no weaker
        ({}, {}, ONE_LEFT, ("update", "cases_retracted")),
        ({}, {"n": 5}, ONE_LEFT, ("update", "cases_retracted")),
        ({}, {"n": 6}, ONE_LEFT, ("strengthened", "cases_retracted", "more_cases")),
        ({}, {"n": 4}, ONE_UNNAMED_LEFT, None),
        # fewer cases, but none was retracted: a moving window left them behind
        ({"n_observed": 9}, {"n": 8}, None, None),
        # up
        ({}, {"entered": A | B}, None, ("strengthened", "further_rule")),
        ({"n_observed": 4}, {"n": 7}, None, ("strengthened", "more_cases")),
        ({"n_observed": 6}, {"n": 9, "ic": 2}, None, ("strengthened", "more_cases", "ic_rose")),
        ({}, {"n": 5}, None, None),  # 1.67 times, but 2 more
        ({"n_observed": 8}, {"n": 11}, None, None),  # 3 more, but 1.38 times
        ({"n_observed": 0}, {"n": 3}, None, ("strengthened", "more_cases")),
        ({"ic_lower": 0.25}, {"ic": 0.75}, None, ("strengthened", "ic_rose")),
        ({"ic_lower": 0.25}, {"ic": 0.7499}, None, None),
        # an undefined bound is no evidence of anything
        ({"ic_lower": NAN}, {"ic": 2.0}, None, None),
        ({}, {"ic": NAN}, None, None),
        ({"ic_lower": NAN}, {"n": 6, "ic": NAN}, None, ("strengthened", "more_cases")),
        # the first of a kind, once published never again
        ({}, {"n": 4}, evidence_of(FATAL), ("strengthened", "first_fatal")),
        ({"facets": FATAL}, {"n": 4}, evidence_of(FATAL), None),
        ({}, {"n": 4}, evidence_of(PAEDIATRIC_BIT), ("strengthened", "first_paediatric")),
        ({"facets": JAPAN}, {"n": 4}, evidence_of(JAPAN), None),
        ({"facets": JAPAN}, {"n": 4}, evidence_of(ASIA), ("strengthened", "new_region")),
        ({"on": 0}, {"entered": 0, "n": 4}, evidence_of(FATAL), None),
        (
            {"on": A | B},
            {"entered": A, "n": 4},
            evidence_of(FATAL | ASIA),
            ("weakened", "rule_off", "first_fatal", "new_region"),
        ),
        # a rule of an earlier run that is not asked any more
        ({"on": A | DROPPED}, {}, None, ("weakened", "rule_dropped")),
        ({"on": DROPPED}, {"entered": 0}, None, ("closed", "no_rule_on", "rule_dropped")),
        (
            {"on": DROPPED},
            {"entered": B},
            None,
            ("weakened", "rule_dropped", "further_rule"),
        ),
    ],
)
def test_each_change_has_its_kind_and_reasons(
    was: dict[str, Any],
    scored: dict[str, Any],
    evidence: CaseChanges | None,
    expected: tuple[str, ...] | None,
) -> None:
    decided = decided_for(scored_as(**scored), signals_with(**was), evidence)
    assert published_in(decided) == ([] if expected is None else [expected])
    assert decided.was["revision"].tolist() == ([] if expected is None else [4])


def test_a_fact_that_no_case_is_left_of_is_corrected() -> None:
    decided = decided_for(scored_as(), signals_with(facets=FATAL), withdrawn=FATAL)
    assert published_in(decided) == [("update", "facts_withdrawn")]
    off = decided_for(scored_as(0), signals_with(on=0, facets=FATAL), withdrawn=FATAL)
    assert published_in(off) == []


@pytest.mark.parametrize(
    ("off", "was", "scored", "evidence"),
    [
        ({"further_rule": False}, {}, {"entered": A | B, "touched": True}, None),
        ({"more_cases": None}, {}, {"n": 99}, None),
        ({"more_cases": 97}, {}, {"n": 99}, None),
        ({"more_cases_factor": 34.0}, {}, {"n": 99}, None),
        ({"ic_lower_rise": None}, {}, {"ic": 9.0}, None),
        ({"ic_lower_rise": 9.0}, {}, {"ic": 9.0}, None),
        ({"first_fatal": False}, {}, {"n": 4}, evidence_of(FATAL)),
        ({"first_paediatric": False}, {}, {"n": 4}, evidence_of(PAEDIATRIC_BIT)),
        ({"new_region": False}, {}, {"n": 4}, evidence_of(ASIA)),
    ],
)
def test_each_trigger_can_be_switched_off(
    off: dict[str, Any], was: dict[str, Any], scored: dict[str, Any], evidence: CaseChanges | None
) -> None:
    assert len(published_in(decided_for(scored_as(**scored), signals_with(**was), evidence))) == 1
    policy = DEFAULTS.model_copy(update=off)
    assert (
        published_in(decided_for(scored_as(**scored), signals_with(**was), evidence, policy=policy))
        == []
    )


def test_a_rule_that_is_not_told_is_on_from_the_next_revision() -> None:
    policy = DEFAULTS.model_copy(update={"further_rule": False})
    decided = decided_for(scored_as(A | B, n=6), signals_with(), policy=policy)
    assert (published_in(decided), decided.on.tolist()) == (
        [("strengthened", "more_cases")],
        [A | B],
    )


@pytest.mark.parametrize(
    ("was", "scored", "evidence", "expected"),
    [
        ({}, {}, None, []),
        ({}, {"ic": 0.2}, None, []),  # margins alone moved it
        ({"on": 0}, {"entered": 0, "n": 9, "touched": True}, None, []),  # off: nothing to tell
        ({}, {"touched": True}, None, ["no_material_change"]),
        ({}, {"n": 4}, None, ["few_more_cases"]),
        ({"evaluated_n": 4}, {"n": 4}, None, []),  # counted when it came
        ({"evaluated_n": 4}, {"n": 4, "touched": True}, None, ["few_more_cases"]),
        ({}, {"entered": 0, "held": A, "n": 4}, None, ["within_band"]),
        ({"evaluated_entered": 0}, {"entered": 0, "held": A}, None, []),
        ({"evaluated_entered": 0}, {"entered": A}, None, ["entry_regained"]),
        ({"evaluated_n": 5}, {"n": 4}, ONE_UNNAMED_LEFT, ["few_more_cases"]),
        ({"evaluated_n": 4}, {"n": 3}, ONE_UNNAMED_LEFT, ["unnamed_case_left"]),
        ({"n_observed": 9}, {"n": 8}, None, ["aged_out"]),
        ({}, {"n": 4}, ONE_LEFT, []),  # told
    ],
)
def test_what_is_not_told_has_a_reason(
    was: dict[str, Any], scored: dict[str, Any], evidence: CaseChanges | None, expected: list[str]
) -> None:
    decided = decided_for(scored_as(**scored), signals_with(**was), evidence)
    assert _suppressed(decided) == expected
    assert decided.suppressed.tolist() == [0] * len(expected)


def test_what_the_policy_leaves_out_is_counted_as_such() -> None:
    policy = DEFAULTS.model_copy(update={"first_fatal": False})
    decided = decided_for(scored_as(n=4), signals_with(), evidence_of(FATAL), policy=policy)
    assert _suppressed(decided) == [SuppressionReason.SWITCHED_OFF]


def _history(evaluations: list[ScoredPairs], signals: Signals) -> list[tuple[str, ...]]:
    """Return the revisions of each evaluation by its number, and publish them."""
    published = []
    for day, scored in enumerate(evaluations):
        decided = decided_for(scored, signals)
        published += [(str(day), *revision) for revision in published_in(decided)]
        rows = Signals.row(
            key=scored.keys[decided.rows],
            revision=decided.was["revision"] + 1,
            kind=decided.kinds,
            evaluated_on=day,
            on=decided.on,
            n_observed=scored.n_observed[decided.rows],
            ic_lower=scored.ic_lower[decided.rows],
            evaluated_n=scored.n_observed[decided.rows],
            evaluated_entered=scored.entered[decided.rows],
        )
        signals.publish(rows, dict.fromkeys(scored.keys.tolist(), NAMED))
    return published


def test_a_pair_on_the_threshold_is_told_once_and_counted_at_each_crossing() -> None:
    signals = Signals()
    hovering = [scored_as(A), *[scored_as(0, held=A), scored_as(A)] * 10]
    assert _history(hovering, signals) == [("0", "new", "first")]
    assert signals.rows["revision"].tolist() == [1]
    without_band = [scored_as(A), *[scored_as(0, held=0), scored_as(A)] * 10]
    assert len(_history(without_band, Signals())) == 21


def test_the_way_back_is_through_the_entry() -> None:
    evaluations = [scored_as(A), scored_as(0, held=0), scored_as(0, held=A), scored_as(A)]
    assert _history(evaluations, Signals()) == [
        ("0", "new", "first"),
        ("1", "closed", "no_rule_on"),
        ("3", "strengthened", "reopened"),
    ]


def test_small_steps_are_measured_from_what_was_published_not_from_yesterday() -> None:
    signals = Signals()
    evaluations = [scored_as(n=n) for n in (4, 5, 6, 7, 8, 9)]
    assert _history(evaluations, signals) == [
        ("0", "new", "first"),
        ("3", "strengthened", "more_cases"),
    ]
    assert signals.rows["n_observed"].tolist() == [7]


def test_crossings_are_counted_rule_by_rule_either_way() -> None:
    signals = Signals()
    crossings = []
    for scored in (
        scored_as(A | B),
        scored_as(A, held=A | B),
        scored_as(A, held=A | B),
        scored_as(0, held=0),
    ):
        crossings.append(decided_for(scored, signals).crossings)
        if not len(signals.rows):
            signals = signals_with(on=A | B)
    assert crossings == [2, 1, 0, 1]


def test_decisions_are_sorted_and_carry_what_was_published() -> None:
    signals = signals_with(on=A | B, n_observed=5)
    three = ScoredPairs(
        keys=np.array([2, 7, 9]),
        entered=np.array([A, A, 0]),
        held=np.array([A, A, A]),
        alarm=A | B,
        n_observed=np.array([3, 5, 3]),
        ror_lower=np.full(3, 1.5),
        ic_lower=np.full(3, 0.1),
        touched=np.zeros(3, dtype=np.bool_),
    )
    decided = decided_for(three, signals)
    assert decided.rows.tolist() == [0, 1]
    assert published_in(decided) == [("new", "first"), ("weakened", "rule_off")]
    assert decided.was["n_observed"].tolist() == [0, 5]
    assert decided.was["evaluated_on"].tolist() == [0, 100]


def test_publishing_replaces_one_signal_and_keeps_the_others() -> None:
    held = signals_with(n_observed=5)
    held.publish(Signals.row(key=[9, 8], revision=1, on=B), {8: NAMED, 9: NAMED[:1]})
    held.publish(Signals.row(key=7, revision=5, on=0, n_observed=4), {7: NAMED[:0]})
    fields = ["key", "revision", "on", "n_observed"]
    assert held.rows[fields].tolist() == [(7, 5, 0, 4), (8, 1, B, 0), (9, 1, B, 0)]
    assert held.on.tolist() == [8, 9]
    assert {key: len(ids) for key, ids in held.named.items()} == {7: 0, 8: len(NAMED), 9: 1}


@pytest.mark.parametrize("taken_back", [False, True])
def test_a_signal_that_is_off_is_revised_once_when_a_case_it_names_is_taken_back(
    taken_back: bool,
) -> None:
    signals = signals_with(on=0)
    named = evidence_of(left=(int(NAMED[1]),))
    if taken_back:  # after it had left a moving window
        gone = named.left_pairs, named.left_cases
        named = replace(evidence_of(), taken_back=gone)
    decided = decided_for(scored_as(0, n=2), signals, named)
    assert published_in(decided) == [("update", "cases_retracted")]
    assert decided.on.tolist() == [0]
    assert published_in(decided_for(scored_as(0, n=2), signals, evidence_of(left=(99,)))) == []
    assert published_in(decided_for(scored_as(0, n=2), signals)) == []


def test_a_named_case_that_had_left_the_window_retracts_no_signal_that_ages_out() -> None:
    gone = evidence_of(left=(int(NAMED[1]),))
    aged = replace(evidence_of(), taken_back=(gone.left_pairs, gone.left_cases))
    ended = decided_for(scored_as(0, held=0, n=1), signals_with(), aged)
    assert published_in(ended) == [("closed", "no_rule_on")]
    stays = decided_for(scored_as(A, n=3), signals_with(), aged)
    assert published_in(stays) == [("update", "cases_retracted")]
