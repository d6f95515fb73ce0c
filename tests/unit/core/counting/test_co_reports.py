"""Groups of products from the log of cases, against a recount of the cases that are left."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from detectors.bystanders import ProductGroups
from streams.core.counting.adjusted_margins import AdjustedMargins
from streams.core.counting.case_log import CaseLog
from streams.core.counting.co_reports import co_reported, product_groups
from streams.core.counting.count_changes import CountChanges
from tests.support.frames import log_row, make_log

PRODUCTS = [("alum", 2), ("iron", 0), ("zinc", 1)]  # codes by order of arrival, not of the names
EVENT = 1
DAYS = [0, 40, 100, 200]
Row = dict[str, Any]


def _history(seed: int) -> list[list[Row]]:
    """Draw parts of a log; a third of the cases leave again, some of them to come back."""
    random = np.random.default_rng(seed)
    parts: list[list[Row]] = []
    seq, left = 0, dict[str, Row]()
    for part in range(9):  # the log has merged seven; two leave their retractions in it
        rows = []
        for number in range(12):
            drugs = random.choice(4, random.integers(1, 4), replace=False).tolist()
            events = random.choice(3, random.integers(1, 3), replace=False).tolist()
            fields = {"day": int(random.choice(DAYS)), "block": int(random.integers(3))}
            row = log_row(
                seq, case_id=f"{part}-{number}", drugs=sorted(drugs), events=sorted(events)
            )
            left[row["case_id"]] = row | fields
            rows.append(row | fields)
            seq += 1
        for case_id in list(left)[::3]:
            rows.append(left.pop(case_id) | {"seq": seq, "n": -1})
            seq += 1
        parts.append(rows)
    return parts


def _counted(parts: Sequence[Sequence[Row]]) -> tuple[CaseLog, AdjustedMargins, list[Row]]:
    log, margins, present = CaseLog(), AdjustedMargins(), dict[str, Row]()
    for rows in parts:
        log.append(make_log(rows))
        margins.fold(CountChanges.of(make_log(rows)))
        for row in rows:
            if row["n"] > 0:
                present[row["case_id"]] = row
            else:
                del present[row["case_id"]]
    return log, margins, list(present.values())


def _groups(groups: ProductGroups) -> Counter[tuple[Any, ...]]:
    columns = (groups.named.tolist(), groups.stratum, groups.n_total, groups.n_event)
    found = Counter[tuple[Any, ...]]()
    for named, stratum, n_total, n_event in zip(*columns, strict=True):
        found[tuple(named), int(stratum), int(n_total), int(n_event)] += 1
    return found


def _expected(cases: Sequence[Row]) -> Counter[tuple[Any, ...]]:
    def stratum(case: Row) -> tuple[int, int]:
        return [0, 0, 1, 2][DAYS.index(case["day"])], case["block"]  # quarters of 1970

    strata = sorted({stratum(case) for case in cases})
    total, event = Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()
    for case in cases:
        named = tuple(code in case["drugs"] for _, code in PRODUCTS)
        group = (named, strata.index(stratum(case)))
        total[group] += 1
        event[group] += EVENT in case["events"]
    return Counter((*group, n, event[group]) for group, n in total.items())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_groups_are_those_of_the_cases_that_are_left(seed: int) -> None:
    log, margins, cases = _counted(_history(seed))
    groups = product_groups(log, margins, PRODUCTS, EVENT, (None, 200))
    assert groups.products == ("alum", "iron", "zinc")
    assert any((run.rows["n"] < 0).any() for run in log.runs)
    assert _groups(groups) == _expected(cases)
    assert 0 < sum(EVENT in case["events"] for case in cases) < len(cases)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_window_has_the_cases_of_its_days(seed: int) -> None:
    parts = _history(seed)
    log, _, cases = _counted(parts)
    window = AdjustedMargins()
    for rows in parts:
        inside = [row for row in rows if 40 <= row["day"] <= 100]
        window.fold(CountChanges.of(make_log(inside)))
    within = [case for case in cases if 40 <= case["day"] <= 100]
    assert _groups(product_groups(log, window, PRODUCTS, EVENT, (40, 100))) == _expected(within)
    ((codes, n),) = co_reported(log, np.array([1 << 32 | EVENT]), 40, 100)
    assert dict(zip(codes.tolist(), n.tolist(), strict=True)) == _named(within, drug=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_products_of_the_cases_of_each_pair(seed: int) -> None:
    log, _, cases = _counted(_history(seed))
    pairs = [drug << 32 | EVENT for drug in (0, 1, 9)]
    found = co_reported(log, np.array(pairs), None, 200)
    for drug, (codes, n) in zip((0, 1, 9), found, strict=True):
        assert codes.tolist() == sorted(codes.tolist())
        assert dict(zip(codes.tolist(), n.tolist(), strict=True)) == _named(cases, drug=drug)


def test_without_a_pair_or_a_case_nothing_is_found() -> None:
    log, margins, _ = _counted(_history(1)[:1])
    assert co_reported(log, np.empty(0, dtype=np.int64), None, 0) == []
    assert [codes.tolist() for codes, _ in co_reported(CaseLog(), np.array([3]), None, 0)] == [[]]
    nothing = product_groups(CaseLog(), AdjustedMargins(), PRODUCTS, EVENT, (None, 0))
    assert nothing.n_total.tolist() == []
    assert margins.of_event(99)[2].tolist() == [0] * len(margins.of_event(99)[0])


def _named(cases: Sequence[Row], drug: int) -> dict[int, int]:
    both = [case for case in cases if drug in case["drugs"] and EVENT in case["events"]]
    return dict(Counter(code for case in both for code in case["drugs"]))
