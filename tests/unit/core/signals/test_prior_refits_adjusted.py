"""Refits of the prior within strata, beside the one of the crude expected counts."""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from detectors.conditions import Comparison
from detectors.ebgm import adjusted_ebgm
from detectors.gamma_mixture import GammaMixture
from detectors.gamma_mixture_fit import fit_gamma_mixture
from detectors.rules import Rule, RuleSet, load_rules
from schemas.delta import Delta
from schemas.errors import InputError
from schemas.prior import PriorRefit
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.signals import prior_refits
from tests.support.deltas import case_change, make_delta
from tests.support.fits import RememberedFits, drawn_pairs

EPOCH = date(1970, 1, 1)
DAY = 19_800  # 2024-03-18, the first day of a period of 30 days
EAGER = GammaMixture(
    alpha1=1.0, beta1=0.01, alpha2=1.0, beta2=0.01, weight=0.5, likelihood="untruncated"
)
WITHIN_STRATA = RuleSet(
    rules=(
        Rule(
            name="own",
            title="t",
            source="tests",
            condition=Comparison(statistic="eb05_adjusted", op=">=", value=2, exit=1.68),
        ),
    )
)


def _in_strata(start: int, day: int = DAY) -> Delta:
    """Reports of young and old: half of the drugs and half of the events are more of the old."""
    received = EPOCH + timedelta(days=day)
    random = np.random.default_rng(3)
    changes = []
    for at, (drug, event) in enumerate(drawn_pairs(seed=0, number=6000)):
        old = random.random() < 0.1 + 0.4 * (int(drug[1:]) % 2 + int(event[1:]) % 2)
        changes.append(
            case_change(
                f"{start + at}",
                day=received,
                drugs=[drug],
                events=[event],
                age_years=80.0 if old else 30.0,
            )
        )
    return make_delta(start, changes)


@pytest.fixture(scope="module", autouse=True)
def _fits() -> Iterator[None]:
    """Fit each table once: most tests here are of what follows from a fit."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prior_refits, "fit_gamma_mixture", RememberedFits())
        yield


@pytest.fixture(scope="module")
def stratified() -> Delta:
    return _in_strata(0)


def _within(
    *deltas: Delta, prior: GammaMixture | None = None, refit_every: int | None = 30
) -> Detector:
    detector = Detector(
        [WindowSpec.parse("cumulative")],
        WITHIN_STRATA,
        adjusted_prior=prior,
        refit_every=refit_every,
    )
    for delta in deltas:
        detector.apply(delta)
    return detector


def _crude(delta: Delta) -> Detector:
    detector = Detector([WindowSpec.parse("cumulative")], load_rules("eb05"), refit_every=30)
    detector.apply(delta)
    return detector


def _expected_by_hand(delta: Delta) -> dict[tuple[str, str], float]:
    """Sum drug times event over all cases of each age, for every pair: one quarter, no sex."""
    ages = defaultdict[float, list[tuple[str, str]]](list)
    for row in delta.changes.iter_rows(named=True):
        (drug,), (event,) = row["drugs"], row["events"]
        ages[row["age_years"]].append((drug, event))
    expected = defaultdict[tuple[str, str], float](float)
    for cases in ages.values():
        drugs, events = (Counter(case[at] for case in cases) for at in (0, 1))
        for pair in itertools.product(drugs, events):
            expected[pair] += drugs[pair[0]] * events[pair[1]] / len(cases)
    return dict(expected)


def test_each_kind_of_expected_count_gets_a_prior_of_its_own(stratified: Delta) -> None:
    detector = _within(stratified)
    crude, adjusted = detector.refit_if_due(DAY)
    assert (crude.expected, adjusted.expected) == ("crude", "adjusted")
    assert crude.prior_id != adjusted.prior_id
    assert (crude.previous_prior_id, adjusted.previous_prior_id) == (None, None)
    scorer = detector.scorer
    assert (scorer.prior_id, scorer.adjusted_prior_id) == (crude.prior_id, adjusted.prior_id)
    # What it was fitted to is found again by hand.
    by_hand = _expected_by_hand(stratified)
    counts = detector.all_counts().drop("window")
    own = pl.Series("own", [by_hand[pair] for pair in counts.select("drug", "event").iter_rows()])
    fitted = fit_gamma_mixture(
        counts.with_columns(own), likelihood="truncated_mixture", expected="own"
    ).prior
    found = GammaMixture.model_validate_json(json.dumps(adjusted.prior))
    for name in ("alpha1", "beta1", "alpha2", "beta2", "weight"):
        assert getattr(found, name) == pytest.approx(getattr(fitted, name), rel=1e-6)
    assert found.fit is not None
    assert found.fit.expected == "expected_adjusted"
    assert scorer.prior is not None
    assert scorer.prior.fit is not None
    assert scorer.prior.fit.expected is None
    following = detector.refit_if_due(DAY + 30)
    assert [event.previous_prior_id for event in following] == [crude.prior_id, adjusted.prior_id]


def test_alerts_name_the_prior_within_strata_and_have_its_scores(stratified: Delta) -> None:
    detector = _within(stratified)
    assert detector.evaluate(DAY) == []  # until the first fit the rule is silent
    _, event = detector.refit_if_due(DAY)
    alerts = detector.evaluate(DAY)
    assert len(alerts) > 10
    assert {alert.prior_id_adjusted for alert in alerts} == {event.prior_id}
    by_hand = _expected_by_hand(stratified)
    own = pl.Series("expected_adjusted", [by_hand[alert.drug, alert.event] for alert in alerts])
    prior = GammaMixture.model_validate_json(json.dumps(event.prior))
    direct = adjusted_ebgm(
        pl.DataFrame([alert.counts.model_dump() for alert in alerts]).with_columns(own), prior
    )
    for name in ("ebgm_adjusted", "eb05_adjusted", "eb95_adjusted"):
        found = [getattr(alert.statistics, name) for alert in alerts]
        assert found == pytest.approx(direct[name].to_list(), rel=1e-12)
        assert found != [getattr(alert.statistics, name[:4]) for alert in alerts]


def test_a_restored_prior_within_strata_takes_its_own_place(stratified: Delta) -> None:
    detector = _within(stratified)
    events = detector.refit_if_due(DAY)
    _, adjusted = events
    again = _within(stratified)
    again.restore_prior(PriorRefit.model_validate_json(adjusted.model_dump_json()))
    assert (again.scorer.prior, again.scorer.adjusted_prior_id) == (None, adjusted.prior_id)
    # Only the other one is due.
    assert [event.expected for event in again.refit_if_due(DAY + 1)] == ["crude"]
    for event in events:
        again.restore_prior(event)
    assert again.scorer.prior_id == events[0].prior_id
    assert again.refit_if_due(DAY + 29) == []
    # Rules that no longer need it would leave it without a refit for good.
    without = _crude(stratified)
    without.restore_prior(adjusted)
    assert (without.scorer.prior, without.scorer.adjusted_prior) == (None, None)


def test_without_a_rule_that_needs_it_the_prior_within_strata_is_not_fitted(
    stratified: Delta,
) -> None:
    (event,) = _crude(stratified).refit_if_due(DAY)
    assert event.expected == "crude"


def test_a_rule_within_strata_is_refused_without_its_prior() -> None:
    windows = [WindowSpec.parse("cumulative")]
    message = (
        r"^rules: EBGM within strata needs a prior fitted to expected_adjusted, from a file "
        r"\(--prior-adjusted\) or fitted every so many days; got neither$"
    )
    with pytest.raises(InputError, match=message):
        Detector(windows, WITHIN_STRATA, prior=EAGER)
    assert _within(prior=EAGER, refit_every=None).scorer.adjusted_prior == EAGER
    assert _within(refit_every=30).scorer.adjusted_prior is None
