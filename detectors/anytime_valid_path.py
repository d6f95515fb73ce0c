"""The e-value of one pair day by day: where its evidence came from."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from detectors.anytime_valid import RATE_RATIOS
from detectors.anytime_valid_state import DayCounts

__all__ = ["evidence_path"]


def evidence_path(blocks: Iterable[DayCounts], drug: int, event: int) -> pl.DataFrame:
    """Return the e-value of a pair after each day that changed it.

    Parameters
    ----------
    blocks
        The counts of all days and blocks, in order: see `detectors.anytime_valid_state`.
    drug, event
        Codes of the pair.

    Returns
    -------
    polars.DataFrame
        One row a day with a case of the drug and one of the event in the same block, in order:
        `day` [date], `n_observed` [cases that day], `n_expected` [cases that its margins give],
        `n_so_far` [cases], `log_e_value` [nats] and `e_value` after the day.

    Notes
    -----
    The definition of `detectors.anytime_valid` for one pair, block by block; the last e-value is
    that of `e_values`, up to rounding. A day with a case of either only leaves the e-value as it
    is.

    Examples
    --------
    A day on which the only case of the event is the only one of the drug, of ten cases. For r = 10
    it gives 10 / (1 + 9/10), and the mean over the five rate ratios is 2.92:

    >>> from detectors.anytime_valid_state import daily_counts
    >>> rows = {"day": [19000, 19000], "drugs": [[4], [5]], "events": [[1], [2]], "n": [1, 9]}
    >>> evidence_path(daily_counts(pl.DataFrame(rows)), 4, 1).row(0)[1:]
    (1, 0.1, 1, 1.0703, 2.9163)
    """
    ratios = np.array(RATE_RATIOS)
    log_terms = np.zeros(len(ratios))
    days: dict[int, tuple[int, float, float]] = {}
    for block in blocks:
        margins = block.margins
        n_drug = _number(margins.drugs, margins.n_drug, drug)
        n_event = _number(margins.events, margins.n_event, event)
        if not n_drug or not n_event:
            continue
        observed = _number(block.pairs, block.n_observed, drug << 32 | event)
        fewer, more = sorted((n_drug, n_event))
        cost = fewer * np.log1p((ratios - 1) * (more / margins.n_total))
        log_terms += observed * np.log(ratios) - cost
        n_before, expected_before, _ = days.get(margins.day, (0, 0.0, 0.0))
        log_e = float(np.logaddexp.reduce(log_terms) - np.log(len(ratios)))
        expected = expected_before + n_drug * n_event / margins.n_total
        days[margins.day] = (n_before + observed, expected, log_e)
    rows = [(day, n, expected, log_e) for day, (n, expected, log_e) in days.items()]
    columns = {
        "day": pl.Int32,
        "n_observed": pl.Int64,
        "n_expected": pl.Float64,
        "log_e_value": pl.Float64,
    }
    return pl.DataFrame(rows, schema=columns, orient="row").select(
        pl.col("day").cast(pl.Date),
        "n_observed",
        "n_expected",
        pl.col("n_observed").cum_sum().alias("n_so_far"),
        "log_e_value",
        pl.col("log_e_value").exp().alias("e_value"),
    )


def _number(codes: np.ndarray, counts: np.ndarray, code: int) -> int:
    place = int(np.searchsorted(codes, code))
    return int(counts[place]) if place < len(codes) and codes[place] == code else 0
