"""Cases of drugs in a range of days, by hand."""

import numpy as np

from streams.core.counting.recent_cases import cases_naming
from tests.support.counted_window import DAY, CountedWindow


def test_a_case_counts_once_for_each_drug_on_its_day() -> None:
    counted = CountedWindow()
    counted.count(["A"], ["zinc", "iron"], ["Rash"], day=DAY - 3)
    counted.count(["B"], ["zinc"], ["Rash", "Fever"], day=DAY - 2)
    counted.count(["C"], ["iron"], ["Fever"], day=DAY)
    zinc, iron = (counted.key(drug, "Rash") >> 32 for drug in ("zinc", "iron"))
    asked = np.array([iron, zinc, 99])  # nobody reported the last one

    def between(first: int, last: int) -> list[int]:
        return cases_naming(counted.log, asked, first, last).tolist()

    assert between(DAY - 3, DAY) == [2, 2, 0]
    assert between(DAY - 2, DAY) == [1, 1, 0]
    assert between(DAY - 2, DAY - 1) == [0, 1, 0]
    assert between(DAY + 1, DAY + 9) == [0, 0, 0]
    assert cases_naming(counted.log, asked[:0], DAY - 3, DAY).tolist() == []
