"""Cases that came after an authority had acted: its notice may have called them forth."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from schemas.domain import domain_vocabulary
from streams.core.cases.levels import CLASS_OF_NAME

__all__ = ["after_notice"]

_EPOCH = date(1970, 1, 1)


def after_notice(
    cases: pl.DataFrame, keys: pl.Series, drugs: pl.Series, acted: Mapping[str, date]
) -> pl.Series:
    """Return how many cases of each pair were first received after an authority acted.

    Parameters
    ----------
    cases
        What `streams.core.counting.case_log.CaseLog.cases_of` gives for the pairs.
    keys, drugs
        The pairs, and the drug of each.
    acted
        By class of the domain's vocabulary, the highest: the day an authority first acted on it.

    Returns
    -------
    polars.Series
        `n_post_notice` [cases], in the order of `keys`; null where no authority is known to have.
    """
    if not acted:
        return pl.Series("n_post_notice", [None] * len(keys), dtype=pl.Int64)
    days = {
        key: (acted[top] - _EPOCH).days
        for key, drug in zip(keys.to_list(), drugs.to_list(), strict=True)
        if (code := CLASS_OF_NAME[drug])
        and (top := domain_vocabulary().classes_of(code)[-1]) in acted
    }
    later = dict.fromkeys(days, 0)
    for key, day in cases.filter(pl.col("key").is_in(list(days))).select("key", "day").iter_rows():
        later[key] += day > days[key]
    return pl.Series("n_post_notice", [later.get(key) for key in keys.to_list()], dtype=pl.Int64)
