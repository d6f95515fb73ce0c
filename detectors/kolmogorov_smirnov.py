"""The two-sample Kolmogorov-Smirnov test, exact with ties."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, ks_2samp

from schemas.errors import InputError

__all__ = ["kolmogorov_smirnov"]

Floats = npt.NDArray[np.float64]

_EXACT_PATHS = 1_000_000  # product of the sizes up to which the exact p takes milliseconds


def kolmogorov_smirnov(one: npt.ArrayLike, other: npt.ArrayLike) -> tuple[float, float]:
    """Two-sample, two-sided Kolmogorov-Smirnov statistic and p-value, exact with ties.

    Sees any difference of two distributions, of place, spread or shape. The exact p-value that
    SciPy and older R give takes all values for distinct, which makes it too large where they are
    not: days of onset are ties.

    Parameters
    ----------
    one, other
        The samples, one value or more each.

    Returns
    -------
    tuple of float
        Largest distance of the two empirical distributions, and the chance of one as large if all
        values are of one distribution.

    Raises
    ------
    InputError
        If a sample is empty or holds anything but finite numbers.

    Notes
    -----
    Exact if the product of the sizes m and n is at most a million: of all ways to choose which m of
    the m + n values are of the first sample, the share with a distance at least as large. Each is a
    lattice path of m steps up and n to the right; the distance is taken only where the path has
    passed all values that are equal. Both distributions change at once there, which is why ties
    make distances smaller. Larger samples: Kolmogorov's limit, which takes no account of ties.

    References
    ----------
    .. [1] Schröer G, Trenkler D (1995). Exact and randomization distributions of Kolmogorov-Smirnov
       tests two or three samples. Computational Statistics and Data Analysis 20(2), 185-202.
       doi:10.1016/0167-9473(94)00040-P. Not read: the count of paths is derived above.

    Examples
    --------
    Ten on day 0, against five on day 0 and five on day 1: 2 C(15, 10) / C(20, 10).

    >>> kolmogorov_smirnov([0] * 10, [0] * 5 + [1] * 5)
    (0.5, 0.0325)
    """
    samples = [np.asarray(values, np.float64) for values in (one, other)]
    for values in samples:
        finite = np.isfinite(values)
        if not values.size or not finite.all():
            msg = (
                "kolmogorov_smirnov: each sample must hold finite numbers, one or more; got "
                f"{values.size}, of them {np.count_nonzero(~finite)} not finite"
            )
            raise InputError(msg)
    first, second = sorted(samples, key=len)
    m, n = first.size, second.size
    values, group_sizes = np.unique(np.concatenate([first, second]), return_counts=True)
    below_first = np.searchsorted(np.sort(first), values, side="right")
    below = np.cumsum(group_sizes)
    # m n times the distance, a whole number, where each group of equal values ends.
    distance = int(np.abs(below_first * (m + n) - below * m).max())
    if m * n > _EXACT_PATHS:
        return distance / (m * n), float(ks_2samp(first, second, method="asymp").pvalue)
    return distance / (m * n), _exact_p(m, n, group_sizes, distance)


def _exact_p(m: int, n: int, group_sizes: npt.NDArray[np.int64], distance: int) -> float:
    """Return the share of paths that reach the distance at the end of a group."""
    share = m / (m + n)

    @lru_cache
    def steps(size: int) -> Floats:
        """Return the chances of 0, 1, ... steps up within a group."""
        return np.asarray(binom.pmf(np.arange(min(size, m) + 1), size, share))

    # Chances of the number of steps up so far, of a random walk; in the end those with m count.
    inside, outside = np.ones(1), np.zeros(1)
    passed = 0
    for size in group_sizes.tolist():
        passed += size
        inside, outside = (np.convolve(part, steps(size))[: m + 1] for part in (inside, outside))
        up = np.arange(inside.size)
        reached = np.abs(up * (m + n) - passed * m) >= distance
        outside = outside + np.where(reached, inside, 0.0)
        inside = np.where(reached, 0.0, inside)
    return float(outside[m] / (inside[m] + outside[m]))
