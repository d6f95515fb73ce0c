"""The scan against brute force: every window, and every placement of the cases, one by one."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.temporal_scan import Scan, bernoulli_llr, temporal_scan
from schemas.errors import InputError

UNIT = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
DAY = np.array([5, 6, 30, 1, 2, 9, 9, 4, 5])
REPORT = np.array([0, 1, 2, 3, 4, 5, 6, 7, 0])  # report 0 names units 0 and 2
CASES = (0, 1, 5)
REPORTS = 10  # 8 and 9 name no unit


def labels(cases: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.isin(np.arange(REPORTS), cases)


def scan(replicates: int = 9999, within_days: int = 3) -> Scan:
    return temporal_scan(
        UNIT,
        DAY,
        REPORT,
        labels(CASES),
        within_days=within_days,
        replicates=replicates,
        rng=np.random.default_rng(4),
    )


def llr_by_hand(c: int, n: int, all_cases: int, all_reports: int) -> float:
    def part(k: int, of: int) -> float:
        return sum(x * math.log(x / of) for x in (k, of - k) if x)

    outside = all_reports - n
    if outside and c / n <= (all_cases - c) / outside:
        return 0.0
    return part(c, n) + part(all_cases - c, outside) - part(all_cases, all_reports)


def best_by_hand(cases: tuple[int, ...], within_days: int = 3) -> dict[int, tuple[float, int, int]]:
    best: dict[int, tuple[float, int, int]] = {}
    for unit in range(3):
        for first, last in product(range(40), repeat=2):
            if not 0 <= last - first <= within_days:
                continue
            inside = REPORT[(unit == UNIT) & (first <= DAY) & (last >= DAY)].tolist()
            c = sum(report in cases for report in inside)
            if c >= 2:
                llr = llr_by_hand(c, len(inside), len(cases), REPORTS)
                if llr > best.get(unit, (0.0, 0, 0))[0] + 1e-12:
                    best[unit] = (llr, c, len(inside))
    return best


def test_the_likelihood_ratio() -> None:
    shapes = [(c, n) for n in range(1, 9) for c in range(max(0, n - 5), min(n, 3) + 1)]
    c, n = (np.array(column) for column in zip(*shapes, strict=True))
    got = bernoulli_llr(c, n, all_cases=3, all_reports=8)
    expected = [llr_by_hand(*shape, 3, 8) for shape in shapes]
    assert got.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("within_days", [0, 1, 3, 39])
@pytest.mark.parametrize("cases", [CASES, (3, 4, 5, 6), (0, 7), (2,)])
def test_the_best_windows(cases: tuple[int, ...], within_days: int) -> None:
    found = temporal_scan(
        UNIT,
        DAY,
        REPORT,
        labels(cases),
        within_days=within_days,
        replicates=1,
        rng=np.random.default_rng(1),
    )
    expected = best_by_hand(cases, within_days)
    assert found.unit.tolist() == list(expected)
    assert found.llr.tolist() == pytest.approx([llr for llr, _, _ in expected.values()])
    assert found.n_cases.tolist() == [c for _, c, _ in expected.values()]
    assert found.n_reports.tolist() == [n for _, _, n in expected.values()]


def test_the_p_value_is_the_share_of_placements() -> None:
    """All 120 placements of three cases among ten reports."""
    found = scan()
    assert (found.unit.tolist(), found.first_day.tolist(), found.last_day.tolist()) == (
        [0],
        [5],
        [6],
    )
    placements = list(combinations(range(REPORTS), 3))
    largest = [max((llr for llr, _, _ in best_by_hand(p).values()), default=0) for p in placements]
    exact = np.mean([score >= found.llr[0] - 1e-9 for score in largest])
    assert found.p_value[0] == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 9999))


def test_p_values_under_the_null_are_what_they_say() -> None:
    """300 sets of 200 reports and 70 cases: enough that ties do not make the test conservative."""
    rng = np.random.default_rng(9)
    smallest = []
    for _ in range(300):
        unit, day = rng.integers(0, 3, 200), rng.integers(0, 60, 200)
        found = temporal_scan(
            unit,
            day,
            np.arange(200),
            rng.permutation(np.arange(200) < 70),
            within_days=20,
            replicates=39,
            rng=rng,
        )
        smallest.append(found.p_value.min(initial=1.0))
    at_most = np.mean(np.array(smallest) <= 0.1)
    assert at_most == pytest.approx(0.1, abs=3 * math.sqrt(0.1 * 0.9 / 300))


def test_order_and_seed_decide_nothing_and_everything() -> None:
    first = scan(99)
    shuffled = np.random.default_rng(0).permutation(len(UNIT))
    second = temporal_scan(
        UNIT[shuffled],
        DAY[shuffled],
        REPORT[shuffled],
        labels(CASES),
        within_days=3,
        replicates=99,
        rng=np.random.default_rng(4),
    )
    assert first.p_value.tolist() == second.p_value.tolist()
    assert first.first_day.tolist() == second.first_day.tolist()


def test_nothing_to_scan_gives_nothing() -> None:
    none = np.array([], dtype=np.int64)
    found = temporal_scan(
        none, none, none, labels(CASES), within_days=3, replicates=9, rng=np.random.default_rng(0)
    )
    assert len(found.unit) == 0


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(
        InputError, match="scan: within_days must be a whole number, 0 or more; got -1"
    ):
        scan(within_days=-1)
    with pytest.raises(
        InputError, match="scan: replicates must be a whole number, 1 or more; got 0"
    ):
        scan(replicates=0)
