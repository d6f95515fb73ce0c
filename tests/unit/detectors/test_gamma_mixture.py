"""The prior as a value, its three likelihoods, and the search for it."""

import warnings
from typing import get_args

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from scipy.optimize import check_grad
from scipy.special import expit
from scipy.stats import nbinom

from detectors import gamma_mixture_fit
from detectors.gamma_mixture import FitFacts, GammaMixture, Likelihood
from detectors.gamma_mixture_fit import (
    STARTS,
    FitReport,
    FitWarning,
    Start,
    StartOutcome,
    fit_gamma_mixture,
)
from detectors.gamma_mixture_likelihood import MeanLogLikelihood
from detectors.squashing import Squashing, points_of
from schemas.errors import CountsError, FitError, InputError

LIKELIHOODS = get_args(Likelihood)
TRUTH = (1.5, 0.3, 4.0, 4.5, 0.1)


def _cells(n_drugs: int, n_events: int, truth: Start = TRUTH, seed: int = 7) -> pl.DataFrame:
    """Return every cell of drugs by events, its rate ratio drawn from the mixture `truth`."""
    random = np.random.default_rng(seed)
    n_drug = random.lognormal(5, 1.2, n_drugs).astype(int) + 50
    n_event = random.lognormal(5, 1.2, n_events).astype(int) + 50
    drug, event = (at.ravel() for at in np.indices((n_drugs, n_events)))
    a1, b1, a2, b2, weight = truth
    first = random.random(drug.size) < weight
    ratio = random.gamma(np.where(first, a1, a2)) / np.where(first, b1, b2)
    n = random.poisson(ratio * n_drug[drug] * n_event[event] / 100_000)
    return pl.DataFrame(
        {
            "drug": drug.astype(str),
            "event": event.astype(str),
            "n_observed": np.minimum(n, np.minimum(n_drug[drug], n_event[event])),
            "n_drug": n_drug[drug],
            "n_event": n_event[event],
            "n_total": np.full(drug.size, 100_000),
        }
    )


CELLS = _cells(60, 150)
FACTS = {
    "log_likelihood": -1.0,
    "gradient": 0.0,
    "n_pairs": 10,
    "n_points": 10,
    "n_starts": 12,
    "n_converged": 12,
    "n_optima": 1,
    "spread": 0.0,
    "boundary": (),
    "squashing": Squashing(),
    "points_hash": "0" * 64,
}


@pytest.fixture(scope="module")
def fitted() -> tuple[FitReport, list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return fit_gamma_mixture(CELLS, likelihood="truncated_mixture"), caught


@pytest.fixture(scope="module")
def report(fitted: tuple[FitReport, list[warnings.WarningMessage]]) -> FitReport:
    return fitted[0]


def _parameters(prior: GammaMixture) -> Start:
    return prior.alpha1, prior.beta1, prior.alpha2, prior.beta2, prior.weight


# The value


def test_a_prior_survives_json_to_the_last_bit(report: FitReport) -> None:
    text = report.prior.model_dump_json()
    again = GammaMixture.model_validate_json(text)
    assert again == report.prior
    assert _parameters(again) == _parameters(report.prior)
    assert again.prior_id == report.prior.prior_id
    assert again.model_dump_json() == text
    assert FitReport.model_validate_json(report.model_dump_json()) == report


def test_the_id_is_of_the_whole_content(report: FitReport) -> None:
    prior = report.prior
    others = [
        prior.model_copy(update={"weight": np.nextafter(prior.weight, 1)}),
        prior.model_copy(update={"likelihood": "mixture_of_truncated"}),
        prior.model_copy(update={"fit": None}),
    ]
    assert len({prior.prior_id, *(other.prior_id for other in others)}) == 4


def test_a_prior_cannot_be_changed_or_made_of_nonsense(report: FitReport) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        report.prior.weight = 0.5
    content = report.prior.model_dump()
    for name, bad in [
        ("alpha1", 0.0),
        ("beta2", float("inf")),
        ("weight", 1.0),
        ("weight", float("nan")),
        ("likelihood", "truncated"),
        ("version", 2),
        ("extra", 1),
    ]:
        with pytest.raises(ValidationError, match=name):
            GammaMixture.model_validate({**content, name: bad})


# The likelihoods


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("start", STARTS[:8])
def test_the_likelihood_is_scipys(likelihood: Likelihood, start: Start) -> None:
    random = np.random.default_rng(3)
    n = random.poisson(3, 200) + (likelihood != "untruncated")
    expected = np.exp(random.uniform(-4, 3, n.size))
    a1, b1, a2, b2, weight = start
    first, second = nbinom(a1, b1 / (b1 + expected)), nbinom(a2, b2 / (b2 + expected))
    if likelihood == "untruncated":
        pmf = weight * first.pmf(n) + (1 - weight) * second.pmf(n)
    elif likelihood == "truncated_mixture":
        pmf = weight * first.pmf(n) + (1 - weight) * second.pmf(n)
        pmf /= weight * first.sf(0) + (1 - weight) * second.sf(0)
    else:
        pmf = weight * first.pmf(n) / first.sf(0) + (1 - weight) * second.pmf(n) / second.sf(0)
    function = MeanLogLikelihood(points_of(n, expected, None), likelihood)
    value, _ = function(np.array([*np.log(start[:4]), np.log(weight / (1 - weight))]))
    assert value * function.n_pairs == pytest.approx(np.log(pmf).sum(), rel=1e-12)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("start", STARTS)
def test_the_gradient_is_that_of_finite_differences(likelihood: Likelihood, start: Start) -> None:
    used = CELLS.filter(pl.col("n_observed") >= (likelihood != "untruncated"))
    expected = used["n_drug"] * used["n_event"] / 100_000
    points = points_of(used["n_observed"].to_numpy(), expected.to_numpy(), Squashing())
    function = MeanLogLikelihood(points, likelihood)
    at = np.array([*np.log(start[:4]), np.log(start[4] / (1 - start[4]))])
    error = check_grad(lambda x: function(x)[0], lambda x: function(x)[1], at, epsilon=1e-6)
    assert error < 1e-5


# Squashing


def test_squashing_keeps_the_pairs_and_their_expectations() -> None:
    random = np.random.default_rng(5)
    n = np.where(random.random(5000) < 0.01, 70_000, random.poisson(1, 5000))
    expected = np.exp(random.normal(0, 2, n.size))
    points = points_of(n, expected, Squashing(bin_width=0.2))
    assert points.count.size < n.size / 5
    assert points.weight.sum() == n.size
    for count in (0, 1, 70_000):
        squashed = points.count == count
        total = (points.expected * points.weight)[squashed].sum()
        assert total == pytest.approx(expected[n == count].sum(), rel=1e-12)
        in_order = np.diff(points.expected[squashed])
        assert (in_order > 0).all()


def test_rare_counts_can_be_left_alone() -> None:
    n = np.repeat([1, 2, 70_000, 70_001], [50, 9, 9, 50])
    points = points_of(n, np.full(n.size, 3.0), Squashing(fewest=10))
    assert points.weight.tolist() == [50.0, *[1.0] * 18, 50.0]


def test_unsquashed_points_are_the_pairs_in_order() -> None:
    random = np.random.default_rng(6)
    n = random.integers(65_530, 65_540, 300)
    expected = random.random(300)
    points = points_of(n, expected, None)
    order = np.lexsort((expected, n))
    assert np.array_equal(points.count, n[order])
    assert np.array_equal(points.expected, expected[order])
    assert (points.weight == 1).all()


def test_squashing_hardly_moves_the_prior(report: FitReport) -> None:
    whole = fit_gamma_mixture(CELLS, likelihood="truncated_mixture", squash=None).prior
    assert _parameters(report.prior) == pytest.approx(_parameters(whole), rel=2e-3)
    assert report.prior.fit is not None
    assert whole.fit is not None
    assert report.prior.fit.n_points < whole.fit.n_points == whole.fit.n_pairs


# The search


@pytest.mark.parametrize("likelihood", ["untruncated", "truncated_mixture"])
def test_the_prior_that_made_the_data_is_as_likely_as_it_should_be(likelihood: Likelihood) -> None:
    """Wilks: twice the log-likelihood ratio is chi-squared, whose 99.9% point is 20.5 (5 df).

    The third likelihood supposes something else of the data, and is not asked.
    """
    cells = _cells(100, 300)
    prior = fit_gamma_mixture(cells, likelihood=likelihood, squash=None).prior
    used = cells.filter(pl.col("n_observed") >= (likelihood != "untruncated"))
    expected = (used["n_drug"] * used["n_event"]).to_numpy() / 100_000
    points = points_of(used["n_observed"].to_numpy(), expected, None)
    function = MeanLogLikelihood(points, likelihood)
    truth, _ = function(np.array([*np.log(TRUTH[:4]), np.log(TRUTH[4] / (1 - TRUTH[4]))]))
    assert prior.fit is not None
    assert 0 < 2 * (prior.fit.log_likelihood - truth * function.n_pairs) < 20.5
    assert prior.fit.boundary == ()
    assert prior.fit.gradient < 1e-9
    assert prior.fit.points_hash == points.digest


def test_a_rate_above_ten_is_not_stopped_by_a_box() -> None:
    """vigipy bounds the rates at 10, and ends there without a word."""
    prior = fit_gamma_mixture(
        _cells(100, 300, (2.0, 0.4, 30.0, 33.0, 0.1)), likelihood="truncated_mixture"
    ).prior
    assert prior.beta2 > 15
    assert prior.fit is not None
    assert prior.fit.boundary == ()


def test_the_facts_are_those_of_the_outcomes(report: FitReport) -> None:
    facts = report.prior.fit
    assert facts is not None
    assert len(report.outcomes) == facts.n_starts == len(STARTS) >= 10
    assert tuple(outcome.start for outcome in report.outcomes) == STARTS
    heights = [outcome.log_likelihood for outcome in report.outcomes if outcome.converged]
    assert facts.n_converged == len(heights)
    assert facts.log_likelihood == pytest.approx(max(heights), abs=1e-6)
    assert facts.spread == max(heights) - min(heights)
    assert facts.n_pairs == CELLS.filter(pl.col("n_observed") > 0).height


def test_the_order_of_rows_and_a_second_run_change_nothing(report: FitReport) -> None:
    shuffled = CELLS.sample(fraction=1, shuffle=True, seed=1)
    assert fit_gamma_mixture(shuffled, likelihood="truncated_mixture") == report


def test_the_first_component_has_the_larger_mean(report: FitReport) -> None:
    swapped = [(a2, b2, a1, b1, 1 - weight) for a1, b1, a2, b2, weight in STARTS]
    prior = fit_gamma_mixture(CELLS, likelihood="truncated_mixture", starts=swapped).prior
    assert _parameters(prior) == pytest.approx(_parameters(report.prior), rel=1e-6)
    assert prior.alpha1 / prior.beta1 > prior.alpha2 / prior.beta2


def test_an_expectation_of_ones_own_is_used(report: FitReport) -> None:
    doubled = CELLS.with_columns(e=2 * pl.col("n_drug") * pl.col("n_event") / pl.col("n_total"))
    prior = fit_gamma_mixture(doubled, likelihood="truncated_mixture", expected="e").prior
    assert prior.beta1 == pytest.approx(2 * report.prior.beta1, rel=2e-3)
    assert prior.alpha1 == pytest.approx(report.prior.alpha1, rel=2e-3)


def test_a_fit_names_the_column_it_was_fitted_to_and_the_crude_one_none(report: FitReport) -> None:
    """Nothing more in the content of a crude one: its id is that of earlier versions."""
    assert report.prior.fit is not None
    assert report.prior.fit.expected is None
    assert "expected" not in report.prior.model_dump()["fit"]
    counts = CELLS.with_columns(e=pl.col("n_drug") * pl.col("n_event") / pl.col("n_total"))
    prior = fit_gamma_mixture(counts, likelihood="truncated_mixture", expected="e").prior
    assert prior.fit is not None
    assert prior.fit.expected == "e"
    assert GammaMixture.model_validate_json(prior.model_dump_json()) == prior
    assert _parameters(prior) == _parameters(report.prior)
    assert prior.prior_id != report.prior.prior_id


def test_where_nothing_is_expected_nothing_is_learnt() -> None:
    zero = pl.lit(0, pl.Int64)
    unreported = CELLS[:150].with_columns(drug=pl.lit("new"), n_observed=zero, n_drug=zero)
    more = pl.concat([CELLS, unreported])
    one, other = (fit_gamma_mixture(cells, likelihood="untruncated") for cells in (CELLS, more))
    assert one == other


# What is refused, and what is doubted


def test_an_unknown_likelihood_is_refused() -> None:
    with pytest.raises(InputError, match=r"likelihood must be among \['untruncated', .*got 'trunc"):
        fit_gamma_mixture(CELLS, likelihood="truncated")  # type: ignore[arg-type]


def test_fewer_than_ten_starts_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"^fit_gamma_mixture: at least 10 starts are needed; got 9"
    ):
        fit_gamma_mixture(CELLS, likelihood="untruncated", starts=STARTS[:9])


@pytest.mark.parametrize("at", range(5))
def test_a_start_out_of_range_is_refused(at: int) -> None:
    start = list(STARTS[0])
    start[at] = 0.0
    with pytest.raises(InputError, match="a start must have shapes and rates between 1e-06 and"):
        fit_gamma_mixture(CELLS, likelihood="untruncated", starts=[*STARTS, tuple(start)])  # type: ignore[list-item]


def test_an_untruncated_fit_needs_its_zeros() -> None:
    reported = CELLS.filter(pl.col("n_observed") > 0)
    message = f"needs every cell of drugs by events, zero counts too; got {reported.height} of 9000"
    with pytest.raises(InputError, match=message):
        fit_gamma_mixture(reported, likelihood="untruncated")


def test_too_few_pairs_are_refused() -> None:
    few = CELLS.filter(pl.col("n_observed") > 0)[:9]
    with pytest.raises(FitError, match="at least 10 pairs must enter the likelihood; got 9"):
        fit_gamma_mixture(few, likelihood="truncated_mixture")


def test_bad_counts_are_refused() -> None:
    bad = CELLS.with_columns(n_drug=pl.lit(0))
    with pytest.raises(CountsError, match=r"^fit_gamma_mixture: 0 <= n_observed"):
        fit_gamma_mixture(bad, likelihood="truncated_mixture")


def test_no_peak_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gamma_mixture_fit, "_PEAK", -1.0)
    with pytest.raises(
        FitError, match="at least one start must end on a peak; got none of 12, the"
    ):
        fit_gamma_mixture(CELLS, likelihood="truncated_mixture")


def test_an_edge_is_reported() -> None:
    """All rate ratios equal: one component becomes a point, the other superfluous."""
    same = _cells(40, 60, (1e5, 1e5, 1e5, 1e5, 0.5))
    with pytest.warns(FitWarning, match="at the edge of the search") as caught:
        prior = fit_gamma_mixture(same, likelihood="truncated_mixture").prior
    assert prior.fit is not None
    assert prior.fit.boundary
    assert all(name in str(caught[0].message) for name in prior.fit.boundary)
    assert caught[0].filename == __file__


def test_stalled_starts_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    climb = gamma_mixture_fit._climb

    def stalled(function: MeanLogLikelihood, start: Start) -> tuple[StartOutcome, np.ndarray]:
        outcome, end = climb(function, start)
        higher = {"converged": False, "log_likelihood": outcome.log_likelihood + 1}
        return (outcome if start == STARTS[0] else outcome.model_copy(update=higher)), end

    monkeypatch.setattr(gamma_mixture_fit, "_climb", stalled)
    message = (
        "only 1 of 12 starts ended on a peak; a start without a peak got 1.00 above the winner"
    )
    with pytest.warns(FitWarning, match=message):
        fit_gamma_mixture(CELLS, likelihood="truncated_mixture")


def test_a_sound_fit_is_silent(
    fitted: tuple[FitReport, list[warnings.WarningMessage]],
) -> None:
    assert fitted[1] == []


def test_facts_are_strict() -> None:
    FitFacts.model_validate(FACTS)
    for name, bad in [("n_starts", 0), ("spread", -1.0), ("points_hash", "x"), ("n_pairs", 1.5)]:
        with pytest.raises(ValidationError, match=name):
            FitFacts.model_validate({**FACTS, name: bad})


def test_the_posterior_weight_is_bayes() -> None:
    prior = GammaMixture(
        alpha1=3.0, beta1=0.4, alpha2=2.0, beta2=1.9, weight=0.07, likelihood="untruncated"
    )
    n, expected = np.array([0, 1, 5, 2000]), np.array([1.0, 0.1, 0.5, 1500.0])
    first = 0.07 * nbinom.pmf(n, 3.0, 0.4 / (0.4 + expected))
    second = 0.93 * nbinom.pmf(n, 2.0, 1.9 / (1.9 + expected))
    assert prior.posterior_weight(n, expected) == pytest.approx(first / (first + second), rel=1e-9)
    assert expit(prior.log_odds(n, expected)) == pytest.approx(first / (first + second), rel=1e-9)
