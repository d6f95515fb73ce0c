"""From scores to revisions: what became of each signal since it was last published.

Arrays only, aligned with the pairs looked at. A signal is a pair that some rule flags or has
flagged in one window instance. Decisions rest on what was last published of it and on the present,
never on what an earlier look saw, so that a restart, which knows the latest alert of each signal,
decides the same.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.alert import AlertKind, AlertReason
from schemas.suppressed import SuppressionReason
from streams.core.counting.sorted_counts import Keys
from streams.core.signals.new_evidence import (
    DESIGNATED,
    EXPOSURE,
    FATAL,
    NEW_COUNTRY,
    NEW_FACILITY,
    NEW_LOT,
    PAEDIATRIC_BIT,
    VERIFICATION,
    CaseChanges,
    Masks,
)
from streams.core.signals.published_signals import Flags, Rows, Signals
from streams.core.signals.realert_policy import AlertPolicy

__all__ = ["DROPPED", "KINDS", "REASONS", "SUPPRESSIONS", "Decisions", "ScoredPairs", "decide"]

KINDS, REASONS, SUPPRESSIONS = tuple(AlertKind), tuple(AlertReason), tuple(SuppressionReason)
DROPPED = 1 << 40
"""Bit of the rules on, beyond those of any rule: one that was on is no longer asked."""


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """What one evaluation sees, one element a pair, sorted by key.

    Must hold every pair in scope that a rule flags, and every signal in scope that is on.

    Attributes
    ----------
    entered, held
        What `detectors.rules.RuleSet.masks` gives.
    touched
        Whether a case of the pair came, went or was amended since the last look.
    """

    keys: Keys
    entered: Masks
    held: Masks
    n_observed: npt.NDArray[np.int64]
    ror_lower: npt.NDArray[np.float64]
    ic_lower: npt.NDArray[np.float64]
    touched: Flags


@dataclass(frozen=True, slots=True)
class Decisions:
    """What to publish, and what not.

    Attributes
    ----------
    rows
        Places in the look, ascending, of the pairs to publish; the rest aligned with them.
    kinds
        Places in `KINDS`.
    reasons
        Bit i: reason i of `REASONS` applies.
    on
        Bit i: rule i is on.
    was
        The published state that is replaced; revision 0 where there is none.
    suppressed, why
        Places in the look of signals that changed and are not told, and places in `SUPPRESSIONS`.
    crossings
        How many rules came to fire, or ceased to, since the last look, told or not.
    """

    rows: Rows
    kinds: npt.NDArray[np.int8]
    reasons: Masks
    on: Masks
    was: npt.NDArray[Any]
    suppressed: Rows
    why: npt.NDArray[np.int8]
    crossings: int


def decide(
    look: ScoredPairs,
    signals: Signals,
    evidence: CaseChanges,
    withdrawn: Masks,
    policy: AlertPolicy,
) -> Decisions:
    """Compare what is seen with what was last published.

    Parameters
    ----------
    look
        What this evaluation sees.
    signals
        The published state; what it remembers of the last look is brought up to date.
    evidence
        Of the signals within the look, in the order of `Signals.within`.
    withdrawn
        Published facets of which these have no case left, because cases were retracted.
    policy
        What is told again of a signal that is on.
    """
    here, there = signals.within(look.keys)
    was = signals.rows[here]
    entered = look.entered[there]
    on = entered | (was["on"] & look.held[there])
    n = look.n_observed[there]
    was_on, is_on = was["on"] != 0, on != 0
    lost, gained = was["on"] & ~on, on & ~was["on"]
    in_band = (was["on"] & on & ~entered) != 0
    fewer = evidence.left & (n < was["n_observed"])
    weaker = fewer | (evidence.left & in_band)
    named = _named_case_left(signals, was["key"], evidence)
    news = _news(look, there, was, gained, evidence, policy)

    stays = was_on & is_on
    reasons = {
        AlertReason.CASES_RETRACTED: was_on & (weaker | named | (evidence.left & (lost != 0))),
        AlertReason.NO_RULE_ON: was_on & ~is_on,
        AlertReason.RULE_OFF: stays & ((lost & ~DROPPED) != 0),
        AlertReason.RULE_DROPPED: was_on & ((lost & DROPPED) != 0),
        AlertReason.REOPENED: ~was_on & is_on,
        **{reason: stays & told for reason, (told, _) in news.items()},
        AlertReason.FACTS_WITHDRAWN: stays & (withdrawn != 0),
    }
    strengthened = np.logical_or.reduce([reasons[reason] for reason in news])
    kinds = _first_of(
        (~was_on & is_on, AlertKind.STRENGTHENED),
        (was_on & ~is_on & reasons[AlertReason.CASES_RETRACTED], AlertKind.RETRACTION),
        (was_on & ~is_on, AlertKind.CLOSED),
        (stays & ((lost != 0) | weaker), AlertKind.WEAKENED),
        (strengthened, AlertKind.STRENGTHENED),
        (stays & (named | (withdrawn != 0)), AlertKind.UPDATE),
    )
    codes = np.zeros(len(n), dtype=np.int64)
    for reason, holds in reasons.items():
        codes[holds] |= 1 << REASONS.index(reason)

    looked = was["looked_n"] >= 0
    changed = np.where(looked, entered ^ was["looked_entered"], 0)
    grew = looked & (n != was["looked_n"])
    moved = look.touched[there] | grew | ((changed & was["on"]) != 0)
    silent = np.flatnonzero(stays & moved & (kinds < 0))
    off = np.logical_or.reduce([known & ~told for told, known in news.values()])
    why = _first_of(
        (off, SuppressionReason.SWITCHED_OFF),
        ((changed & was["on"] & ~entered) != 0, SuppressionReason.WITHIN_BAND),
        ((changed & was["on"] & entered) != 0, SuppressionReason.ENTRY_REGAINED),
        (n > was["n_observed"], SuppressionReason.FEW_MORE_CASES),
        (evidence.left, SuppressionReason.UNNAMED_CASE_LEFT),
        (n < was["n_observed"], SuppressionReason.AGED_OUT),
        (np.ones(len(n), dtype=np.bool_), SuppressionReason.NO_MATERIAL_CHANGE),
    )
    signals.rows["looked_n"][here], signals.rows["looked_entered"][here] = n, entered

    unknown = look.entered != 0
    unknown[there] = False
    new = np.flatnonzero(unknown)
    told = np.flatnonzero(kinds >= 0)
    first = Signals.row(key=look.keys[new])
    rows = np.concatenate([new, there[told]])
    order = np.argsort(rows, kind="stable")
    new_kind = np.full(len(new), KINDS.index(AlertKind.NEW), dtype=np.int8)
    new_reason = np.full(len(new), 1 << REASONS.index(AlertReason.FIRST), dtype=np.int64)
    return Decisions(
        rows=rows[order],
        kinds=np.concatenate([new_kind, kinds[told]])[order],
        reasons=np.concatenate([new_reason, codes[told]])[order],
        on=np.concatenate([look.entered[new], on[told]])[order],
        was=np.concatenate([first, was[told]])[order],
        suppressed=there[silent],
        why=why[silent],
        crossings=int(np.bitwise_count(changed).sum() + np.bitwise_count(look.entered[new]).sum()),
    )


def _news(
    look: ScoredPairs,
    there: Rows,
    was: npt.NDArray[Any],
    gained: Masks,
    evidence: CaseChanges,
    policy: AlertPolicy,
) -> dict[AlertReason, tuple[Flags, Flags]]:
    """Return, for each trigger, where the policy tells it, and where it is there to be told."""
    n, never = look.n_observed[there], np.zeros(len(there), dtype=np.bool_)
    more = rise = never
    if policy.more_cases is not None:
        more = (n >= was["n_observed"] + policy.more_cases) & (
            n >= policy.more_cases_factor * was["n_observed"]
        )
    if policy.ic_lower_rise is not None:
        rise = look.ic_lower[there] - was["ic_lower"] >= policy.ic_lower_rise
    first = evidence.gained & ~was["facets"]
    facets = {
        AlertReason.FIRST_FATAL: (FATAL, policy.first_fatal),
        AlertReason.FIRST_PAEDIATRIC: (PAEDIATRIC_BIT, policy.first_paediatric),
        AlertReason.NEW_REGION: (~(FATAL | PAEDIATRIC_BIT), policy.new_region),
    }
    domain = np.zeros(len(there), dtype=np.int64) if evidence.domain is None else evidence.domain
    of_domain = {
        AlertReason.FIRST_DESIGNATED: (DESIGNATED, policy.first_designated),
        AlertReason.EXPOSURE_ONGOING: (EXPOSURE, policy.exposure_ongoing),
        AlertReason.VERIFICATION_CHANGED: (VERIFICATION, policy.verification_changed),
        AlertReason.NEW_COUNTRY: (NEW_COUNTRY, policy.new_country),
        AlertReason.NEW_LOT: (NEW_LOT, policy.new_lot),
        AlertReason.NEW_FACILITY: (NEW_FACILITY, policy.new_facility),
    }
    further = gained != 0
    return {
        AlertReason.FURTHER_RULE: (further & policy.further_rule, further),
        AlertReason.MORE_CASES: (more, more),
        AlertReason.IC_ROSE: (rise, rise),
        **{
            reason: (((first & bits) != 0) & told, (first & bits) != 0)
            for reason, (bits, told) in facets.items()
        },
        **{
            reason: (((domain & bits) != 0) & told, (domain & bits) != 0)
            for reason, (bits, told) in of_domain.items()
        },
    }


def _named_case_left(signals: Signals, keys: Keys, evidence: CaseChanges) -> Flags:
    """Tell of which pairs a case left that the last revision had published."""
    found = np.zeros(len(keys), dtype=np.bool_)
    for at, case in zip(evidence.left_pairs, evidence.left_cases, strict=True):
        published = signals.named.get(int(keys[at]))
        if published is not None and not found[at]:
            found[at] = bool((published == case).any())
    return found


def _first_of(
    *steps: tuple[Flags, AlertKind] | tuple[Flags, SuppressionReason],
) -> npt.NDArray[np.int8]:
    """Return the place, in its enumeration, of the first that holds; -1 where none does."""
    which = np.full(len(steps[0][0]), -1, dtype=np.int8)
    for holds, member in reversed(steps):
        which[holds] = list(type(member)).index(member)
    return which
