"""False-alert rate: share of negative-control pairs, or of pairs of a null, that ever alerted."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from detectors.arguments import require_whole
from schemas.errors import InputError

__all__ = ["NullRate", "ever_alert_rate", "null_alert_rate"]


class NullRate(NamedTuple):
    """Mean share of a null's pairs that ever alerted, its bounds, and where those come from.

    `limits` is `permutations`, the spread between permutations, or `Clopper-Pearson`.
    """

    rate: float
    lower: float
    upper: float
    limits: str


def ever_alert_rate(
    n_alerted: int, n_controls: int, *, level: float = 0.95
) -> tuple[float, float, float]:
    """Share of negative-control pairs that ever alerted, with its exact interval.

    The cost of a rule in false alarms on the data at hand. Its known failure is the choice of
    controls: a true pair among them counts as a false alarm.

    Parameters
    ----------
    n_alerted
        Controls that alerted at any evaluation.
    n_controls
        All controls.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    tuple of float
        Rate, lower and upper bound.

    Raises
    ------
    InputError
        If a number is not whole or negative, there is no control, more alerted than there are, or
        `level` is not in (0, 1).

    Notes
    -----
    Clopper and Pearson's interval: it holds its level exactly or better for any rate.

    References
    ----------
    .. [1] Clopper CJ, Pearson ES (1934). The use of confidence or fiducial limits illustrated in
       the case of the binomial. Biometrika 26(4), 404-413. doi:10.1093/biomet/26.4.404.

    Examples
    --------
    None of ten: the upper bound is 1 - 0.025^(1/10).

    >>> ever_alert_rate(0, 10)
    (0.0, 0.0, 0.3085)
    """
    for value, name in ((n_alerted, "n_alerted"), (n_controls, "n_controls")):
        require_whole(value, name, where="ever_alert_rate", least=0)
    if n_alerted > n_controls or n_controls == 0:
        msg = f"ever_alert_rate: 0 <= alerted <= controls, and some control; got {n_alerted} of "
        msg += f"{n_controls}"
        raise InputError(msg)
    if not 0 < level < 1:
        msg = f"ever_alert_rate: level must lie in (0, 1); got {level!r}"
        raise InputError(msg)
    # Here, not above: it loads pandas, which every command would wait for.
    from statsmodels.stats.proportion import proportion_confint

    lower, upper = proportion_confint(n_alerted, n_controls, alpha=1 - level, method="beta")
    return n_alerted / n_controls, float(lower), float(upper)


def null_alert_rate(
    n_alerted: Sequence[int], n_pairs: Sequence[int], *, level: float = 0.95
) -> NullRate:
    """Mean share of pairs that ever alerted in permutations of one null, with its interval.

    The cost of a rule in false alerts on the data at hand, without a choice of controls. Its known
    failure is a null that leaves associations in place, such as one with small blocks.

    Parameters
    ----------
    n_alerted
        By permutation: pairs that alerted at any evaluation.
    n_pairs
        By permutation: reported pairs.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    NullRate
        Rate, lower and upper bound, and their kind.

    Raises
    ------
    InputError
        If there is no permutation, or one without pairs or with more alerts than pairs.

    Notes
    -----
    Pairs of one permutation share reports, so they are no independent trials: the bounds are those
    of Student's t with one degree of freedom less than permutations, on their shares. With one
    permutation, or with shares that are all equal, there is no spread: the bounds are then those of
    Clopper and Pearson for the pairs of the first permutation, as if they were independent.

    Examples
    --------
    Shares of 1% and 3%: t is 12.706, the standard error 1%.

    >>> null_alert_rate([1, 3], [100, 100])
    NullRate(rate=0.02, lower=0.0, upper=0.14706, limits='permutations')
    """
    where = "null_alert_rate"
    for name, numbers in (("n_alerted", n_alerted), ("n_pairs", n_pairs)):
        for number in numbers:
            require_whole(number, name, where=where, least=0)
    rates = []
    for alerted, pairs in zip(n_alerted, n_pairs, strict=True):
        if not 0 <= alerted <= pairs or pairs == 0:
            msg = "null_alert_rate: 0 <= alerted <= pairs, and some pair, must hold of every "
            msg += f"permutation; got {alerted} of {pairs}"
            raise InputError(msg)
        rates.append(alerted / pairs)
    if not rates:
        msg = "null_alert_rate: there must be a permutation; got none"
        raise InputError(msg)
    mean = fmean(rates)
    if len(set(rates)) == 1:
        return NullRate(*ever_alert_rate(n_alerted[0], n_pairs[0], level=level), "Clopper-Pearson")
    # Here, not above: every command would wait for it.
    from scipy.stats import t

    half = float(t.isf((1 - level) / 2, len(rates) - 1)) * stdev(rates) / sqrt(len(rates))
    return NullRate(mean, max(mean - half, 0.0), min(mean + half, 1.0), "permutations")
