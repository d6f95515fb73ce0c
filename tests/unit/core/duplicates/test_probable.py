"""Probable duplicates: who belongs together, what is decided, and what a policy may say."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.link import CaseLink
from schemas.report import Patient
from schemas.vocabulary import LinkBasis, LinkState, Sex, VerificationState
from streams.core.cases.from_report import case_version, link_version
from streams.core.cases.transitions import CaseVersion, joined
from streams.core.duplicates.probable import (
    DEFAULT_POLICY,
    Candidate,
    LinkagePolicy,
    Pair,
    candidate_of,
    clusters,
    decide,
    records_frame,
)
from tests.support.reports import DAY, NULLIFIED, make_report
from tests.support.versions import make_link

POLICY = LinkagePolicy.read(DEFAULT_POLICY)


def _candidate(case_id: str, **changes: Any) -> Candidate:
    report = make_report(case_id, **changes)
    return candidate_of(case_version(report), report)


def _pair(one: str, other: str, score: float) -> Pair:
    return Pair(one, other, score, ("drugs", "events"), ())


def _held(candidate: Candidate, *links: CaseLink) -> Candidate:
    version: CaseVersion = candidate.version
    for link in links:
        version = joined(link_version(link), version)
    return replace(candidate, version=version)


def test_a_cluster_needs_every_two_of_it() -> None:
    chain = [_pair("A", "B", 0.99), _pair("B", "C", 0.98), _pair("C", "D", 0.97)]
    assert clusters(chain, 0.9) == [("A", "B"), ("C", "D")]
    whole = [*chain, _pair("A", "C", 0.96), _pair("A", "D", 0.96), _pair("B", "D", 0.96)]
    assert clusters(whole, 0.9) == [("A", "B", "C", "D")]
    assert clusters(whole, 0.965) == [("A", "B"), ("C", "D")]
    assert clusters(reversed(whole), 0.9) == clusters(whole, 0.9)
    assert clusters([], 0.9) == []


def test_nothing_is_applied_unless_the_policy_says_so() -> None:
    cases = {name: _candidate(name) for name in "AB"}
    (link,) = decide(cases, [_pair("A", "B", 0.9999)], POLICY)
    assert (link.case_id, link.master_case_id, link.state) == ("B", "A", LinkState.SUSPECTED)
    assert (link.basis, link.score, link.decision) == (LinkBasis.PROBABLE, 0.9999, 1)
    assert link.agreed == ("drugs", "events")
    bold = POLICY.model_copy(update={"applied_from": 0.999})
    (link,) = decide(cases, [_pair("A", "B", 0.9999)], bold)
    assert link.state == LinkState.APPLIED
    (link,) = decide(cases, [_pair("A", "B", 0.99)], bold)
    assert link.state == LinkState.SUSPECTED
    assert decide(cases, [_pair("A", "B", 0.94)], bold) == []


@pytest.mark.parametrize(
    ("a", "b", "master"),
    [
        ({}, {}, "A"),
        ({}, {"patient": Patient(sex=Sex.FEMALE)}, "B"),  # says more
        ({"first_received": DAY}, {"first_received": date(2023, 12, 31)}, "B"),
        ({"verification": VerificationState.RUMOUR}, {}, "B"),  # counts
    ],
)
def test_the_master_counts_and_says_most(a: dict[str, Any], b: dict[str, Any], master: str) -> None:
    cases = {"A": _candidate("A", **a), "B": _candidate("B", **b)}
    (link,) = decide(cases, [_pair("A", "B", 0.99)], POLICY)
    assert link.master_case_id == master


def test_a_second_run_publishes_what_changed_and_reverses_what_no_longer_holds() -> None:
    cases = {name: _candidate(name) for name in "AB"}
    bold = POLICY.model_copy(update={"applied_from": 0.98})
    pairs = [_pair("A", "B", 0.99)]
    (applied,) = decide(cases, pairs, bold)
    cases["B"] = _held(cases["B"], applied)
    assert decide(cases, pairs, bold) == []
    (lowered,) = decide(cases, pairs, POLICY)  # a policy that applies nothing any more
    assert (lowered.state, lowered.decision) == (LinkState.SUSPECTED, 2)
    (back,) = decide(cases, [], bold)
    assert (back.state, back.decision, back.master_case_id) == (LinkState.REVERSED, 2, "A")
    cases["B"] = _held(cases["B"], back)
    assert decide(cases, [], bold) == []
    (again,) = decide(cases, pairs, bold)
    assert (again.state, again.decision) == (LinkState.APPLIED, 3)


def test_only_cases_that_may_be_duplicates_are_compared() -> None:
    cases = [
        _candidate("A"),
        _candidate("B", revision=NULLIFIED),
        _candidate("C", products=()),
        _candidate("D", reactions=()),
        _held(_candidate("E"), make_link(case_id="E")),
        _candidate("F", patient=Patient(age_years=5.0, sex=Sex.MALE, weight_kg=20.0)),
    ]
    frame = records_frame(cases)
    assert frame["unique_id"].to_list() == ["A", "F"]
    assert frame.row(0, named=True) | {"drugs": 0, "events": 0, "received": 0} == dict.fromkeys(
        ["age", "sex", "country", "weight", "onset"]
    ) | {"unique_id": "A", "drugs": 0, "events": 0, "received": 0}
    assert frame.row(1)[1:5] == (5.0, "male", None, 20.0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("expected_share = 0.05", "expected_share = 0.0", "expected_share: Input should be great"),
        ("suspected_from = 0.95", "", "suspected_from: Field required"),
        ("sex = [0.98, 0.02]", "", "agreement must have these fields"),
        ("sex = [0.98, 0.02]", "sex = [0.98, 0.03]", r"agreement\.sex must sum to 1"),
        ("# applied_from = 0.999", "applied_from = 0.5", "must not be below suspected_from"),
        ("[agreement]", "[agreement", "must be a readable TOML file"),
        ("expected_share", "expected", "expected_share: Field required"),
    ],
)
def test_a_policy_that_cannot_hold_is_refused(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "policy.toml"
    text = DEFAULT_POLICY.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        LinkagePolicy.read(path)
