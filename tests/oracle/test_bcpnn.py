"""BCPNN against the project's number, vigipy's, and the posterior it approximates."""

import numpy as np
import pytest
from scipy.special import digamma, polygamma

from detectors.bcpnn import bcpnn
from schemas.errors import InputError
from tests.support.frames import make_margins

TABLES = [
    (41, 55, 795, 592767),
    (3, 20, 100, 10000),
    (1, 10, 100, 10000),
    (12, 100, 500, 100000),
    (5, 400, 60, 50000),
    (2, 1000, 400, 50000),
    (1000, 20000, 50000, 2000000),
]
# Python, vigipy 3.5.1:
#   container.data = DataFrame(rows, columns=["events", "product_aes", "count_across_brands"])
#   bcpnn(DataContainer(data, N), min_events=1).all_signals["quantile"], one N at a time
VIGIPY = [
    4.695451496570424,
    -0.07797736973339342,
    -1.9169349447382213,
    2.204997003364782,
    0.6350131857425592,
    -3.625215175630972,
    0.9053832366042351,
]


def test_the_lower_bound_is_not_the_ics() -> None:
    """METHODS, table A, row 1: 4.70, where IC025 is 5.70."""
    assert bcpnn(make_margins(TABLES[:1]))["bcpnn_lower"].item() == pytest.approx(4.70, abs=0.005)


def test_the_lower_bound_is_vigipys() -> None:
    assert bcpnn(make_margins(TABLES))["bcpnn_lower"].to_list() == pytest.approx(VIGIPY, rel=1e-11)


@pytest.mark.parametrize("row", [*TABLES, (0, 5, 5, 100), (0, 0, 0, 0), (7, 7, 7, 7)])
def test_mean_and_variance_are_phvids(row: tuple[int, int, int, int]) -> None:
    """Transcribed from the equations of PhViD 1.0.8's BCPNN, MC = FALSE."""
    a, nd, ne, total = (float(count) for count in row)
    p1, p2, q1, q2 = 1 + nd, 1 + total - nd, 1 + ne, 1 + total - ne
    r1, r2 = 1 + a, total - a - 1 + (2 + total) ** 2 / (q1 * p1)
    mean = digamma(r1) - digamma(r1 + r2)
    mean -= digamma(p1) - digamma(p1 + p2) + digamma(q1) - digamma(q1 + q2)
    variance = polygamma(1, [r1, p1, q1]).sum() - polygamma(1, [r1 + r2, p1 + p2, q1 + q2]).sum()
    half = 1.959963984540054 * np.sqrt(variance)
    expected = np.array([mean, mean - half, mean + half]) / np.log(2)
    assert bcpnn(make_margins([row])).row(0)[4:] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_mean_is_that_of_the_posterior() -> None:
    """By simulation: three independent beta posteriors."""
    random = np.random.default_rng(20240611)
    a, nd, ne, total = 5, 400, 60, 50000
    prior = (2 + total) ** 2 / ((1 + nd) * (1 + ne))
    joint = random.beta(1 + a, total - a - 1 + prior, 400_000)
    drug = random.beta(1 + nd, 1 + total - nd, 400_000)
    event = random.beta(1 + ne, 1 + total - ne, 400_000)
    ic = np.log2(joint / (drug * event))
    mean, lower, upper = bcpnn(make_margins([(a, nd, ne, total)])).row(0)[4:]
    assert mean == pytest.approx(ic.mean(), abs=0.005)
    assert (upper - lower) / (2 * 1.96) == pytest.approx(ic.std(), abs=0.005)


def test_the_level_widens_the_interval() -> None:
    narrow, wide = (bcpnn(make_margins(TABLES), level=level) for level in (0.9, 0.99))
    assert (wide["bcpnn_lower"] < narrow["bcpnn_lower"]).all()
    assert wide["bcpnn"].to_list() == narrow["bcpnn"].to_list()


def test_a_level_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"^bcpnn: level must lie in \(0, 1\); got 95"):
        bcpnn(make_margins(TABLES), level=95)
