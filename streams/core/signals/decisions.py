"""Decisions of one evaluation: signals to publish, as arrays with one element a pair."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.alert import AlertKind, AlertReason, SignalGrade
from schemas.suppressed import SuppressionReason
from streams.core.counting.sorted_counts import Places
from streams.core.signals.new_evidence import Masks

__all__ = ["DROPPED", "GRADES", "KINDS", "REASONS", "SUPPRESSIONS", "Decisions"]

KINDS, REASONS, SUPPRESSIONS = tuple(AlertKind), tuple(AlertReason), tuple(SuppressionReason)
GRADES = tuple(SignalGrade)
DROPPED = 1 << 40
"""Bit of the rules on, above those of all rules: a rule that was on is not in the set any more."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """The signals of one window to publish, and those to suppress.

    Attributes
    ----------
    rows
        Places among the scored pairs, ascending, of those to publish; the rest aligned with them.
    kinds
        Places in `KINDS`.
    reasons
        Bit i: reason i of `REASONS` applies.
    on
        Bit i: rule i is on.
    grades
        Places in `GRADES`.
    was
        The published state that is replaced; revision 0 if there is none.
    suppressed, why
        Places among the scored pairs of signals that changed and are suppressed, and places in
        `SUPPRESSIONS`.
    crossings
        Number of rules that began or ceased to fire since the last evaluation, published or not.
    """

    rows: Places
    kinds: npt.NDArray[np.int8]
    reasons: Masks
    on: Masks
    grades: npt.NDArray[np.int8]
    was: npt.NDArray[Any]
    suppressed: Places
    why: npt.NDArray[np.int8]
    crossings: int
