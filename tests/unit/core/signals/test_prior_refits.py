"""Refits of the prior: when, from what, and what becomes of the signals scored with the old one."""

import json
import warnings
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors.ebgm import ebgm
from detectors.gamma_mixture import GammaMixture, Likelihood
from detectors.gamma_mixture_fit import FitReport, FitWarning, fit_gamma_mixture
from detectors.rules import load_rules
from schemas.alert import Alert, InputOffset
from schemas.delta import Delta
from schemas.errors import InputError
from schemas.prior import PriorRefit
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.signals import prior_refits
from streams.core.signals.prior_refits import FEWEST_PAIRS, refit
from tests.support.deltas import case_change, make_delta
from tests.support.fits import Pairs, RememberedFits, drawn_pairs

EPOCH = date(1970, 1, 1)
DAY = 19_800  # 2024-03-18, the first day of a period of 30 days
EAGER = GammaMixture(
    alpha1=1.0, beta1=0.01, alpha2=1.0, beta2=0.01, weight=0.5, likelihood="untruncated"
)
"""Hardly shrinks, so that many pairs are signals under it that a fitted prior takes back."""
AS_OF = (InputOffset(topic="pv.reports", partition=2, next_offset=17),)

Refit = tuple[GammaMixture, PriorRefit] | None


def _delta(start: int, cases: Pairs, day: int = DAY) -> Delta:
    received = EPOCH + timedelta(days=day)
    changes = [
        case_change(f"{start + at}", day=received, drugs=[drug], events=[event])
        for at, (drug, event) in enumerate(cases)
    ]
    return make_delta(start, changes)


def _detector(*deltas: Delta, refit_every: int | None = 30, rules: str = "eb05") -> Detector:
    detector = Detector(
        [WindowSpec.parse("cumulative")],
        load_rules(rules.split(",")),
        prior=EAGER,
        refit_every=refit_every,
    )
    for delta in deltas:
        detector.apply(delta)
    return detector


@pytest.fixture(scope="module", autouse=True)
def fits() -> Iterator[RememberedFits]:
    """Fit each table once: most tests here are of what follows from a fit."""
    remembered = RememberedFits()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prior_refits, "fit_gamma_mixture", remembered)
        yield remembered


@pytest.fixture(scope="module")
def told() -> Delta:
    return _delta(0, drawn_pairs(seed=0, number=6000))


@pytest.fixture(scope="module")
def counts(told: Delta) -> pl.DataFrame:
    return _detector(told).all_counts().drop("window")


@pytest.fixture(scope="module")
def event(told: Delta) -> PriorRefit:
    """A refit on the fourth day of its period, as it comes back from the topic of priors."""
    (refitted,) = _detector(told).refit_if_due(DAY + 3)
    return PriorRefit.model_validate_json(refitted.model_dump_json())


def _refit(counts: pl.DataFrame, previous: GammaMixture | None = None) -> Refit:
    return refit(
        counts, previous=previous, fitted_on=date(2024, 3, 18), window="cumulative", as_of=AS_OF
    )


def test_the_event_says_what_was_fitted_to_what(counts: pl.DataFrame) -> None:
    fitted = _refit(counts, EAGER)
    assert fitted is not None
    prior, event = fitted
    assert prior == fit_gamma_mixture(counts, likelihood="truncated_mixture").prior
    assert event == PriorRefit(
        schema_version="1.0",
        prior_id=prior.prior_id,
        previous_prior_id=EAGER.prior_id,
        fitted_on=date(2024, 3, 18),
        window="cumulative",
        prior=prior.model_dump(mode="json"),
        warnings=(),
        as_of=AS_OF,
    )
    assert prior.fit is not None
    assert (prior.fit.n_pairs, prior.fit.boundary) == (counts.height, ())


def test_the_first_prior_replaces_none(counts: pl.DataFrame) -> None:
    fitted = _refit(counts)
    assert fitted is not None
    assert fitted[1].previous_prior_id is None


def test_the_prior_makes_the_round_trip_to_the_last_bit(counts: pl.DataFrame) -> None:
    fitted = _refit(counts)
    assert fitted is not None
    prior, event = fitted
    read = PriorRefit.model_validate_json(event.model_dump_json())
    assert read == event
    again = GammaMixture.model_validate_json(json.dumps(read.prior))
    assert again == prior
    assert again.prior_id == event.prior_id
    assert_frame_equal(ebgm(counts, again), ebgm(counts, prior), check_exact=True)


def test_a_sliding_window_is_fitted_as_it_stands_today(told: Delta) -> None:
    windows = [WindowSpec.parse("sliding:30")]
    detector = Detector(windows, load_rules("eb05"), refit_every=30)
    detector.apply(told)
    (event,) = detector.refit_if_due(DAY)
    assert event.window == "sliding-30d"


def test_a_fit_that_is_unfit_waits_for_the_next_period(
    told: Delta, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def at_the_edge(table: pl.DataFrame, **how: object) -> None:
        tried.append(table.height)

    monkeypatch.setattr("streams.core.signals.prior_refits.refit", at_the_edge)
    detector = _detector(told)
    assert [detector.refit_if_due(DAY + later) for later in (0, 1, 2)] == [[]] * 3
    assert len(tried) == 1
    assert detector.refit_if_due(DAY + 30) == []
    assert len(tried) == 2
    assert tried[0] >= FEWEST_PAIRS


def test_a_solution_at_the_edge_does_not_take_over(fits: RememberedFits) -> None:
    counts = _detector(_delta(0, drawn_pairs(seed=1, number=3000))).all_counts().drop("window")
    with pytest.warns(FitWarning, match="at the edge of the search"):
        report = fits(counts, likelihood="truncated_mixture")
    assert report.prior.fit is not None
    assert report.prior.fit.boundary == ("alpha2", "beta2")
    assert counts.height >= 500
    assert _refit(counts) is None


def test_a_failed_fit_does_not_stop_the_stream() -> None:
    names = [f"d{at}" for at in range(600)]
    counts = {"n_observed": 0, "n_drug": 3, "n_event": 3, "n_total": 90}
    table = pl.DataFrame({"drug": names, "event": "Rash"}).with_columns(
        pl.lit(n, dtype=pl.Int64).alias(name) for name, n in counts.items()
    )
    assert _refit(table) is None


def test_what_was_warned_of_is_in_the_event(
    counts: pl.DataFrame, fits: RememberedFits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubtful(table: pl.DataFrame, *, likelihood: Likelihood, expected: str | None) -> FitReport:
        report = fits(table, likelihood=likelihood, expected=expected)
        for number in (1, 2):
            warnings.warn(f"doubt {number}", FitWarning, stacklevel=1)
        return report

    monkeypatch.setattr(prior_refits, "fit_gamma_mixture", doubtful)
    fitted = _refit(counts)
    assert fitted is not None
    assert fitted[1].warnings == ("doubt 1", "doubt 2")


# --- when ---


def test_a_refit_is_due_once_a_period(told: Delta) -> None:
    detector = _detector(told)
    (first,) = detector.refit_if_due(DAY + 3)
    assert (first.fitted_on, first.window) == (EPOCH + timedelta(days=DAY + 3), "cumulative")
    assert first.as_of == (InputOffset(topic="pv.reports", partition=0, next_offset=6000),)
    assert first.previous_prior_id == EAGER.prior_id
    assert detector.scorer.prior_id == first.prior_id
    assert [detector.refit_if_due(DAY + later) for later in (3, 4, 29)] == [[]] * 3
    detector.apply(_delta(6000, drawn_pairs(seed=4, number=500), DAY + 30))
    (second,) = detector.refit_if_due(DAY + 30)
    assert second.previous_prior_id == first.prior_id != second.prior_id
    assert detector.refit_if_due(DAY + 59) == []
    # Periods that passed without an evaluation are not caught up.
    assert len(detector.refit_if_due(DAY + 1000)) == 1
    assert detector.refit_if_due(DAY + 1001) == []


def test_the_first_refit_is_on_the_first_day_it_is_possible() -> None:
    cases = drawn_pairs(seed=0, number=6000)
    detector = _detector(_delta(0, cases[:600]))
    assert 0 < detector.all_counts().height < 500
    assert detector.refit_if_due(DAY) == []
    assert detector.scorer.prior == EAGER
    detector.apply(_delta(600, cases[600:], DAY + 1))
    (event,) = detector.refit_if_due(DAY + 1)
    assert event.fitted_on == EPOCH + timedelta(days=DAY + 1)


def test_without_a_window_there_is_nothing_to_fit_to() -> None:
    detector = Detector([WindowSpec.parse("month")], load_rules("mhra"), refit_every=30)
    assert detector.refit_if_due(DAY) == []


def test_without_a_schedule_the_prior_stays_as_it_was_given(told: Delta, event: PriorRefit) -> None:
    detector = _detector(told, refit_every=None)
    assert detector.refit_if_due(DAY) == []
    detector.restore_prior(event)
    assert detector.scorer.prior == EAGER


def test_a_restored_prior_is_the_one_of_the_event_until_its_period_is_over(
    told: Delta, event: PriorRefit
) -> None:
    detector = _detector(told)
    detector.restore_prior(event)
    assert detector.scorer.prior_id == event.prior_id
    assert detector.scorer.prior == GammaMixture.model_validate_json(json.dumps(event.prior))
    assert detector.refit_if_due(DAY + 29) == []
    (following,) = detector.refit_if_due(DAY + 30)
    assert following.previous_prior_id == event.prior_id


def test_the_last_of_several_restored_priors_holds(told: Delta, event: PriorRefit) -> None:
    older = event.model_copy(
        update={
            "prior_id": EAGER.prior_id,
            "prior": EAGER.model_dump(mode="json"),
            "fitted_on": EPOCH + timedelta(days=DAY - 1),
        }
    )
    detector = _detector(told)
    for each in (older, event):
        detector.restore_prior(each)
    assert detector.scorer.prior_id == event.prior_id
    assert detector.refit_if_due(DAY) == []


# --- what follows ---


def _counts_of(alerts: list[Alert]) -> pl.DataFrame:
    return pl.DataFrame([alert.counts.model_dump() for alert in alerts])


def _require_ebgm(alerts: list[Alert], prior: GammaMixture) -> None:
    assert {alert.prior_id for alert in alerts} == {prior.prior_id}
    found = pl.DataFrame(
        [alert.statistics.model_dump(include={"ebgm", "eb05", "eb95"}) for alert in alerts]
    )
    direct = ebgm(_counts_of(alerts), prior).select(found.columns)
    assert_frame_equal(found, direct, check_exact=True)


def _signals(
    counts: pl.DataFrame, prior: GammaMixture, threshold: float = 2
) -> set[tuple[str, str]]:
    firing = ebgm(counts, prior).filter(pl.col("eb05") >= threshold)
    return set(firing.select("drug", "event").rows())


def test_a_refit_makes_every_signal_be_looked_at_again(told: Delta, counts: pl.DataFrame) -> None:
    detector = _detector(told)
    before = detector.evaluate(DAY)
    assert {(alert.drug, alert.event) for alert in before} == _signals(counts, EAGER)
    _require_ebgm(before, EAGER)
    assert detector.evaluate(DAY + 1) == []
    # No report comes between, so that nothing but the prior can have changed.
    assert len(detector.refit_if_due(DAY + 2)) == 1
    prior = detector.scorer.prior
    assert prior is not None
    after = detector.evaluate(DAY + 2)
    _require_ebgm(after, prior)
    closed = {(alert.drug, alert.event) for alert in after if alert.kind.value == "closed"}
    # The rule enters at 2 and holds down to 1.68; some signals fall in between.
    assert closed == _signals(counts, EAGER) - _signals(counts, prior, 1.68)
    assert closed < _signals(counts, EAGER) - _signals(counts, prior)
    new = {(alert.drug, alert.event) for alert in after if alert.kind.value == "new"}
    assert new == _signals(counts, prior) - _signals(counts, EAGER)
    assert closed
    assert detector.evaluate(DAY + 3) == []


def test_every_window_is_looked_at_again(told: Delta) -> None:
    windows = [WindowSpec.parse(name) for name in ("cumulative", "month", "quarter")]
    detector = Detector(windows, load_rules("eb05"), prior=EAGER, refit_every=30)
    detector.apply(told)
    detector.evaluate(DAY)
    assert len(detector.refit_if_due(DAY)) == 1
    labels = {alert.window.label for alert in detector.evaluate(DAY)}
    assert labels == {"cumulative", "2024-03", "2024-Q1"}


def test_alerts_of_other_rules_carry_the_ebgm_too(told: Delta) -> None:
    alerts = _detector(told, rules="mhra").evaluate(DAY)
    _require_ebgm(alerts, EAGER)


def test_until_the_first_fit_there_is_no_ebgm_and_its_rule_is_silent(told: Delta) -> None:
    windows = [WindowSpec.parse("cumulative")]
    detector = Detector(windows, load_rules(["mhra", "eb05"]), refit_every=30)
    detector.apply(told)
    before = detector.evaluate(DAY)
    assert {(alert.prior_id, alert.statistics.ebgm) for alert in before} == {(None, None)}
    assert {alert.rules_fired for alert in before} == {("mhra",)}
    assert len(detector.refit_if_due(DAY)) == 1
    prior = detector.scorer.prior
    assert prior is not None
    after = detector.evaluate(DAY)
    _require_ebgm(after, prior)
    assert {alert.reason for alert in after} <= {
        "another rule met (EB05)",
        "new signal of disproportionate reporting",
    }
    assert ("eb05", "mhra") in {alert.rules_fired for alert in after}


@pytest.mark.parametrize("rules", ["eb05", "mhra_eb", "mhra,eb05"])
def test_a_rule_that_needs_a_prior_is_refused_without_one(rules: str) -> None:
    with pytest.raises(
        InputError,
        match=r"^rules: EBGM needs a prior, from a file or fitted every so many days; "
        r"got neither$",
    ):
        Detector([WindowSpec.parse("cumulative")], load_rules(rules.split(",")))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Detector([], load_rules("eb05"), prior=EAGER),
        lambda: Detector([], load_rules("eb05"), refit_every=30),
        lambda: Detector([], load_rules(["mhra", "ema", "ic", "safe"])),
    ],
)
def test_a_prior_or_a_schedule_or_no_need_of_either_will_do(make: Callable[[], Detector]) -> None:
    assert make().scorer.rules.rules
