"""The log of counted cases: days, merges, cancellation, and the cases of a pair."""

import numpy as np
import polars as pl
import pytest

from streams.core.counting import case_log
from streams.core.counting.case_log import CASE_LOG, CaseLog
from tests.support.frames import log_row, make_log

Row = tuple[int, int, str, int, list[int], list[int]]


def _rows(*rows: Row) -> pl.DataFrame:
    """Rows of (seq, day, case, n, drugs, events)."""
    return make_log(
        log_row(seq, day=day, case_id=case, n=n, drugs=drugs, events=events)
        for seq, day, case, n, drugs, events in rows
    )


def _log(*batches: pl.DataFrame) -> CaseLog:
    log = CaseLog()
    for batch in batches:
        log.append(batch)
    return log


def _key(drug: int, event: int) -> int:
    return drug << 32 | event


def test_an_empty_log_has_its_columns() -> None:
    log = _log(_rows())
    assert dict(log.rows().schema) == dict(CASE_LOG)
    assert log.between(None, 10).height == 0
    cases = log.cases_of(np.array([_key(0, 0)]), None, 10)
    assert cases.columns == [
        *("key", "case_id", "day", "stratum", "block", "serious", "fatal"),
        *("origin", "indications", "completeness", "suspected_duplicate"),
        *("life_threatening", "course", "began", "at"),
    ]
    assert cases.height == 0


def test_days_are_taken_with_both_ends_and_open_to_the_past() -> None:
    log = _log(
        _rows((0, 5, "A", 1, [0], [0]), (1, -3, "B", 1, [0], [0])),
        _rows((2, 6, "C", 1, [0], [0])),
    )

    def names(first: int | None, last: int) -> list[str]:
        return sorted(log.between(first, last)["case_id"])

    assert names(None, 5) == ["A", "B"]
    assert names(5, 6) == ["A", "C"]
    assert names(-3, -3) == ["B"]
    assert names(7, 9) == []


def test_what_entered_and_left_cancels_across_runs() -> None:
    entered = [_rows((n, n, f"case {n}", 1, [0], [0])) for n in range(6)]
    left = [_rows((6 + n, n, f"case {n}", -1, [0], [0])) for n in range(5)]
    log = _log(*entered, *left)
    assert log.rows()["case_id"].to_list() == ["case 5"]
    assert [_log(*rows).n_cases for rows in ((), entered, [*entered, *left])] == [0, 6, 1]
    assert log.between(None, 10)["n"].sum() == 1


def test_a_case_that_moves_keeps_only_its_last_form() -> None:
    log = _log(
        _rows((0, 5, "A", 1, [0], [0])),
        _rows((1, 5, "A", -1, [0], [0]), (2, 9, "A", 1, [1], [0])),
        _rows((3, 9, "A", -1, [1], [0]), (4, 5, "A", 1, [0], [1])),
    )
    assert log.rows().select("seq", "day").rows() == [(4, 5)]


def test_a_retraction_of_an_older_run_is_not_lost_in_a_merge_of_newer_ones() -> None:
    many = _rows((0, 1, "A", 1, [0], [0]), *((n, n, f"B{n}", 1, [0], [0]) for n in range(1, 40)))
    log = _log(many, _rows((50, 1, "A", -1, [0], [0])), _rows((51, 2, "A", 1, [0], [1])))
    found = log.rows().filter(pl.col("case_id") == "A")
    assert found.select("day", "n").rows() == [(2, 1)]
    assert log.between(1, 1).filter(pl.col("case_id") == "A")["n"].sum() == 0


def test_runs_stay_few() -> None:
    log = _log(*(_rows((n, n % 7, f"case {n}", 1, [n % 3], [0])) for n in range(200)))
    assert len(log._runs) <= 12  # three for every power of four
    assert log.rows().height == 200


@pytest.mark.parametrize("splits", [1, 2, 7])
def test_the_cases_of_a_pair_stand_and_are_within_the_days(splits: int) -> None:
    rows: list[Row] = [
        (0, 9, "B", 1, [0, 1], [0]),
        (1, 3, "C", 1, [0], [0, 1]),
        (2, 3, "A", 1, [0], [0]),
        (3, 9, "D", 1, [2], [0]),
        (4, 9, "B", -1, [0, 1], [0]),
        (5, 9, "B", 1, [1], [0]),
        (6, 20, "E", 1, [0], [0]),
    ]
    log = _log(*(_rows(*rows[at : at + splits]) for at in range(0, len(rows), splits)))
    keys = np.array([_key(1, 0), _key(0, 0), _key(0, 1), _key(7, 7)])
    found = log.cases_of(keys, None, 9).select("key", "case_id", "day").rows()
    assert sorted(found) == [
        (_key(0, 0), "A", 3),
        (_key(0, 0), "C", 3),
        (_key(0, 1), "C", 3),
        (_key(1, 0), "B", 9),
    ]
    later = log.cases_of(np.array([_key(0, 0)]), 4, 30)
    assert later.select("case_id", "day").rows() == [("E", 20)]
    assert log.numbers_of(np.sort(keys), None, 9).tolist() == [2, 1, 1, 0]
    assert log.numbers_of(np.sort(keys), 4, 30).tolist() == [1, 0, 1, 0]


def test_no_pairs_have_no_cases() -> None:
    log = _log(_rows((0, 0, "A", 1, [0], [0])))
    assert log.cases_of(np.empty(0, dtype=np.int64), None, 9).height == 0


def test_pairs_are_indexed_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    rows: list[Row] = [
        (
            *(at, int(random.integers(0, 9)), f"C{at:03}", 1),
            sorted(set(random.integers(0, 5, 2).tolist())),
            sorted(set(random.integers(0, 7, 3).tolist())),
        )
        for at in range(300)
    ]
    rows.append((300, 5, "C300", 1, [], [3]))
    rows.append((301, 5, "C301", 1, [2], []))
    keys = np.array([_key(drug, event) for drug in range(6) for event in range(8)])
    expected = sorted(
        (_key(drug, event), day, case)
        for _, day, case, _, drugs, events in rows
        for drug in drugs
        for event in events
        if 2 <= day <= 7
    )
    for portion in (1, 50, 1 << 19):
        monkeypatch.setattr(case_log, "_INDEXED_AT_ONCE", portion)
        log = _log(_rows(*rows[:200]), _rows(*rows[200:]))
        found = log.cases_of(keys, 2, 7).select("key", "day", "case_id").rows()
        assert sorted(found) == expected


def test_names_of_any_code_are_indexed() -> None:
    most = (1 << 31) - 1
    rows: list[Row] = [(at, 5, f"C{at}", 1, [at, most], [most - 1 - at, most]) for at in range(9)]
    log = _log(_rows(*rows))
    for at in range(9):
        found = log.cases_of(np.array([_key(at, most - 1 - at)]), None, 9)
        assert found["case_id"].to_list() == [f"C{at}"]
    assert log.cases_of(np.array([_key(most, most)]), None, 9).height == 9
    assert log.cases_of(np.array([_key(0, 0), _key(most - 1, most)]), None, 9).height == 0


def test_the_cases_of_a_pair_say_what_stands_beside_its_names() -> None:
    def rows(*those: tuple[int, str, int, list[int] | None, list[int] | None]) -> pl.DataFrame:
        names = {"day": 5, "drugs": [2, 7], "events": [1, 3, 4]}
        return make_log(
            log_row(seq, case_id=case, n=n, courses=courses, onsets=onsets, **names)
            for seq, case, n, courses, onsets in those
        )

    plain = rows((0, "A", 1, None, None), (1, "B", 1, None, None))
    stated = rows((2, "C", 1, [11, 12], None), (3, "D", 1, None, [21, 22, 23]))
    changed = rows((4, "B", -1, None, None), (5, "B", 1, [13, 14], [24, 0, 25]))
    for log in (_log(plain, stated, changed), _log(pl.concat([plain, stated, changed]))):
        found = log.cases_of(np.array([_key(7, 3), _key(2, 4)]), None, 9)
        assert sorted(found.select("key", "case_id", "course", "began").rows()) == [
            (_key(2, 4), "A", 0, 0),
            (_key(2, 4), "B", 13, 25),
            (_key(2, 4), "C", 11, 0),
            (_key(2, 4), "D", 0, 23),
            (_key(7, 3), "A", 0, 0),
            (_key(7, 3), "B", 14, 0),
            (_key(7, 3), "C", 12, 0),
            (_key(7, 3), "D", 0, 22),
        ]


def test_the_names_of_found_cases_are_those_of_their_rows() -> None:
    log = _log(
        _rows(*((seq, 5, f"C{seq}", 1, [0, seq + 1], [0]) for seq in range(20))),
        _rows((20, 6, "D", 1, [0, 7, 9], [0, 3])),
    )
    cases = log.cases_of(np.array([_key(0, 0)]), None, 9)
    drugs = {case_id: [0, int(case_id[1:]) + 1] for case_id in cases["case_id"] if case_id != "D"}
    for column, expected in (
        ("drugs", drugs | {"D": [0, 7, 9]}),
        ("events", {name: [0] for name in drugs} | {"D": [0, 3]}),
    ):
        places, codes = log.names_of(column, cases)
        found: dict[str, list[int]] = {}
        for place, code in zip(places.tolist(), codes.tolist(), strict=True):
            found.setdefault(cases["case_id"][place], []).append(code)
        assert found == expected
