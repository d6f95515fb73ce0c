"""Adjusted p-values of many pairs that control the false discovery rate."""

import numpy as np
import polars as pl

from schemas.errors import InputError

__all__ = ["false_discovery"]


def false_discovery(scored: pl.DataFrame, *, p_values: str = "fisher_mid_p") -> pl.DataFrame:
    """Benjamini-Hochberg and Benjamini-Yekutieli adjusted p-values of every tested pair.

    Flag the pairs whose adjusted value is at most q, and at most a share q of them is expected to
    be false. That holds for one evaluation of one table, not under repeated looks (see
    `detectors.anytime_valid` for a test that does).

    Parameters
    ----------
    scored
        One row a pair, all pairs that were tested: leaving out uninteresting ones makes every
        adjusted value too small.
    p_values
        Column with the p-values; `fisher_p` and `fisher_mid_p` are from
        `detectors.fisher_exact.fisher_exact`. Null: not tested, and not counted.

    Returns
    -------
    polars.DataFrame
        `scored`, same order, and `<p_values>_bh`, `<p_values>_by` [probability], null where the
        p-value is.

    Raises
    ------
    InputError
        If there is no such column of numbers, or one lies outside [0, 1].

    Notes
    -----
    Of m p-values in ascending order, the i-th becomes the least of ``p(k) m / k`` over k >= i,
    at most 1 (BH); BY multiplies by ``1 + 1/2 + ... + 1/m`` besides. BH bounds the expected share
    if the tests are independent or positively dependent, BY whatever they are; pairs that share a
    margin are not independent. Computed by `statsmodels.stats.multitest.multipletests`.

    References
    ----------
    .. [1] Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a practical and
       powerful approach to multiple testing. Journal of the Royal Statistical Society B 57(1),
       289-300. doi:10.1111/j.2517-6161.1995.tb02031.x.
    .. [2] Benjamini Y, Yekutieli D (2001). The control of the false discovery rate in multiple
       testing under dependency. Annals of Statistics 29(4), 1165-1188. doi:10.1214/aos/1013699998.

    Examples
    --------
    Of three, the smallest is multiplied by 3, the next by 3/2; BY multiplies by 11/6 besides.

    >>> import polars as pl
    >>> scored = pl.DataFrame({"fisher_mid_p": [0.5, 0.01, None, 0.04]})
    >>> false_discovery(scored)["fisher_mid_p_bh"].to_list()
    [0.5, 0.03, None, 0.06]
    >>> false_discovery(scored)["fisher_mid_p_by"].to_list()
    [0.917, 0.055, None, 0.11]
    """
    if p_values not in scored.columns or not scored.schema[p_values].is_numeric():
        msg = f"false_discovery: p_values must name a column of numbers; got {p_values!r} of "
        msg += f"{dict(scored.schema)}"
        raise InputError(msg)
    values = scored[p_values].cast(pl.Float64)
    outside = scored.filter(~values.is_between(0, 1).fill_null(True))
    if outside.height:
        msg = (
            f"false_discovery: {p_values} must lie in [0, 1]; {outside.height} of {scored.height} "
            f"rows do not, first {outside.row(0, named=True)}"
        )
        raise InputError(msg)
    # Here, not above: it loads pandas, which every command would wait for.
    from statsmodels.stats.multitest import multipletests

    tested = values.is_not_null().to_numpy()
    adjusted = np.zeros((2, scored.height))
    if tested.any():
        present = values.drop_nulls().to_numpy()
        for row, method in enumerate(("fdr_bh", "fdr_by")):
            adjusted[row, tested] = multipletests(present, method=method)[1]
    return scored.with_columns(
        pl.when(values.is_not_null()).then(pl.Series(column)).alias(f"{p_values}_{name}")
        for name, column in zip(("bh", "by"), adjusted, strict=True)
    )
