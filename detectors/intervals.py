"""Interval estimates shared by the ratio statistics."""

import polars as pl
from scipy.special import ndtri

from schemas.errors import InputError

__all__ = ["log_ratio_columns", "tail_mass"]


def tail_mass(level: float, *, where: str) -> float:
    """Return the mass beyond either bound of an equal-tailed interval of this level.

    Raises
    ------
    InputError
        If `level` is not in (0, 1).
    """
    if not 0 < level < 1:
        msg = f"{where}: level must lie in (0, 1); got {level!r}"
        raise InputError(msg)
    return (1 - level) / 2


def log_ratio_columns(
    name: str,
    *,
    numerator: pl.Expr,
    denominator: pl.Expr,
    log_variance: pl.Expr,
    tail: float,
    lower_if_unbounded: pl.Expr,
) -> list[pl.Expr]:
    """Return `name`, `name_lower` and `name_upper` of a ratio, normal on the log scale.

    Zero counts follow `scipy.stats.contingency.relative_risk` (docs/adr/0005):
    a zero numerator gives 0, from 0 to null; a zero denominator gives inf, from
    `lower_if_unbounded` to inf; both zero give null throughout, as must `lower_if_unbounded`.
    """
    ratio = numerator / denominator
    spread = (log_variance.sqrt() * -float(ndtri(tail))).exp()
    estimable = (numerator > 0) & (denominator > 0)
    return [
        pl.when((numerator > 0) | (denominator > 0)).then(ratio).alias(name),
        pl.when(estimable)
        .then(ratio / spread)
        .when(denominator > 0)
        .then(0.0)
        .otherwise(lower_if_unbounded)
        .alias(f"{name}_lower"),
        pl.when(estimable)
        .then(ratio * spread)
        .when(numerator > 0)
        .then(float("inf"))
        .alias(f"{name}_upper"),
    ]
