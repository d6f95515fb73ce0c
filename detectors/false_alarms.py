"""False-alarm rate: share of negative-control pairs that were ever alerted."""

from detectors.arguments import require_whole
from schemas.errors import InputError

__all__ = ["ever_alert_rate"]


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
