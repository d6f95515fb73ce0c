"""Entry threshold of the alarm's e-value, which grows with the number of newly reported pairs.

Every pair that is reported for the first time is one more that may alarm by chance, and most false
alarms come in a pair's first year. A fixed threshold therefore gives most false alarms in the years
in which most pairs are new, such as that of a launch. Here the threshold follows them::

    T = max(8, 135 * new pairs / cases)

with both numbers of the last 365 days. A pair without an association has an e-value of at least T
with a chance of at most 1 / T on a day fixed beforehand (Markov), so of the pairs that opened in
the year at most ``new pairs / T``, hence at most one for 135 of its cases, are expected above T on
that day. That is no bound on the alarms of a year: a pair may pass T on any of its days, and T is
that of the day. The constants are those of an operating rule, chosen on permuted reports
(docs/adr/0040).
"""

from detectors.arguments import require_whole

__all__ = ["CASES_PER_FALSE_PAIR", "FLOOR", "PERIOD", "START", "START_FLOOR", "entry_threshold"]

PERIOD = 365
"""Days in which new pairs and cases are counted, the day of the test included."""

CASES_PER_FALSE_PAIR = 135.0
"""Cases of the period for each new pair that may stand above the threshold by chance."""

FLOOR = 8.0
"""The least threshold; also what an e-value at the threshold is scaled to."""

START = 730
"""Days from the first day with a case in which the threshold is constant: every pair is new then,
and the number of new pairs says nothing of a launch."""

START_FLOOR = 12.0
"""The threshold of these days."""


def entry_threshold(n_new_pairs: int, n_cases: int, days_of_data: int) -> float:
    """Return the e-value that a pair must reach to become an alarm.

    Parameters
    ----------
    n_new_pairs
        Pairs whose first case is of the last `PERIOD` days.
    n_cases
        Cases of the same days.
    days_of_data
        Days from the first one with a case to the last one tested, both included.

    Returns
    -------
    float
        At least 8; 12 in the first 730 days of data.

    Raises
    ------
    InputError
        If an argument is no whole number of 0 or more.

    Examples
    --------
    A year of 10,000 cases that opens 400 pairs, and one that opens 1,600:

    >>> entry_threshold(400, 10_000, 1_500), entry_threshold(1_600, 10_000, 1_500)
    (8.0, 21.6)
    """
    for name, value in (
        ("n_new_pairs", n_new_pairs),
        ("n_cases", n_cases),
        ("days_of_data", days_of_data),
    ):
        require_whole(value, name, where="entry_threshold", least=0)
    if days_of_data <= START:
        return START_FLOOR
    # Without a case in the period no pair is new either.
    return max(FLOOR, CASES_PER_FALSE_PAIR * n_new_pairs / max(n_cases, 1))
