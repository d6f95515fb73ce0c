"""Cases of a pair one by one: receipt, onset after the drug, outcome, reporter."""

from datetime import date

import numpy as np
import polars as pl

from schemas.delta import STRATUM
from streams.core.cases.chronology import START
from streams.core.cases.provenance import parse_origin
from streams.core.counting.case_codes import UNIT
from streams.core.counting.coded_cases import CodedCases

__all__ = ["case_lanes"]

_EPOCH = date(1970, 1, 1)


def case_lanes(view: CodedCases, drug: str, event: str, last_day: int) -> pl.DataFrame:
    """Return the counted cases of a pair, by day of receipt.

    Parameters
    ----------
    view
        The cases, and the names of their codes.
    drug, event
        Normal forms; of a name that no case has there is no row.
    last_day
        Last day of first receipt [days since 1970-01-01].

    Returns
    -------
    polars.DataFrame
        One row a case: `case_id`, `received` [date], `onset` [date; null if not stated],
        `onset_days` [days from the first dose to the onset; null if either is not stated],
        `age_group`, `sex`, `region`, `serious`, `fatal`, `life_threatening`, `by_professional`.
    """
    codes = view.drugs.find(drug), view.events.find(event)
    key = [] if None in codes else [(codes[0] or 0) << 32 | (codes[1] or 0)]
    cases = view.log.cases_of(np.array(key, dtype=np.int64), None, last_day)
    start = pl.col("course").cast(pl.Int64) // (1 << START)  # ordinal of the first dose
    began = pl.col("began").cast(pl.Int64)  # ordinal of the onset
    parts = [name.split(UNIT) for name in view.strata.names]
    of_stratum = {
        name: pl.Series(name, [part[place] for part in parts], dtype=pl.String)
        for place, name in enumerate(STRATUM)
    }
    professional = pl.Series(
        [parse_origin(text).by_professional for text in view.origins.names], dtype=pl.Boolean
    )
    return (
        cases.with_columns(
            pl.col("day").cast(pl.Date).alias("received"),
            pl.when(began > 0)
            .then((began - _EPOCH.toordinal()).cast(pl.Int32).cast(pl.Date))
            .alias("onset"),
            pl.when((began > 0) & (start > 0)).then(began - start).alias("onset_days"),
            *(names.gather(cases["stratum"]) for names in of_stratum.values()),
            professional.gather(cases["origin"]).alias("by_professional"),
        )
        .sort("received", "case_id")
        .select(
            *("case_id", "received", "onset", "onset_days", *STRATUM),
            *("serious", "fatal", "life_threatening", "by_professional"),
        )
    )
