"""What holds of the shrunken ratios for every prior and every pair."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from detectors.ebgm import ebgm
from detectors.gamma_mixture import GammaMixture

SHAPES = st.floats(0.01, 300).map(float)
PRIORS = st.builds(
    GammaMixture,
    alpha1=SHAPES,
    beta1=SHAPES,
    alpha2=SHAPES,
    beta2=SHAPES,
    weight=st.floats(1e-4, 1 - 1e-4),
    likelihood=st.just("truncated_mixture"),
)
EXPECTED = st.floats(-20, 12).map(lambda log: float(np.exp(log)))
SCORES = ["ebgm", "eb05", "eb95"]


def _scored(prior: GammaMixture, n: list[int], expected: list[float]) -> pl.DataFrame:
    counts = pl.DataFrame({"n_observed": n, "e": expected}).with_columns(
        n_drug=pl.lit(10**6), n_event=pl.lit(10**6), n_total=pl.lit(10**8)
    )
    return ebgm(counts, prior, expected="e")


@settings(max_examples=60, deadline=None)
@given(PRIORS, st.lists(st.tuples(st.integers(0, 200), EXPECTED), min_size=1, max_size=20))
def test_scores_are_ordered_numbers_and_each_row_stands_alone(
    prior: GammaMixture, pairs: list[tuple[int, float]]
) -> None:
    n, expected = ([*column] for column in zip(*pairs, strict=True))
    scored = _scored(prior, n, expected)
    assert scored.select(pl.col(SCORES).is_finite().all()).row(0) == (True,) * 3
    assert scored.filter(pl.col("eb05") > pl.col("eb95")).is_empty()
    alone = pl.concat([_scored(prior, [one], [e]) for one, e in pairs])
    assert_frame_equal(alone, scored, check_exact=True)


@settings(max_examples=60, deadline=None)
@given(PRIORS, st.integers(0, 100), EXPECTED)
def test_more_cases_raise_every_score_and_more_expected_lower_it(
    prior: GammaMixture, n: int, expected: float
) -> None:
    """The posterior has a monotone likelihood ratio in both, whatever the prior."""
    scored = _scored(prior, [n, n + 1, n], [expected, expected, expected * 1.01])
    for name in SCORES:
        here, more_cases, more_expected = scored[name]
        assert more_cases >= here * (1 - 2e-7)
        assert more_expected <= here * (1 + 2e-7)


@settings(max_examples=60, deadline=None)
@given(PRIORS, EXPECTED)
def test_many_cases_outweigh_the_prior(prior: GammaMixture, expected: float) -> None:
    n = 10**6
    expected = max(expected, 1e3)
    scored = _scored(prior, [n], [expected]).row(0, named=True)
    low = min(
        (n + a) / (expected + b)
        for a, b in ((prior.alpha1, prior.beta1), (prior.alpha2, prior.beta2))
    )
    high = max(
        (n + a) / (expected + b)
        for a, b in ((prior.alpha1, prior.beta1), (prior.alpha2, prior.beta2))
    )
    assert low * 0.999 <= scored["ebgm"] <= high * 1.001
    assert scored["eb05"] <= scored["ebgm"] <= scored["eb95"]
