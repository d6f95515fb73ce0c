"""Cases of each drug in the latest days, from the log of cases."""

import numpy as np

from streams.core.counting.arrays import flattened
from streams.core.counting.case_log import CaseLog
from streams.core.counting.sorted_counts import Counts, Keys

__all__ = ["cases_naming"]


def cases_naming(log: CaseLog, drugs: Keys, first_day: int, last_day: int) -> Counts:
    """Return the number of cases that name each drug, received in a range of days, ends included.

    The cost is that of the cases of these days, whatever the number of drugs.

    Parameters
    ----------
    drugs
        Codes, in any order.
    first_day, last_day
        Days since 1970-01-01.
    """
    rows = log.between(first_day, last_day)
    codes, first, after = flattened(rows["drugs"])
    n = np.repeat(rows["n"].to_numpy(), after - first)
    # float64 sums of integers below 2**53 are exact
    sums = np.bincount(codes, weights=n, minlength=int(drugs.max(initial=0)) + 1)
    return sums[drugs].astype(np.int64)
