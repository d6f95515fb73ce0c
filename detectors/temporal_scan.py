"""The temporal scan statistic: tests whether a unit's cases cluster in time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from detectors.arguments import require_whole, whole_numbers
from schemas.errors import InputError

__all__ = ["Scan", "bernoulli_llr", "temporal_scan"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_TIE = 1e-9  # likelihood ratios closer than this are equal but for rounding [nats]


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """The best window of every unit that has one: arrays, one entry a unit, by unit code."""

    unit: Ints
    first_day: Ints
    last_day: Ints
    n_cases: Ints
    n_reports: Ints
    llr: Floats  # [nats]
    p_value: Floats


def bernoulli_llr(n_cases: Ints, n_reports: Ints, *, all_cases: int, all_reports: int) -> Floats:
    """Log-likelihood ratio of two rates, inside and outside a window, against one rate.

    Parameters
    ----------
    n_cases, n_reports
        Cases and reports inside each window.
    all_cases, all_reports
        Cases and reports inside and outside.

    Returns
    -------
    numpy.ndarray
        Log-likelihood ratio [nats]; 0 where the rate inside is not the higher one.

    Raises
    ------
    InputError
        If a number is not whole, a window has no report, or there are more cases than reports,
        inside or outside.

    Notes
    -----
    With c of n reports inside and C of N altogether::

        c ln(c/n) + (n-c) ln(1 - c/n) + (C-c) ln(q) + (N-n-C+c) ln(1 - q)
        - C ln(C/N) - (N-C) ln(1 - C/N)                  q = (C-c) / (N-n), 0 ln 0 = 0

    A window that holds all reports: 0.

    References
    ----------
    .. [1] Kulldorff M (1997). A spatial scan statistic. Communications in Statistics: Theory and
       Methods 26(6), 1481-1496. doi:10.1080/03610929708831995. (Not read.)

    Examples
    --------
    Both cases among two of eight reports: 2 ln 4 + 6 ln(4/3):

    >>> bernoulli_llr(np.array([2]), np.array([2]), all_cases=2, all_reports=8).item()
    4.4987
    """
    c, n = _require_parts(n_cases, n_reports, all_cases, all_reports)
    inside = c / n
    outside = np.divide(all_cases - c, all_reports - n, where=n < all_reports, out=np.ones_like(c))
    overall = all_cases / all_reports
    llr = (
        xlogy(c, inside)
        + xlogy(n - c, 1 - inside)
        + xlogy(all_cases - c, outside)
        + xlogy(all_reports - n - (all_cases - c), 1 - outside)
        - xlogy(all_cases, overall)
        - xlogy(all_reports - all_cases, 1 - overall)
    )
    return np.where(inside > outside, llr, 0.0)


def temporal_scan(
    unit: Ints,
    day: Ints,
    report: Ints,
    is_case: NDArray[np.bool_],
    *,
    within_days: int,
    replicates: int,
    rng: np.random.Generator,
) -> Scan:
    """Find each unit's most unusual stretch of days, and how unusual it is among all of them.

    Works from two cases on: nothing in it is asymptotic. Scanned again and again as reports come,
    some p-value becomes small by chance: use it to assess a suspicion, not to raise one.

    Parameters
    ----------
    unit, day, report
        One entry a report and unit it names: unit code, day, and which report it is. Codes count
        from 0. A report may name several units, or none and then has no entry.
    is_case
        Whether each report is a case of the event family; every report of the comparison.
    within_days
        Longest stretch scanned: last day minus first day [days].
    replicates
        Random placements of the cases among the reports, 1 or more.
    rng
        Source of the placements.

    Returns
    -------
    Scan
        For each unit, the window with the largest likelihood ratio (of equal ones the first), if
        two cases or more in it exceed the rate outside.

    Raises
    ------
    InputError
        If `within_days` or `replicates` is not a whole number, the first is negative or the second
        less than 1, or the entries are not whole numbers, as many of each, of known reports.

    Notes
    -----
    Bernoulli model: under the null the cases are a random sample of the reports. Every window of
    one unit that begins and ends on a day of its reports is scored by `bernoulli_llr`; fewer than
    two cases score 0. The p-value compares with the largest score over *all* units in each
    placement, so it accounts for the choice of unit, days and length::

        p = (1 + placements whose largest score is at least this) / (1 + placements)

    References
    ----------
    .. [1] Kulldorff M (1997). A spatial scan statistic. Communications in Statistics: Theory and
       Methods 26(6), 1481-1496. doi:10.1080/03610929708831995. (Not read.)
    .. [2] Dwass M (1957). Modified randomization tests for nonparametric hypotheses. Annals of
       Mathematical Statistics 28(1), 181-187. (Not read.)

    Examples
    --------
    Two cases on neighbouring days in unit 0, six other reports a week apart in unit 1. Only one of
    28 placements puts both in unit 0 and none puts two cases within a day in unit 1:

    >>> unit, day = np.array([0, 0, 1, 1, 1, 1, 1, 1]), np.array([3, 4, 7, 14, 21, 28, 35, 42])
    >>> scan = temporal_scan(unit, day, np.arange(8), np.arange(8) < 2, within_days=1,
    ...     replicates=9999, rng=np.random.default_rng(1))
    >>> scan.unit.tolist(), scan.n_cases.tolist(), 0.03 < scan.p_value.item() < 0.04
    ([0], [2], True)
    """
    where = "temporal_scan"
    require_whole(within_days, "within_days", where=where, least=0)
    require_whole(replicates, "replicates", where=where, least=1)
    unit, report = (
        whole_numbers(codes, name, where=where)
        for codes, name in ((unit, "unit"), (report, "report"))
    )
    day = whole_numbers(day, "day", where=where, least=-(2**31))
    if not len(unit) == len(day) == len(report) or report.max(initial=-1) >= len(is_case):
        msg = (
            f"{where}: unit, day and report must be as many each, and every report one of is_case; "
            f"got {len(unit)}, {len(day)}, {len(report)}, and report {report.max(initial=-1)} of "
            f"{len(is_case)}"
        )
        raise InputError(msg)
    order = np.lexsort((report, day, unit))
    unit, day, report = unit[order], day[order], report[order]
    first, end = _windows(unit, day, within_days)
    n_reports = end - first
    sizes, size_at = np.unique(n_reports, return_inverse=True)
    scores = _scores(sizes, n_cases=int(is_case.sum()), n_reports=len(is_case))

    def score(labels: NDArray[np.bool_]) -> tuple[Ints, Floats]:
        before = np.concatenate([[0], np.cumsum(labels[report])])
        n_cases: Ints = before[end] - before[first]
        return n_cases, scores[n_cases, size_at]

    n_cases, llr = score(is_case)
    largest = np.array(
        [score(rng.permutation(is_case))[1].max(initial=0.0) for _ in range(replicates)]
    )
    ranked = np.lexsort((-llr, unit[first]))
    _, best_at = np.unique(unit[first][ranked], return_index=True)
    best = ranked[best_at]
    best = best[llr[best] > 0]
    as_large = np.sum(largest[:, None] >= llr[best] - _TIE, axis=0)
    return Scan(
        unit=unit[first[best]],
        first_day=day[first[best]],
        last_day=day[end[best] - 1],
        n_cases=n_cases[best],
        n_reports=n_reports[best],
        llr=llr[best],
        p_value=(1 + as_large) / (1 + replicates),
    )


def _require_parts(
    n_cases: Ints, n_reports: Ints, all_cases: int, all_reports: int
) -> tuple[Floats, Floats]:
    where = "bernoulli_llr"
    c = whole_numbers(n_cases, "n_cases", where=where)
    n = whole_numbers(n_reports, "n_reports", where=where, least=1)
    cases = require_whole(all_cases, "all_cases", where=where, least=0)
    reports = require_whole(all_reports, "all_reports", where=where, least=1)
    c, n = np.broadcast_arrays(c, n)
    bad = (c > n) | (c > cases) | (cases - c > reports - n)
    if np.any(bad):
        msg = (
            f"{where}: cases must be some of the reports, inside and outside of the window; got "
            f"{c[bad].flat[0]} of {n[bad].flat[0]} inside, {cases} of {reports} altogether"
        )
        raise InputError(msg)
    return c.astype(np.float64), n.astype(np.float64)


def _windows(unit: Ints, day: Ints, within_days: int) -> tuple[Ints, Ints]:
    """Return the entries [first, end) of each stretch of whole days within one unit."""
    starts = np.ones(len(unit), dtype=bool)  # the first entry of each unit and day
    starts[1:] = (np.diff(unit) != 0) | (np.diff(day) != 0)
    opening = np.flatnonzero(starts)
    closing = np.append(opening[1:], len(unit))
    units, days = unit[opening], day[opening]
    # Codes of units are spread so far apart that no window reaches from one into the next.
    line = days + units * (int(np.ptp(days)) + within_days + 1) if len(days) else days
    reach = np.searchsorted(line, line + within_days, side="right")
    lengths = reach - np.arange(len(line))
    first_at = np.repeat(np.arange(len(line)), lengths)
    last_at = first_at + np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return opening[first_at], closing[last_at]


def _scores(sizes: Ints, *, n_cases: int, n_reports: int) -> Floats:
    """Tabulate the score by cases in the window (rows) and size of the window (columns)."""
    most = min(n_cases, int(sizes.max(initial=0)))
    table = np.zeros((most + 1, len(sizes)))
    for cases in range(2, most + 1):
        possible = (sizes >= cases) & (n_reports - sizes >= n_cases - cases)
        table[cases, possible] = bernoulli_llr(
            np.full(np.count_nonzero(possible), cases),
            sizes[possible],
            all_cases=n_cases,
            all_reports=n_reports,
        )
    return table
