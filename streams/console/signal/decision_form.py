"""Decision form of a signal: steps that may follow, the conditions of others, and its problems."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.alert import Alert
from schemas.decision import SignalState, SignatureMeaning
from streams.console.signal.asked import Asked
from streams.core.alerts.assessment import STEPS

__all__ = [
    "SHORTEST_REASON",
    "DecisionForm",
    "LaterStep",
    "Typed",
    "decision_form",
    "problems_of",
]

SHORTEST_REASON = 20
"""Least length of a reason [characters]."""

_ROAD = (
    SignalState.DETECTED,
    SignalState.UNDER_TRIAGE,
    SignalState.VALIDATED,
    SignalState.CONFIRMED,
)
_PLACES = {  # on the road, of states that are not on it themselves
    SignalState.REOPENED: SignalState.DETECTED,
    SignalState.NOT_VALIDATED: SignalState.VALIDATED,
    SignalState.NOT_CONFIRMED: SignalState.CONFIRMED,
    SignalState.PRIORITISED: SignalState.CONFIRMED,
    SignalState.UNDER_ASSESSMENT: SignalState.CONFIRMED,
}
_AFFIRMS = frozenset({SignalState.VALIDATED, SignalState.CONFIRMED})


@dataclass(frozen=True, slots=True)
class LaterStep:
    """A step that may not follow now, and the states that it may follow."""

    to: SignalState
    after: tuple[SignalState, ...]


@dataclass(frozen=True, slots=True)
class Typed:
    """What a reader typed, kept when the form comes back.

    Attributes
    ----------
    reader
        Name of the one who signs, of a reader who is not signed in.
    alert_id
        The revision decided on.
    seen
        Number of the last entry about the signal when the form was rendered; 0 if there was none.
    """

    to: str = ""
    reason: str = ""
    meaning: str = ""
    assignee: str = ""
    superseded_by: str = ""
    reader: str = ""
    alert_id: str = ""
    seen: int = 0


@dataclass(frozen=True, slots=True)
class DecisionForm:
    """The form, as its template shows it.

    Attributes
    ----------
    road, place
        The usual states in order, and the one that the signal is at; None if it left the road.
    steps, later
        Steps that may follow, and all others.
    burst
        Cases of the burst that a validation must address; None without one.
    problems
        Names of texts by field.
    """

    road: tuple[SignalState, ...]
    place: SignalState | None
    steps: tuple[SignalState, ...]
    later: tuple[LaterStep, ...]
    meanings: tuple[SignatureMeaning, ...]
    burst: int | None
    typed: Typed
    problems: Mapping[str, str] = field(default_factory=dict)


def decision_form(
    asked: Asked, typed: Typed | None = None, problems: Mapping[str, str] | None = None
) -> DecisionForm:
    """Return the form to decide on the shown revision.

    Parameters
    ----------
    typed
        What the reader typed before; by default nothing is chosen.
    problems
        Names of texts by field.
    """
    alert, state = asked.alert, asked.assessment.state
    burst = alert.burst if isinstance(alert, Alert) else None
    seen = asked.entries[-1].number if asked.entries else 0
    kept = typed or Typed()
    return DecisionForm(
        road=_ROAD,
        place=state if state in _ROAD else _PLACES.get(state),
        steps=tuple(one for one in SignalState if one in STEPS[state]),
        later=tuple(
            LaterStep(to, after)
            for to in SignalState
            if to not in STEPS[state]
            and to is not state
            and (after := tuple(frm for frm in SignalState if to in STEPS[frm]))
        ),
        meanings=tuple(SignatureMeaning),
        burst=None if burst is None else burst.n_cases,
        typed=Typed(
            to=kept.to,
            reason=kept.reason,
            meaning=kept.meaning,
            assignee=kept.assignee or asked.assessment.assignee or "",
            superseded_by=kept.superseded_by,
            reader=kept.reader,
            alert_id=alert.alert_id,
            seen=seen,
        ),
        problems=problems or {},
    )


def problems_of(typed: Typed, form: DecisionForm) -> dict[str, str]:
    """Return what is wrong with what was typed: the names of texts, by field; none if nothing."""
    found: dict[str, str] = {}
    if not typed.reader:
        found["reader"] = "problem_reader"
    if typed.to not in {step.value for step in form.steps}:
        found["to"] = "problem_step"
    if len(typed.reason.strip()) < SHORTEST_REASON:
        found["reason"] = "problem_reason"
    elif form.burst and typed.to in _AFFIRMS and "burst" not in typed.reason.casefold():
        found["reason"] = "problem_burst"
    if typed.meaning not in {meaning.value for meaning in form.meanings}:
        found["meaning"] = "problem_meaning"
    if (typed.to == SignalState.SUPERSEDED.value) != bool(typed.superseded_by):
        found["superseded_by"] = "problem_successor"
    return found
