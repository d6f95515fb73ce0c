"""False alerts on controls: the exact interval, and what rules promise."""

import pytest

from detectors.conditions import AnyOf, Comparison
from detectors.false_alarms import ever_alert_rate
from detectors.rules import Rule, RuleSet, load_rules
from streams.console.operations.false_alerts import ever_alerted, now_alarms, promised
from streams.console.operations.published_revisions import Revisions


def test_shares_have_the_exact_interval() -> None:
    revisions = Revisions(
        calibration={"n_controls": 50, "n_controls_on": 2},
        alarms={("a", "sepsis"), ("b", "sepsis"), ("c", "rash")},
    )
    now = now_alarms(revisions)
    assert now is not None
    assert (now.n, now.n_controls) == (2, 50)
    assert (now.rate, now.lower, now.upper) == ever_alert_rate(2, 50)
    controls = [("a", "sepsis"), ("b", "rash"), ("c", "rash"), ("d", "rash")]
    ever = ever_alerted(revisions, controls)
    assert ever is not None
    assert (ever.n, ever.n_controls, ever.rate) == (2, 4, 0.5)
    assert (ever.lower, ever.upper) == ever_alert_rate(2, 4)[1:]


def test_without_controls_there_is_no_share() -> None:
    assert now_alarms(Revisions()) is None
    assert ever_alerted(Revisions(), None) is None
    assert ever_alerted(Revisions(), ()) is None


@pytest.mark.parametrize(
    ("names", "screening", "promise"),
    [
        (["tocsin"], [], 0.125),
        (["tocsin"], ["mhra", "screening"], 0.125),  # the screening promises nothing, nor need it
        (["safe"], [], 0.05),
        (["tocsin", "safe"], [], 0.175),
        (["tocsin", "mhra"], [], None),
        (["ema"], [], None),
    ],
)
def test_a_promise_is_of_every_rule_of_the_alarm(
    names: list[str], screening: list[str], promise: float | None
) -> None:
    found = promised(load_rules(names, screening=screening))
    assert found == (None if promise is None else pytest.approx(promise))
    assert promised(None) is None


def test_a_threshold_that_need_not_be_reached_promises_nothing() -> None:
    either = AnyOf(
        any=(
            Comparison(statistic="e_value", op=">=", value=20),
            Comparison(statistic="n_observed", op=">=", value=3),
        )
    )
    rule = Rule(name="either", title="Either", source="ours", condition=either)
    assert promised(RuleSet(rules=(rule,))) is None
