"""Peaks of the likelihood of a prior: each a maximum by SciPy, those of FDA CAERS by openEBGM."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import nbinom

from detectors.ebgm import ebgm
from detectors.gamma_mixture import GammaMixture, Likelihood
from detectors.gamma_mixture_fit import PEAK_GAP, FitReport, Peak, Start, fit_gamma_mixture

# R, openEBGM on data(caers), a local peak: a start with larger shapes ends on a higher one.
OPENEBGM: Start = (3.25124, 0.39977, 2.02696, 1.90893, 0.06539)
NAMES = ("alpha1", "beta1", "alpha2", "beta2", "weight")


def _invented(seed: int) -> pl.DataFrame:
    """Return 20 drugs by 20 events; every tenth rate ratio is five times too large on average."""
    random = np.random.default_rng(seed)
    n_drug, n_event = np.repeat(np.arange(20, 420, 20), 20), np.tile(np.arange(20, 420, 20), 20)
    shape = np.where(np.arange(400) % 10, 8, 4)
    ratio = random.gamma(shape, np.where(shape == 8, 1 / 8, 1.25))
    n = random.poisson(n_drug * n_event / 10_000 * ratio)
    return pl.DataFrame(
        {
            "n_observed": np.minimum(n, np.minimum(n_drug, n_event)),
            "n_drug": n_drug,
            "n_event": n_event,
            "n_total": np.full(400, 10_000),
        }
    )


def _log_likelihood(table: pl.DataFrame, parameters: Start) -> float:
    """The mixture of truncated components, from SciPy's negative binomial."""
    a1, b1, a2, b2, weight = parameters
    used = table.filter(pl.col("n_observed") > 0)
    n = used["n_observed"].to_numpy()
    expected = (used["n_drug"] * used["n_event"] / used["n_total"]).to_numpy()
    parts = [
        share * nbinom.pmf(n, a, b / (b + expected)) / nbinom.sf(0, a, b / (b + expected))
        for share, a, b in ((weight, a1, b1), (1 - weight, a2, b2))
    ]
    return float(np.log(parts[0] + parts[1]).sum())


@lru_cache
def _fitted(seed: int) -> FitReport:
    return fit_gamma_mixture(_invented(seed), likelihood="mixture_of_truncated", squash=None)


def test_each_peak_is_a_maximum_by_scipys_likelihood() -> None:
    table, report = _invented(6), _fitted(6)
    assert len(report.peaks) == 2
    for peak in report.peaks:
        height = _log_likelihood(table, peak.parameters)
        assert peak.log_likelihood == pytest.approx(height, abs=1e-7)
        for place, factor in np.ndindex(5, 2):
            moved = np.array(peak.parameters)
            moved[place] *= (0.95, 1.05)[factor]
            assert _log_likelihood(table, tuple(moved.tolist())) < height - 1e-5


def test_the_first_peak_is_the_prior_and_all_starts_ended_on_one() -> None:
    report = _fitted(6)
    first, second = report.peaks
    assert first.parameters == pytest.approx(
        [getattr(report.prior, name) for name in NAMES], rel=1e-4
    )
    assert report.prior.fit is not None
    assert first.log_likelihood == pytest.approx(report.prior.fit.log_likelihood, abs=1e-6)
    assert 0.01 < first.log_likelihood - second.log_likelihood < PEAK_GAP
    assert first.n_starts + second.n_starts == report.prior.fit.n_converged == 12
    assert report.prior.fit.n_optima == 2


def test_one_peak_is_listed_once() -> None:
    (peak,) = _fitted(0).peaks
    assert peak.n_starts == 12


def test_a_peak_far_below_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.gamma_mixture_fit.PEAK_GAP", 0.1)
    report = fit_gamma_mixture(_invented(6), likelihood="mixture_of_truncated", squash=None)
    assert report.peaks == _fitted(6).peaks[:1]
    assert report.prior == _fitted(6).prior


@pytest.fixture(scope="module")
def caers(real_data: Path) -> pl.DataFrame:
    return pl.read_csv(real_data / "caers" / "caers_counts.csv")


def _flagged(table: pl.DataFrame, parameters: Start, likelihood: Likelihood) -> int:
    content = dict(zip(NAMES, parameters, strict=True))
    prior = GammaMixture.model_validate({**content, "likelihood": likelihood})
    return ebgm(table, prior).filter(pl.col("eb05") > 2).height


@pytest.mark.realdata
def test_the_published_prior_of_caers_is_a_local_peak(caers: pl.DataFrame) -> None:
    """METHODS table C: 131 pairs have EB05 > 2 at it, 128 at the higher peak."""
    report = fit_gamma_mixture(caers, likelihood="mixture_of_truncated", squash=None)
    highest, published = report.peaks
    assert highest.log_likelihood == pytest.approx(-4162.181, abs=5e-4)
    assert published.log_likelihood == pytest.approx(-4162.456, abs=5e-4)
    assert _log_likelihood(caers, OPENEBGM) == pytest.approx(-4162.456, abs=5e-4)
    # openEBGM squashes the pairs, which moves its peak by less than one in 500.
    assert published.parameters == pytest.approx(OPENEBGM, rel=2e-3)
    assert highest.parameters == pytest.approx((20.962, 1.658, 1.739, 1.565, 0.0349), rel=2e-3)
    kind: Likelihood = "mixture_of_truncated"
    assert _flagged(caers, OPENEBGM, kind) == 131
    assert _flagged(caers, published.parameters, kind) == 131
    assert _flagged(caers, highest.parameters, kind) == 128


@pytest.mark.realdata
def test_the_other_likelihood_of_caers_has_one_peak(caers: pl.DataFrame) -> None:
    """METHODS table C: (43.98, 3.704, 1.6085, 1.4588, .00721), and 80 pairs with EB05 >= 2."""
    (peak,) = fit_gamma_mixture(caers, likelihood="truncated_mixture").peaks
    assert peak.parameters[2:] == pytest.approx((1.6085, 1.4588, 0.00721), rel=2e-3)
    assert peak.parameters[:2] == pytest.approx((43.98, 3.704), rel=0.03)  # a flat direction
    assert _flagged(caers, peak.parameters, "truncated_mixture") == 80


def test_a_peak_keeps_the_best_of_its_ends() -> None:
    for peak in _fitted(6).peaks:
        ends = [
            end.log_likelihood
            for end in _fitted(6).outcomes
            if abs(end.log_likelihood - peak.log_likelihood) < 0.005
        ]
        assert isinstance(peak, Peak)
        assert peak.log_likelihood == max(ends)
        assert peak.n_starts == len(ends)
