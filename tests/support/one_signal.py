"""One published signal, its scores and its new evidence: what `decide` is asked in tests."""

from typing import Any

import numpy as np

from schemas.alert import AlertKind
from streams.core.signals.decisions import KINDS, REASONS, Decisions
from streams.core.signals.lifecycle import decide
from streams.core.signals.new_evidence import CaseChanges, region_mask
from streams.core.signals.published_signals import Signals
from streams.core.signals.realert_policy import AlertPolicy, load_policy
from streams.core.signals.window_scores import ScoredPairs

A, B = 1, 2  # bits of two rules, by default both the alarm's
JAPAN, ASIA = region_mask(["japan"]), region_mask(["asia"])
DEFAULTS = load_policy()
NAMED = np.array([11, 12, 13], dtype=np.uint64)  # hashes of the cases published
NAN = float("nan")


def signals_with(**published: Any) -> Signals:
    """One signal, of key 7, as it was published; by default with rule A on and three cases."""
    row = {"revision": 4, "on": A, "n_observed": 3, "ic_lower": 0.1, "evaluated_on": 100}
    row |= {"kind": KINDS.index(AlertKind.NEW), "ror_lower": 1.5, "facets": 0} | published
    row = {"evaluated_n": row["n_observed"], "evaluated_entered": row["on"], "key": 7} | row
    signals = Signals()
    signals.publish(Signals.row(**row), {7: NAMED})
    return signals


def scored_as(
    entered: int = A,
    held: int | None = None,
    *,
    n: int = 3,
    ic: float = 0.1,
    key: int = 7,
    touched: bool = False,
    alarm: int = A | B,
) -> ScoredPairs:
    return ScoredPairs(
        keys=np.array([key]),
        entered=np.array([entered]),
        held=np.array([entered if held is None else held]),
        alarm=alarm,
        n_observed=np.array([n]),
        ror_lower=np.array([1.5]),
        ic_lower=np.array([ic]),
        touched=np.array([touched]),
    )


def evidence_of(gained: int = 0, left: tuple[int, ...] = ()) -> CaseChanges:
    """Of the one pair: facets gained, and the hashes of the cases that left it."""
    return CaseChanges(
        gained=np.array([gained]),
        fewer=np.array([0]),
        left=np.array([bool(left)]),
        left_pairs=np.zeros(len(left), dtype=np.intp),
        left_cases=np.array(left, dtype=np.uint64),
    )


def decided_for(
    scored: ScoredPairs,
    signals: Signals,
    evidence: CaseChanges | None = None,
    withdrawn: int = 0,
    policy: AlertPolicy = DEFAULTS,
) -> Decisions:
    known = len(signals.within(scored.keys)[0])
    if evidence is None:
        evidence = CaseChanges.none(known)
    return decide(scored, signals, evidence, np.full(known, withdrawn), policy)


def published_in(decided: Decisions) -> list[tuple[str, ...]]:
    """Kind and reason codes of each revision."""
    return [
        (KINDS[kind].value, *(r.value for i, r in enumerate(REASONS) if mask >> i & 1))
        for kind, mask in zip(decided.kinds, decided.reasons.tolist(), strict=True)
    ]
