"""Steps that may follow, the conditions of others, and what is wrong with what was typed."""

from dataclasses import replace

import pytest

from schemas.decision import SignalState
from schemas.scrutiny import Burst
from schemas.subscription import Tier
from streams.console.frame.texts import texts_in
from streams.console.signal.asked import Asked, asked_signal
from streams.console.signal.decision_form import Typed, decision_form, problems_of
from streams.core.alerts.assessment import STEPS
from streams.core.wording.catalogue import Language
from tests.support.signal_pages import ReplayedDesk

KEY = "zinc|rash|cumulative"
GOOD = Typed(
    to="under_triage", reason="eight infants in one month", meaning="assessed", reader="A. Assessor"
)


@pytest.fixture
def asked(amended: ReplayedDesk) -> Asked:
    return asked_signal(amended.desk, Tier.AUTHORITY, KEY)


@pytest.mark.parametrize("state", list(SignalState))
def test_every_state_is_offered_or_has_its_condition(asked: Asked, state: SignalState) -> None:
    assessment = asked.assessment.model_copy(update={"state": state})
    form = decision_form(replace(asked, assessment=assessment))
    assert set(form.steps) == STEPS[state]
    for later in form.later:
        assert later.to not in STEPS[state]
        assert later.after
        assert all(later.to in STEPS[before] for before in later.after)
    reachable = set().union(*STEPS.values())
    assert {*form.steps, *(one.to for one in form.later)} == reachable - {state}
    t = texts_in(Language.ENGLISH)
    assert all(t(f"signal.to_{one}") for one in reachable)


def test_a_good_form_has_no_problem(asked: Asked) -> None:
    assert problems_of(GOOD, decision_form(asked, GOOD)) == {}


@pytest.mark.parametrize(
    ("changed", "field", "problem"),
    [
        ({"to": ""}, "to", "problem_step"),
        ({"to": "confirmed"}, "to", "problem_step"),
        ({"reason": "  nineteen letters  "}, "reason", "problem_reason"),
        ({"meaning": ""}, "meaning", "problem_meaning"),
        ({"meaning": "boss"}, "meaning", "problem_meaning"),
        ({"reader": ""}, "reader", "problem_reader"),
        ({"superseded_by": "a|b|cumulative"}, "superseded_by", "problem_successor"),
        ({"to": "superseded"}, "superseded_by", "problem_successor"),
    ],
)
def test_each_problem_is_named_at_its_field(
    asked: Asked, changed: dict[str, str], field: str, problem: str
) -> None:
    typed = replace(GOOD, **changed)
    assert problems_of(typed, decision_form(asked, typed)) == {field: problem}
    for language in Language:
        assert texts_in(language)(f"signal.{problem}")


def test_a_burst_must_be_addressed_by_a_validation_alone(asked: Asked) -> None:
    burst = Burst.model_construct(n_cases=12)
    alert = asked.statistical.model_copy(update={"burst": burst})
    triage = asked.assessment.model_copy(update={"state": SignalState.UNDER_TRIAGE})
    under = replace(asked, known=(*asked.known[:-1], alert), assessment=triage)
    form = decision_form(under)
    assert form.burst == 12
    silent = replace(GOOD, to="validated")
    assert problems_of(silent, form) == {"reason": "problem_burst"}
    said = replace(silent, reason="the burst is one hospital's look back")
    assert problems_of(said, form) == {}
    assert problems_of(replace(GOOD, to="monitoring"), form) == {}


def test_the_form_is_of_the_shown_revision_whatever_was_typed(asked: Asked) -> None:
    form = decision_form(asked, Typed(reason="kept", alert_id="another", seen=7))
    assert (form.typed.alert_id, form.typed.seen) == (asked.alert.alert_id, 0)
    assert form.typed.reason == "kept"
    assert decision_form(asked).typed.to == ""
