"""What differs between the rules of a detector and those published, in words and as data."""

from typing import Any

import pytest

from detectors.gamma_mixture import GammaMixture
from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert, SignalGrade
from schemas.rules_change import DetectorRules
from streams.core.cases.strata import AgeBands
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.detection.rules_in_force import (
    difference_in_words,
    rules_change,
    rules_of,
    rules_of_alerts,
)
from streams.core.signals.realert_policy import load_policy
from tests.support.alert_recount import PRIOR
from tests.support.four_steps import revisions


def made(*windows: str, rules: RuleSet | None = None, **options: Any) -> DetectorRules:
    """Rules of a detector, by default `mhra` in the cumulative window."""
    specs = [WindowSpec.parse(window) for window in windows or ("cumulative",)]
    return rules_of(Detector(specs, rules or load_rules(["mhra"]), **options))


WITH_PRIOR = load_rules(["mhra", "eb05"])
OTHER_PRIOR: GammaMixture = PRIOR.model_copy(update={"alpha1": 9.0})


@pytest.mark.parametrize(
    ("now", "words", "settings"),
    [
        (made(), "", ()),
        (made(prior=PRIOR), "", ()),  # no rule needs it
        (made(refit_every=30), "", ()),
        (made(rules=load_rules(["mhra", "ic"])), "rules added ic", ("rules",)),
        (
            made("cumulative", "sliding:30"),
            "windows added sliding:30",
            ("windows",),
        ),
        (made("month"), "windows added month; windows removed cumulative", ("windows",)),
        (
            made(policy=load_policy().model_copy(update={"more_cases": 9})),
            "the re-alert policy",
            ("policy",),
        ),
        (made(age_bands=AgeBands.parse("18,65")), "age bands or blocks of the strata", ("strata",)),
        (made(test_by_sex=True), "age bands or blocks of the strata", ("strata",)),
    ],
)
def test_each_setting_that_defines_signals_is_named(
    now: DetectorRules, words: str, settings: tuple[str, ...]
) -> None:
    assert difference_in_words(made(), now) == words
    change = rules_change(made(), now, number=2, watermark=0)
    assert change.settings_changed == settings
    assert f"changed after 1970-01-01: {words}." in change.sentence


def test_a_prior_is_compared_if_a_rule_needs_it() -> None:
    one, other = made(rules=WITH_PRIOR, prior=PRIOR), made(rules=WITH_PRIOR, prior=OTHER_PRIOR)
    assert difference_in_words(one, one) == ""
    words = f"prior of EBGM {PRIOR.prior_id} -> {OTHER_PRIOR.prior_id}"
    assert difference_in_words(one, other) == words
    refitted = made(rules=WITH_PRIOR, prior=PRIOR, refit_every=30)
    assert refitted.prior == "every 30 days"
    assert difference_in_words(refitted, made(rules=WITH_PRIOR, refit_every=30)) == ""


def test_a_rule_of_another_inequality_or_grade_is_changed() -> None:
    screening = load_rules(["mhra"]).rules[0].model_copy(update={"grade": SignalGrade.SCREENING})
    now = made(rules=RuleSet(rules=(screening,)))
    assert difference_in_words(made(), now) == "rules changed mhra"


def test_a_list_of_other_names_has_no_rule_to_name() -> None:
    now = made().model_copy(update={"rules_hash": "of other names on a list"})
    assert difference_in_words(made(), now) == "a list that a rule names"


def test_a_change_has_an_id_of_its_own() -> None:
    now = made("month")
    change = rules_change(made(), now, number=2, watermark=19_800)
    assert change == rules_change(made(), now, number=2, watermark=19_800)
    assert change.change_id != rules_change(made(), now, number=4, watermark=19_800).change_id
    assert (change.windows_added, change.windows_removed) == (("month",), ("cumulative",))
    assert "changed after 2024-03-18: windows added month" in change.sentence


def test_the_first_rules_are_no_change() -> None:
    first = rules_change(None, made(), number=1, watermark=-1)
    assert (first.previous, first.changed_on, first.settings_changed) == (None, None, ())
    assert first.rules_added == first.windows_added == ()


def test_alerts_of_an_earlier_version_state_all_but_windows_and_priors() -> None:
    alerts: list[Alert] = revisions()
    stated = rules_of_alerts(alerts)
    assert stated is not None
    assert difference_in_words(stated, made()) == ""
    assert difference_in_words(stated, made("cumulative", "month")) == ""
    assert difference_in_words(stated, made(test_by_sex=True)) != ""
    assert difference_in_words(stated, made(rules=load_rules(["ic"]))) == (
        "rules added ic; rules removed mhra"
    )
    assert rules_of_alerts([]) is None
