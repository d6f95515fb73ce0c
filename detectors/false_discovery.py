"""Adjusted p-values of many pairs that control the false discovery rate."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import digamma

from detectors.arguments import require_whole
from schemas.errors import InputError

__all__ = ["false_discovery"]

Floats = NDArray[np.float64]


def false_discovery(
    scored: pl.DataFrame, *, p_values: str = "fisher_mid_p", n_hypotheses: int | None = None
) -> pl.DataFrame:
    """Benjamini-Hochberg and Benjamini-Yekutieli adjusted p-values of every tested pair.

    Flag the pairs whose adjusted value is at most q, and at most a share q of them is expected to
    be false. That holds for one evaluation of one table, not under repeated looks (see
    `detectors.anytime_valid` for a test that does). A pair is listed because somebody reported it,
    which is a selection: the family is all pairs that could have been reported.

    Parameters
    ----------
    scored
        One row a pair. Pairs of the family that are not listed count with p = 1.
    p_values
        Column with the p-values; `fisher_p` and `fisher_mid_p` are from
        `detectors.fisher_exact.fisher_exact`. Null: not tested; it counts with p = 1.
    n_hypotheses
        Size of the family, listed or not. If None, distinct drugs times distinct events of the
        table, added over its windows if there is a column `window`.

    Returns
    -------
    polars.DataFrame
        `scored`, same order, and `<p_values>_bh`, `<p_values>_by` [probability], null where the
        p-value is.

    Raises
    ------
    InputError
        If there is no such column of numbers, one lies outside [0, 1], the family is smaller than
        the table, or it is not stated and the table has no columns `drug` and `event`.

    Notes
    -----
    With m hypotheses and p(i) the i-th smallest p-value, the i-th becomes the least of
    ``p(k) m / k`` over k >= i, at most 1 (BH); BY multiplies by ``1 + 1/2 + ... + 1/m`` besides. BH
    bounds the expected share if the tests are independent or positively dependent, BY whatever they
    are; pairs that share a margin are not independent.

    Of the FDA CAERS table of openEBGM, 2,874 drugs by 1,328 events, BH at 5% flags 14,354 of the
    17,189 listed pairs if they are taken as the family, and 70 in the family of all pairs.

    References
    ----------
    .. [1] Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a practical and
       powerful approach to multiple testing. Journal of the Royal Statistical Society B 57(1),
       289-300. doi:10.1111/j.2517-6161.1995.tb02031.x.
    .. [2] Benjamini Y, Yekutieli D (2001). The control of the false discovery rate in multiple
       testing under dependency. Annals of Statistics 29(4), 1165-1188. doi:10.1214/aos/1013699998.

    Examples
    --------
    Two drugs and two events are four hypotheses, of which two pairs were reported: the smallest p
    is multiplied by 4, the next by 4/2; BY multiplies by 25/12 besides.

    >>> import polars as pl
    >>> scored = pl.DataFrame(
    ...     {"drug": ["A", "B"], "event": ["rash", "ache"], "fisher_mid_p": [0.04, 0.01]}
    ... )
    >>> false_discovery(scored)["fisher_mid_p_bh"].to_list()
    [0.08, 0.04]
    >>> false_discovery(scored)["fisher_mid_p_by"].to_list()
    [0.1667, 0.0833]
    """
    where = "false_discovery"
    if p_values not in scored.columns or not scored.schema[p_values].is_numeric():
        msg = f"{where}: p_values must name a column of numbers; got {p_values!r} of "
        msg += f"{dict(scored.schema)}"
        raise InputError(msg)
    values = scored[p_values].cast(pl.Float64)
    outside = scored.filter(~values.is_between(0, 1).fill_null(True))
    if outside.height:
        msg = (
            f"{where}: {p_values} must lie in [0, 1]; {outside.height} of {scored.height} "
            f"rows do not, first {outside.row(0, named=True)}"
        )
        raise InputError(msg)
    family = _family(scored, n_hypotheses, where=where)
    tested = values.is_not_null().to_numpy()
    steps = np.zeros(scored.height)
    steps[tested] = _step_up(values.drop_nulls().to_numpy(), family)
    harmonic = float(digamma(family + 1) + np.euler_gamma)  # 1 + 1/2 + ... + 1/m
    return scored.with_columns(
        pl.when(values.is_not_null())
        .then(pl.Series(np.minimum(steps * factor, 1.0)))
        .alias(f"{p_values}_{name}")
        for name, factor in (("bh", 1.0), ("by", harmonic))
    )


def _step_up(p: Floats, n_hypotheses: int) -> Floats:
    """Return the least of ``p(k) m / k`` over k >= i, for the i-th smallest; it may exceed 1."""
    order = np.argsort(p, kind="stable")
    own = p[order] * (n_hypotheses / np.arange(1, p.size + 1))
    steps = np.empty_like(own)
    steps[order] = np.minimum.accumulate(own[::-1])[::-1]
    return steps


def _family(scored: pl.DataFrame, n_hypotheses: int | None, *, where: str) -> int:
    """Return how many hypotheses the family has."""
    if n_hypotheses is None:
        if not {"drug", "event"} <= set(scored.columns):
            msg = (
                f"{where}: n_hypotheses, all pairs that could have been reported, must be stated "
                f"for a table without the columns drug and event; got {scored.columns}"
            )
            raise InputError(msg)
        windows = ["window"] if "window" in scored.columns else [pl.lit(0).alias("window")]
        sizes = scored.group_by(windows).agg(
            pl.col("drug").n_unique().cast(pl.Int64) * pl.col("event").n_unique()
        )
        return int(sizes["drug"].sum())
    total = require_whole(n_hypotheses, "n_hypotheses", where=where, least=0)
    if total < scored.height:
        msg = f"{where}: n_hypotheses must be at least the {scored.height} rows of the table; "
        msg += f"got {total}"
        raise InputError(msg)
    return total
