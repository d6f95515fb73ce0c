"""EBGM, EB05 and EB95 against openEBGM's numbers, and their quantiles against SciPy's gammas."""

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import gamma, nbinom

from detectors.ebgm import adjusted_ebgm, ebgm, ebgm_quantile
from detectors.gamma_mixture import GammaMixture, Likelihood
from detectors.posterior_quantile import TOLERANCE, exact_quantile, quantiles
from detectors.proportional_reporting_ratio import proportional_reporting_ratio
from schemas.errors import CountsError, InputError


def _prior(*parameters: float, likelihood: Likelihood = "mixture_of_truncated") -> GammaMixture:
    names = ("alpha1", "beta1", "alpha2", "beta2", "weight")
    content = dict(zip(names, parameters, strict=True))
    return GammaMixture.model_validate({**content, "likelihood": likelihood})


# METHODS table B; R, openEBGM 0.9.1:
#   data(caers); proc <- processRaw(caers); theta <- autoHyper(squashData(proc), theta_init)
#   ebScores(proc, hyper_estimate = theta, quantiles = c(5, 95))
OPENEBGM = _prior(3.25280367, 0.39983376, 2.02490400, 1.90726819, 0.06536416)
TABLE_B = [
    (54, 16.057210965, 3.155290, 2.496568, 3.964608),
    (3, 0.197854588796, 6.610359, 1.472149, 17.297480),
    (3, 0.096543504172, 9.555422, 2.125793, 21.414413),
    (3, 0.021454112038, 12.403055, 3.717308, 25.521934),
    (1, 0.036054827175, 2.226805, 0.490947, 13.856043),
    (1, 0.003873659118, 2.583337, 0.517902, 15.785899),
]
PRIORS = {
    "openEBGM": OPENEBGM,
    "truncated mixture": _prior(43.98, 3.704, 1.6085, 1.4588, 0.00721),
    "far apart, so the quantile bends sharply": _prior(0.2, 0.05, 400.0, 430.0, 0.1),
    "nothing in the first component": _prior(0.001, 0.01, 0.4, 0.43, 0.1),
    "a step in the middle of a cell": _prior(
        162.298597, 7.373354, 204.712214, 204.712214, 0.187874
    ),
    "almost a point": _prior(0.27, 0.18, 2.4e5, 2.4e5, 0.19),
}
PROBABILITIES = (0.001, 0.05, 0.5, 0.95, 0.999)


def _counts(rows: list[tuple[int, float]]) -> pl.DataFrame:
    """Return a frame with these counts and expectations, the margins being ample."""
    n, expected = zip(*rows, strict=True)
    return pl.DataFrame({"n_observed": n, "e": expected}).with_columns(
        n_drug=pl.lit(10**6), n_event=pl.lit(10**6), n_total=pl.lit(10**8)
    )


def test_openebgms_rows_are_met_to_the_last_printed_digit() -> None:
    scored = ebgm(_counts([row[:2] for row in TABLE_B]), OPENEBGM, expected="e")
    printed = pl.DataFrame(
        [row[2:] for row in TABLE_B], schema=["ebgm", "eb05", "eb95"], orient="row"
    )
    for name in printed.columns:
        assert (scored[name] - printed[name]).abs().max() < 1e-6, name


def test_within_strata_openebgms_rows_are_met_at_their_expectation() -> None:
    rows = _counts([*(row[:2] for row in TABLE_B), (5, 1.0)])
    unknown = pl.when(pl.int_range(pl.len()) < len(TABLE_B)).then("e").alias("expected_adjusted")
    counts = rows.select(pl.exclude("e"), unknown)
    scored = adjusted_ebgm(counts, OPENEBGM)
    assert scored.columns[:5] == counts.columns
    names = ["ebgm_adjusted", "eb05_adjusted", "eb95_adjusted"]
    assert scored.columns[5:] == names
    printed = pl.DataFrame([row[2:] for row in TABLE_B], schema=names, orient="row")
    for name in names:
        assert (scored[name][:-1] - printed[name]).abs().max() < 1e-6, name
        assert scored[name][-1] is None  # as its expectation is


def test_within_strata_the_expected_cases_must_be_there_and_sound() -> None:
    counts = _counts([(3, 0.1)])
    with pytest.raises(CountsError, match=r"^adjusted_ebgm: .* column expected_adjusted; got \["):
        adjusted_ebgm(counts, OPENEBGM)
    with pytest.raises(CountsError, match=r"^adjusted_ebgm: expected_adjusted must be a finite"):
        adjusted_ebgm(counts.with_columns(expected_adjusted=pl.lit(0.0)), OPENEBGM)


@pytest.mark.parametrize(
    ("prior", "printed"),
    [
        (_prior(3.251, 0.3998, 2.027, 1.909, 0.0654), 9.55),
        (_prior(43.98, 3.704, 1.6085, 1.4588, 0.00721, likelihood="truncated_mixture"), 5.84),
    ],
)
def test_the_two_likelihoods_priors_of_caers_give_their_two_scores(
    prior: GammaMixture, printed: float
) -> None:
    """METHODS table C: the same pair of the same data."""
    scored = ebgm(_counts([(3, 0.096543504172)]), prior, expected="e")
    assert scored["ebgm"].item() == pytest.approx(printed, abs=0.01)


@pytest.mark.parametrize("prior", [OPENEBGM, PRIORS["truncated mixture"]])
@pytest.mark.parametrize(
    ("n", "expected"), [(0, 2.0), (1, 0.01), (3, 0.1), (54, 16.0), (700, 90.0)]
)
def test_it_is_the_geometric_mean_of_the_posterior_by_integration(
    prior: GammaMixture, n: int, expected: float
) -> None:
    parts = [
        (prior.weight, prior.alpha1, prior.beta1),
        (1 - prior.weight, prior.alpha2, prior.beta2),
    ]
    # The posterior weights from SciPy's negative binomial, not from ours.
    weights = np.array([w * nbinom.pmf(n, a, b / (b + expected)) for w, a, b in parts])
    posteriors = [gamma(a + n, scale=1 / (b + expected)) for _, a, b in parts]
    logarithms = [
        quad(lambda x, g=g: np.log(x) * g.pdf(x), 0, g.ppf(1e-9), epsabs=1e-13)[0]
        + quad(lambda x, g=g: np.log(x) * g.pdf(x), g.ppf(1e-9), g.isf(1e-15), epsabs=1e-13)[0]
        for g in posteriors
    ]
    mean = np.exp(weights @ logarithms / weights.sum())
    assert ebgm(_counts([(n, expected)]), prior, expected="e")["ebgm"].item() == pytest.approx(
        mean, rel=1e-8
    )


@pytest.mark.parametrize("probability", PROBABILITIES)
@pytest.mark.parametrize(
    "name", [name for name in PRIORS if name != "nothing in the first component"]
)
def test_the_exact_quantile_is_the_root_of_scipys_cdfs(name: str, probability: float) -> None:
    prior = PRIORS[name]
    for n, expected in [(0, 0.5), (1, 0.003), (3, 0.2), (12, 5.0), (300, 40.0), (50_000, 49_000.0)]:
        w1 = prior.weight * nbinom.pmf(n, prior.alpha1, prior.beta1 / (prior.beta1 + expected))
        w2 = (1 - prior.weight) * nbinom.pmf(
            n, prior.alpha2, prior.beta2 / (prior.beta2 + expected)
        )
        first = gamma(prior.alpha1 + n, scale=1 / (prior.beta1 + expected))
        second = gamma(prior.alpha2 + n, scale=1 / (prior.beta2 + expected))

        def excess(
            log_x: float,
            w1: float = w1,
            w2: float = w2,
            first: gamma = first,
            second: gamma = second,
        ) -> float:
            x = np.exp(log_x)
            if probability > 0.5:
                return float(1 - probability - (w1 * first.sf(x) + w2 * second.sf(x)) / (w1 + w2))
            return float((w1 * first.cdf(x) + w2 * second.cdf(x)) / (w1 + w2) - probability)

        root = brentq(excess, -60, 12, xtol=1e-13)
        ours, _ = exact_quantile(prior, np.array([n]), np.array([expected]), probability)
        assert ours[0] == pytest.approx(root, abs=1e-8 if "point" in name else 1e-10)


@pytest.mark.parametrize("probability", PROBABILITIES)
@pytest.mark.parametrize("name", PRIORS)
def test_the_interpolated_quantile_keeps_its_bound(name: str, probability: float) -> None:
    random = np.random.default_rng(20240611)
    n = random.integers(0, 65, 20_000)
    expected = np.exp(random.uniform(-14, 7, n.size))
    (interpolated,) = quantiles(PRIORS[name], n, expected, [probability])
    exact = np.exp(exact_quantile(PRIORS[name], n, expected, probability)[0])
    assert not np.isnan(interpolated).any()
    assert np.array_equal(interpolated == 0, exact == 0)
    error = np.abs(interpolated - exact) / np.maximum(exact, 1e-300)
    assert error.max() <= TOLERANCE
    # What the bound promises is not what usually happens.
    assert np.quantile(error, 0.99) <= TOLERANCE / 10


def test_the_slope_is_the_derivative() -> None:
    n, expected, h = np.array([0, 1, 3, 54]), np.array([0.3, 0.036, 0.2, 16.0]), 1e-5
    for probability in PROBABILITIES:
        _, slope = exact_quantile(OPENEBGM, n, expected, probability)
        above, _ = exact_quantile(OPENEBGM, n, expected * np.exp(h), probability)
        below, _ = exact_quantile(OPENEBGM, n, expected * np.exp(-h), probability)
        assert slope == pytest.approx((above - below) / (2 * h), abs=1e-7)


def test_nothing_expected_gives_the_prior_itself() -> None:
    scored = ebgm(_counts([(0, 0.0)]), OPENEBGM, expected="e").row(0, named=True)
    one, two = (gamma(3.25280367, scale=1 / 0.39983376), gamma(2.024904, scale=1 / 1.90726819))
    w = 0.06536416
    for probability, name in ((0.05, "eb05"), (0.95, "eb95")):
        mass = w * one.cdf(scored[name]) + (1 - w) * two.cdf(scored[name])
        assert mass == pytest.approx(probability, rel=1e-10)


def test_extremes_stay_numbers() -> None:
    rows = [(0, 1e-300), (0, 1e12), (64, 1e-300), (65, 1e-300), (10**6, 1e-9), (10**6, 1e300)]
    for prior in PRIORS.values():
        scored = ebgm(_counts(rows), prior, expected="e").select("ebgm", "eb05", "eb95")
        assert scored.null_count().row(0) == (0, 0, 0)
        assert scored.select(pl.all().is_finite().all()).row(0) == (True, True, True)
        assert scored.filter(pl.col("eb05") > pl.col("eb95")).is_empty()


def test_an_empty_population_is_undefined() -> None:
    row = {"n_observed": [0, 0], "n_drug": [0, 0], "n_event": [0, 0], "n_total": [0, 9]}
    scored = ebgm(pl.DataFrame(row), OPENEBGM)
    assert scored.row(0)[4:] == (None,) * 4
    assert None not in scored.row(1)


def test_a_stratified_expectation_is_used_and_named() -> None:
    counts = _counts([(3, 0.2)]).rename({"e": "expected"})
    scored = ebgm(counts, OPENEBGM, expected="expected")
    assert scored.columns == [*counts.columns, "ebgm", "eb05", "eb95"]
    assert scored["expected"].item() == 0.2
    assert ebgm(counts, OPENEBGM)["expected"].item() == 10_000.0


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), -1.0, 0.0])
def test_a_bad_expectation_is_refused(bad: float | None) -> None:
    counts = _counts([(3, 0.2), (3, 0.1)]).with_columns(e=pl.Series([0.2, bad]))
    message = r"^ebgm: e must be a finite number .*; 1 of 2 rows break it, first {'n_observed': 3"
    with pytest.raises(CountsError, match=message):
        ebgm(counts, OPENEBGM, expected="e")


@pytest.mark.parametrize("column", ["nothing", "drug"])
def test_the_expectation_must_be_a_column_of_numbers(column: str) -> None:
    counts = _counts([(3, 0.2)]).with_columns(drug=pl.lit("A"))
    with pytest.raises(
        CountsError, match=f"expected must name a column of numbers; got '{column}'"
    ):
        ebgm_quantile(counts, OPENEBGM, probability=0.5, expected=column)


@pytest.mark.parametrize("probability", [0, 1, -0.1, float("nan")])
def test_the_probability_must_lie_between_0_and_1(probability: float) -> None:
    with pytest.raises(InputError, match=r"^ebgm_quantile: probability must lie in \(0, 1\); got"):
        ebgm_quantile(_counts([(3, 0.2)]), OPENEBGM, probability=probability, expected="e")


def test_any_quantile_is_to_be_had() -> None:
    counts = _counts([row[:2] for row in TABLE_B])
    lower = ebgm_quantile(counts, OPENEBGM, probability=0.05, expected="e")["ebgm_quantile"]
    assert lower.to_list() == ebgm(counts, OPENEBGM, expected="e")["eb05"].to_list()


# What vigipy 3.5.1 gets wrong, and must not come back here (docs/methods/peers.md).


def test_eb05_has_five_percent_below_it() -> None:
    """vigipy stops bisecting at 1e-5 in the mass: its EB05 is off in the fourth digit."""
    rows = [(3, 0.2945337053651327), (1, 0.2681732), (1, 272.37264), (6, 20.173367)]
    scored = ebgm(_counts(rows), OPENEBGM, expected="e")
    for (n, expected), eb05, eb95 in zip(rows, scored["eb05"], scored["eb95"], strict=True):
        weight = OPENEBGM.posterior_weight(np.array([n]), np.array([expected]))[0]
        first = gamma(OPENEBGM.alpha1 + n, scale=1 / (OPENEBGM.beta1 + expected))
        second = gamma(OPENEBGM.alpha2 + n, scale=1 / (OPENEBGM.beta2 + expected))
        for bound, mass in ((eb05, 0.05), (eb95, 0.95)):
            got = weight * first.cdf(bound) + (1 - weight) * second.cdf(bound)
            assert got == pytest.approx(mass, abs=1e-8)


def test_a_drug_with_one_event_only_has_its_prr_as_it_is() -> None:
    """vigipy adds 0.5 to every cell where b = 0, and gives 258.1 for this table."""
    row = pl.DataFrame({"n_observed": [5], "n_drug": [5], "n_event": [40], "n_total": [10000]})
    assert proportional_reporting_ratio(row)["prr"].item() == pytest.approx(285.571, abs=5e-4)
