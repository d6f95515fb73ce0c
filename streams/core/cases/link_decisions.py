"""Decisions that a case is a duplicate: which are in force, and their combined result."""

from collections.abc import Iterable
from itertools import chain

import msgspec

from schemas.link import CaseLink
from schemas.vocabulary import LinkBasis, LinkState

__all__ = [
    "DECIDERS",
    "LinkDecision",
    "decision_of",
    "highest",
    "is_linked_away",
    "is_suspected",
    "of_decider",
]

DECIDERS = {
    LinkBasis.MANUAL: "manual",
    LinkBasis.WORLDWIDE_ID: "exact",
    LinkBasis.REPORT_NUMBER: "exact",
    LinkBasis.SOURCE_ID: "exact",
    LinkBasis.CROSS_LISTED: "exact",
    LinkBasis.PROBABLE: "probable",
}
"""Decider by basis. A case keeps one decision of each decider, the highest."""

_APPLIED, _SUSPECTED = LinkState.APPLIED.value, LinkState.SUSPECTED.value


class LinkDecision(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """The highest decision of one decider on one case; of two of one decider the greater holds."""

    decider: str  # a value of `DECIDERS`
    number: int
    state: str  # of `schemas.vocabulary.LinkState`
    master: str
    basis: str  # of `schemas.vocabulary.LinkBasis`


def decision_of(link: CaseLink) -> LinkDecision:
    """Reduce a link to the decision stored with the case."""
    return LinkDecision(
        DECIDERS[link.basis],
        link.decision,
        link.state.value,
        link.master_case_id,
        link.basis.value,
    )


def highest(*decisions: Iterable[LinkDecision]) -> tuple[LinkDecision, ...]:
    """Return the highest decision of each decider, by decider; order and repeats change nothing."""
    found: dict[str, LinkDecision] = {}
    for decision in chain.from_iterable(decisions):
        found[decision.decider] = max(decision, found.get(decision.decider, decision))
    return tuple(sorted(found.values()))


def of_decider(decisions: Iterable[LinkDecision], decider: str) -> LinkDecision | None:
    """Return the decision of a decider; `None` if it decided nothing.

    >>> exact = LinkDecision("exact", 1, "applied", "M", "worldwide_id")
    >>> of_decider((exact,), "exact") is exact, of_decider((exact,), "manual")
    (True, None)
    """
    return next((decision for decision in decisions if decision.decider == decider), None)


def is_linked_away(decisions: Iterable[LinkDecision]) -> bool:
    """Return whether the decisions on a case keep it out of the counts.

    A person's decision overrides the other two, unless it is `suspected`, which decides nothing.

    >>> exact = LinkDecision("exact", 1, "applied", "M", "worldwide_id")
    >>> is_linked_away([exact])
    True
    >>> is_linked_away([exact, LinkDecision("manual", 1, "reversed", "M", "manual")])
    False
    """
    states = {decision.decider: decision.state for decision in decisions}
    manual = states.get("manual", _SUSPECTED)
    return _APPLIED in states.values() if manual == _SUSPECTED else manual == _APPLIED


def is_suspected(decisions: Iterable[LinkDecision]) -> bool:
    """Return whether the decisions mark a case as a suspected duplicate that still counts.

    A person who decided either way ends the suspicion.

    >>> probable = LinkDecision("probable", 1, "suspected", "M", "probable")
    >>> is_suspected([probable]), is_suspected([])
    (True, False)
    >>> is_suspected([probable, LinkDecision("manual", 1, "reversed", "M", "manual")])
    False
    """
    states = {decision.decider: decision.state for decision in decisions}
    open_question = states.get("manual", _SUSPECTED) == _SUSPECTED
    return open_question and _SUSPECTED in states.values() and _APPLIED not in states.values()
