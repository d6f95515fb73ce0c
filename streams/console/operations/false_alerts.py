"""False alerts on negative controls, beside what the alarm's rules promise."""

from collections.abc import Iterable
from dataclasses import dataclass

from detectors.conditions import AllOf, Comparison
from detectors.false_alarms import ever_alert_rate
from detectors.rules import Rule, RuleSet
from schemas.alert_reason import SignalGrade
from streams.console.operations.published_revisions import Revisions

__all__ = ["ControlShare", "ever_alerted", "now_alarms", "promised"]

_E_VALUE, _E_BH = "e_value", "e_bh_level"  # what the names of such statistics begin with


@dataclass(frozen=True, slots=True)
class ControlShare:
    """Share of control pairs, with its exact interval of 95%."""

    n: int
    n_controls: int
    rate: float
    lower: float
    upper: float


def _share(n: int, n_controls: int) -> ControlShare:
    return ControlShare(n, n_controls, *ever_alert_rate(n, n_controls))


def now_alarms(revisions: Revisions) -> ControlShare | None:
    """Return the controls that are alarms now; None if no alert names controls."""
    found = revisions.calibration
    return None if found is None else _share(found["n_controls_on"], found["n_controls"])


def ever_alerted(
    revisions: Revisions, controls: Iterable[tuple[str, str]] | None
) -> ControlShare | None:
    """Return the controls that ever were an alarm.

    Parameters
    ----------
    controls
        The pairs, in normal form; None on a server that does not read them.
    """
    pairs = set(controls or ())
    return _share(len(pairs & revisions.alarms), len(pairs)) if pairs else None


def promised(rules: RuleSet | None) -> float | None:
    """Return the most that a pair without association ever alerts with, as a share.

    By Ville's inequality an e-process reaches a threshold of t with a probability of at most 1/t,
    however often it is evaluated; e-BH at a level flags none below its reciprocal. None if an alarm
    rule asks for neither: it promises nothing.

    >>> from detectors.rules import load_rules
    >>> [promised(load_rules([name])) for name in ("tocsin", "safe", "mhra")]
    [0.125, 0.05, None]
    """
    if rules is None:
        return None
    found = [_bound(rule) for rule in rules.rules if rule.grade is SignalGrade.ALARM]
    bounds = [bound for bound in found if bound is not None]
    return min(sum(bounds), 1.0) if bounds and len(bounds) == len(found) else None


def _bound(rule: Rule) -> float | None:
    condition = rule.condition
    parts = condition.all if isinstance(condition, AllOf) else (condition,)
    bounds = [
        1 / part.value if part.statistic.startswith(_E_VALUE) else part.value
        for part in parts
        if isinstance(part, Comparison)
        and part.value > 0
        and (
            (part.statistic.startswith(_E_VALUE) and part.op in (">=", ">"))
            or (part.statistic.startswith(_E_BH) and part.op in ("<=", "<"))
        )
    ]
    return min(bounds, default=None)
