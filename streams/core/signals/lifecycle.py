"""Lifecycle of signals: compares scores with the published state and decides the revisions due.

Arrays only, aligned with the scored pairs. A signal is a pair that a rule flags or has flagged in
one window instance. Decisions depend on its last published state and on the present, never on an
earlier evaluation, so that a restart, which knows the latest alert of each signal, decides the
same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.alert import AlertKind, AlertReason, SignalGrade
from schemas.suppressed import SuppressionReason
from streams.core.counting.sorted_counts import Keys, Places
from streams.core.signals.counts_view import CountsView
from streams.core.signals.decisions import DROPPED, GRADES, KINDS, REASONS, Decisions
from streams.core.signals.new_evidence import (
    DESIGNATED,
    EXPOSURE,
    FATAL,
    GONE,
    NEW_COUNTRY,
    NEW_FACILITY,
    NEW_LOT,
    PAEDIATRIC_BIT,
    VERIFICATION,
    CaseChanges,
    Flags,
    Hashes,
    Masks,
    facets_of_cases,
)
from streams.core.signals.published_signals import Signals
from streams.core.signals.realert_policy import AlertPolicy
from streams.core.signals.redundancy import RedundantSignals
from streams.core.signals.window_scores import ScoredPairs, WindowScores

__all__ = ["decide", "decide_window", "publish"]

_ALARM, _SCREENING = map(GRADES.index, (SignalGrade.ALARM, SignalGrade.SCREENING))


def decide_window(
    scores: WindowScores,
    signals: Signals,
    view: CountsView,
    news: Masks,
    policy: AlertPolicy,
    redundant: RedundantSignals,
) -> Decisions:
    """Decide which revisions of one window are due, and which changes are suppressed.

    Parameters
    ----------
    scores
        The scores of the window.
    signals
        Its published state, see `decide`.
    view
        The cases, and their changes since the last evaluation.
    news
        New facts of the domain, of `scores.known`: bits such as `NEW_COUNTRY`.
    policy
        The re-alert policy.
    redundant
        Suppresses the signals that repeat another.
    """
    evidence = view.pending.evidence(scores.known, *scores.days, scores.facets)
    if scores.days[0] is not None:  # a case may be taken back after it left a moving window
        earlier = view.pending.evidence(scores.known, None, scores.days[1], scores.facets)
        evidence = replace(evidence, taken_back=(earlier.left_pairs, earlier.left_cases))
    withdrawn = _withdrawn(scores, signals, view, evidence.fewer)
    if scores.days[0] is None:  # else the missing facts may have left a moving window
        withdrawn |= news & GONE
    evidence = replace(evidence, domain=news)
    decided = decide(scores.pairs, signals, evidence, withdrawn, policy)
    return redundant.suppress(decided, scores, signals, view)


def decide(
    scored: ScoredPairs,
    signals: Signals,
    evidence: CaseChanges,
    withdrawn: Masks,
    policy: AlertPolicy,
) -> Decisions:
    """Compare the scored pairs with the last published state.

    Parameters
    ----------
    scored
        The pairs that this evaluation scored.
    signals
        The published state; its counts and rules as of the last evaluation are updated.
    evidence
        Of the signals among the scored pairs, in the order of `Signals.within`.
    withdrawn
        Published facets without a case left, because cases were retracted.
    policy
        The re-alert policy.
    """
    signal_index, pair_index = signals.within(scored.keys)
    known = _compare(scored, signals.rows[signal_index], pair_index)
    triggers = _triggers(known, evidence, policy)
    keys = known.was["key"]
    named_left = _named_case_left(signals, keys, evidence.left_pairs, evidence.left_cases)
    named_gone = named_left
    if evidence.taken_back is not None:
        named_gone = named_left | _named_case_left(signals, keys, *evidence.taken_back)
    kinds, reasons = _revisions(known, evidence, (named_left, named_gone), withdrawn, triggers)
    silent, why = _suppressions(known, evidence, kinds, triggers)
    signals.rows["evaluated_n"][signal_index] = known.n
    signals.rows["evaluated_entered"][signal_index] = known.entered

    unknown = scored.entered != 0
    unknown[pair_index] = False
    new, due = np.flatnonzero(unknown), np.flatnonzero(kinds >= 0)
    rows = np.concatenate([new, pair_index[due]])
    order = np.argsort(rows, kind="stable")
    new_kind = np.full(len(new), KINDS.index(AlertKind.NEW), dtype=np.int8)
    new_reason = np.full(len(new), 1 << REASONS.index(AlertReason.FIRST), dtype=np.int64)
    new_grade = _grades(scored.entered[new], scored.alarm)
    crossings = np.bitwise_count(known.crossed).sum() + np.bitwise_count(scored.entered[new]).sum()
    return Decisions(
        rows=rows[order],
        kinds=np.concatenate([new_kind, kinds[due]])[order],
        reasons=np.concatenate([new_reason, reasons[due]])[order],
        on=np.concatenate([scored.entered[new], known.on[due]])[order],
        grades=np.concatenate([new_grade, known.grade[due]])[order],
        was=np.concatenate([Signals.row(key=scored.keys[new]), known.was[due]])[order],
        suppressed=pair_index[silent],
        why=why,
        crossings=int(crossings),
    )


def publish(
    signals: Signals,
    scores: WindowScores,
    decided: Decisions,
    stated: Mapping[str, npt.NDArray[Any]],
    named: Mapping[int, Hashes],
) -> None:
    """Record the decided revisions as published.

    Parameters
    ----------
    stated
        Fields of the rows that the alerts state, such as `due`, in the order of the decisions.
    named
        Hashes of the case ids that each alert names, by key.
    """
    pairs, places = scores.pairs, decided.rows
    rows = Signals.row(
        key=pairs.keys[places],
        revision=decided.was["revision"] + 1,
        kind=decided.kinds,
        grade=decided.grades,
        evaluated_on=scores.instance.today,
        on=decided.on,
        n_observed=pairs.n_observed[places],
        ror_lower=pairs.ror_lower[places],
        ic_lower=pairs.ic_lower[places],
        evaluated_n=pairs.n_observed[places],
        evaluated_entered=pairs.entered[places],
        **stated,
    )
    signals.publish(rows, named)


@dataclass(frozen=True, slots=True)
class _Known:
    """Published signals among the scored pairs, as arrays with one element a signal.

    Attributes
    ----------
    was
        The published state.
    entered, on
        Rules that fire now, and rules that are on now.
    grade
        Place of the grade in `GRADES`; that last published, of a signal that is off.
    lost, gained
        Rules that are no longer on, or newly on, compared with the published state.
    crossed
        Rules that began or ceased to fire since the last evaluation; none if it is not known.
    """

    was: npt.NDArray[Any]
    entered: Masks
    on: Masks
    grade: npt.NDArray[np.int8]
    lost: Masks
    gained: Masks
    crossed: Masks
    n: npt.NDArray[np.int64]
    ic_lower: npt.NDArray[np.float64]
    touched: Flags

    @property
    def stays(self) -> Flags:
        """Return whether the signal was on and is on."""
        stays: Flags = (self.was["on"] != 0) & (self.on != 0)
        return stays


def _compare(scored: ScoredPairs, was: npt.NDArray[Any], pair_index: Places) -> _Known:
    entered = scored.entered[pair_index]
    on = entered | (was["on"] & scored.held[pair_index])
    return _Known(
        was=was,
        entered=entered,
        on=on,
        grade=np.where(on != 0, _grades(on, scored.alarm), was["grade"]),
        lost=was["on"] & ~on,
        gained=on & ~was["on"],
        crossed=np.where(was["evaluated_n"] >= 0, entered ^ was["evaluated_entered"], 0),
        n=scored.n_observed[pair_index],
        ic_lower=scored.ic_lower[pair_index],
        touched=scored.touched[pair_index],
    )


def _grades(on: Masks, alarm: int) -> npt.NDArray[np.int8]:
    """Return the place in `GRADES` of signals that are on, from the bits of their rules."""
    return np.where(on & alarm, _ALARM, _SCREENING).astype(np.int8)


_Triggers = Mapping[AlertReason, tuple[Flags, Flags]]


def _revisions(
    known: _Known,
    evidence: CaseChanges,
    named: tuple[Flags, Flags],
    withdrawn: Masks,
    triggers: _Triggers,
) -> tuple[npt.NDArray[np.int8], Masks]:
    """Return the kind of revision due for each signal, -1 for none, and its reasons.

    Parameters
    ----------
    named
        Whether a case that the published revision names left the window because it was taken back,
        and whether one was taken back at all.
    """
    named_left, named_gone = named
    was_on, is_on, stays = known.was["on"] != 0, known.on != 0, known.stays
    # The last revision of a signal that is off names no case that is gone, either.
    corrected = named_gone & (was_on == is_on)
    lost = known.lost != 0
    in_band = (known.was["on"] & known.on & ~known.entered) != 0
    regraded = known.grade != known.was["grade"]
    raised, lowered = (regraded & (known.grade == grade) for grade in (_ALARM, _SCREENING))
    weaker = evidence.left & ((known.n < known.was["n_observed"]) | in_band)
    retracted = was_on & (weaker | named_left | (evidence.left & lost))
    reasons = {
        AlertReason.CASES_RETRACTED: retracted | corrected,
        AlertReason.NO_RULE_ON: was_on & ~is_on,
        AlertReason.NO_LONGER_ALARM: lowered,
        AlertReason.RULE_OFF: stays & ((known.lost & ~DROPPED) != 0),
        AlertReason.RULE_DROPPED: was_on & ((known.lost & DROPPED) != 0),
        AlertReason.REOPENED: ~was_on & is_on,
        AlertReason.NOW_ALARM: raised,
        **{reason: stays & publishes for reason, (publishes, _) in triggers.items()},
        AlertReason.FACTS_WITHDRAWN: stays & (withdrawn != 0),
    }
    strengthened = np.logical_or.reduce([reasons[reason] for reason in triggers])
    kinds = _first_of(
        (~was_on & is_on, AlertKind.STRENGTHENED),
        (was_on & ~is_on & retracted, AlertKind.RETRACTION),
        (was_on & ~is_on, AlertKind.CLOSED),
        (lowered, AlertKind.WEAKENED),
        (raised, AlertKind.STRENGTHENED),
        (stays & (lost | weaker), AlertKind.WEAKENED),
        (strengthened, AlertKind.STRENGTHENED),
        (corrected | (stays & (withdrawn != 0)), AlertKind.UPDATE),
    )
    codes = np.zeros(len(kinds), dtype=np.int64)
    for reason, holds in reasons.items():
        codes[holds] |= 1 << REASONS.index(reason)
    return kinds, codes


def _suppressions(
    known: _Known, evidence: CaseChanges, kinds: npt.NDArray[np.int8], triggers: _Triggers
) -> tuple[Places, npt.NDArray[np.int8]]:
    """Return the signals that changed without a revision, and the places of their reasons."""
    was, n = known.was, known.n
    crossed = known.crossed & was["on"]
    grew = (was["evaluated_n"] >= 0) & (n != was["evaluated_n"])
    moved = known.touched | grew | (crossed != 0)
    silent = np.flatnonzero(known.stays & moved & (kinds < 0))
    off = np.logical_or.reduce([holds & ~publishes for publishes, holds in triggers.values()])
    why = _first_of(
        (off, SuppressionReason.SWITCHED_OFF),
        ((crossed & ~known.entered) != 0, SuppressionReason.WITHIN_BAND),
        ((crossed & known.entered) != 0, SuppressionReason.ENTRY_REGAINED),
        (n > was["n_observed"], SuppressionReason.FEW_MORE_CASES),
        (evidence.left, SuppressionReason.UNNAMED_CASE_LEFT),
        (n < was["n_observed"], SuppressionReason.AGED_OUT),
        (np.ones(len(n), dtype=np.bool_), SuppressionReason.NO_MATERIAL_CHANGE),
    )
    return silent, why[silent]


def _triggers(known: _Known, evidence: CaseChanges, policy: AlertPolicy) -> _Triggers:
    """Return by trigger whether the policy publishes each signal for it, and whether it applies."""
    was, n = known.was, known.n
    more = rise = np.zeros(len(n), dtype=np.bool_)
    if policy.more_cases is not None:
        more = (n >= was["n_observed"] + policy.more_cases) & (
            n >= policy.more_cases_factor * was["n_observed"]
        )
    if policy.ic_lower_rise is not None:
        rise = known.ic_lower - was["ic_lower"] >= policy.ic_lower_rise
    gained = known.gained != 0
    first = evidence.gained & ~was["facets"]
    domain = np.zeros(len(n), dtype=np.int64) if evidence.domain is None else evidence.domain
    facts = {
        AlertReason.FIRST_FATAL: (first & FATAL, policy.first_fatal),
        AlertReason.FIRST_PAEDIATRIC: (first & PAEDIATRIC_BIT, policy.first_paediatric),
        AlertReason.NEW_REGION: (first & ~(FATAL | PAEDIATRIC_BIT), policy.new_region),
        AlertReason.FIRST_DESIGNATED: (domain & DESIGNATED, policy.first_designated),
        AlertReason.EXPOSURE_ONGOING: (domain & EXPOSURE, policy.exposure_ongoing),
        AlertReason.VERIFICATION_CHANGED: (domain & VERIFICATION, policy.verification_changed),
        AlertReason.NEW_COUNTRY: (domain & NEW_COUNTRY, policy.new_country),
        AlertReason.NEW_LOT: (domain & NEW_LOT, policy.new_lot),
        AlertReason.NEW_FACILITY: (domain & NEW_FACILITY, policy.new_facility),
    }
    return {
        AlertReason.FURTHER_RULE: (gained & policy.further_rule, gained),
        AlertReason.MORE_CASES: (more, more),
        AlertReason.IC_ROSE: (rise, rise),
        **{reason: ((bits != 0) & asked, bits != 0) for reason, (bits, asked) in facts.items()},
    }


def _withdrawn(scores: WindowScores, signals: Signals, view: CountsView, fewer: Masks) -> Masks:
    """Return the published facets of signals without a case left, among facets with fewer cases."""
    known = scores.known
    signal_index = np.searchsorted(signals.rows["key"], known)
    withdrawn: Masks = fewer & signals.rows["facets"][signal_index]
    doubtful = np.flatnonzero(withdrawn)
    if len(doubtful):
        keys = known[doubtful]
        cases = view.log.cases_of(keys, *scores.days)
        places = np.searchsorted(keys, cases["key"].to_numpy())
        withdrawn[doubtful] &= ~facets_of_cases(cases, places, scores.facets, len(keys))[1]
    return withdrawn


def _named_case_left(
    signals: Signals, keys: Keys, left_pairs: npt.NDArray[np.intp], left_cases: Hashes
) -> Flags:
    """Return whether each signal lost a case that its last published revision names."""
    found = np.zeros(len(keys), dtype=np.bool_)
    for signal, case in zip(left_pairs, left_cases, strict=True):
        published = signals.named.get(int(keys[signal]))
        if published is not None and not found[signal]:
            found[signal] = bool((published == case).any())
    return found


def _first_of(
    *steps: tuple[Flags, AlertKind] | tuple[Flags, SuppressionReason],
) -> npt.NDArray[np.int8]:
    """Return the place in its enumeration of the first member that applies; -1 if none does."""
    which = np.full(len(steps[0][0]), -1, dtype=np.int8)
    for holds, member in reversed(steps):
        which[holds] = list(type(member)).index(member)
    return which
