"""Fewest removals: bounds that meet, groups, large pairs, and what is only an upper bound."""

from pathlib import Path

import numpy as np
import pytest

from detectors.case_removal import (
    CasesInTest,
    Margins,
    PairCases,
    Removals,
    in_one_order,
    weakest_removals,
    without,
)
from detectors.fragility import (
    MOST_REMOVED,
    Fewest,
    Fragilities,
    Search,
    Traits,
    fewest_removals,
    traits_of,
)
from detectors.rules import load_rules

IN_STRATA = Traits(of_pair=True, bounded=True, uses_strata=True, uses_days=False)
BY_NUMBER = Traits(of_pair=True, bounded=True, uses_strata=False, uses_days=False)


def margins(*tables: tuple[int, int, int]) -> Margins:
    return Margins(*np.array(tables, dtype=np.float64).T)


def pair_in(stratum: list[int], strata: Margins) -> PairCases:
    expected = float((strata.n_drug * strata.n_event / strata.n_total).sum())
    return PairCases(expected, np.array(stratum), strata, {})


def one_stratum(n: int) -> PairCases:
    return pair_in([0] * n, margins((n, n, 10 * n)))


def found(
    pair: PairCases, held_above: float, *, traits: Traits = IN_STRATA, groups: tuple = ()
) -> Fragilities:
    """Search with a rule that holds while observed cases per expected one are above a number."""

    def held(places: np.ndarray, removals: Removals) -> np.ndarray:
        observed = pair.n_cases - removals.n_removed
        return (observed > held_above * removals.expected).astype(np.int64)

    every = np.ones(pair.n_cases, dtype=np.bool_)
    (result,) = fewest_removals([Search(0, pair, (0,), every, groups)], held, {0: traits})
    return result


def test_the_cases_of_the_stratum_with_few_expected_are_removed_first() -> None:
    # Without a case the first stratum expects 1/3, not 1; the second 81/999, not 0.1.
    pair = pair_in([0, 0, 1, 1], margins((2, 2, 4), (10, 10, 1000)))
    weakest = weakest_removals(pair, np.ones(4, dtype=np.bool_), 1, 4)
    assert weakest.bounds.expected.tolist() == pytest.approx(
        [1 + 81 / 999, 1 + 64 / 998, 1 / 3 + 64 / 998, 64 / 998]
    )
    assert weakest.removals.tolist()[:2] == [[0, 0, 1, 0], [0, 0, 1, 1]]
    assert without(pair, weakest.removals).expected.tolist() == pytest.approx(
        weakest.bounds.expected.tolist()
    )


def test_a_stratum_left_without_cases_expects_none() -> None:
    pair = pair_in([0, 0], margins((2, 2, 2)))
    every = np.ones((1, 2), dtype=np.bool_)
    assert without(pair, every).expected.tolist() == [0.0]


def test_the_fewest_cases_are_exact_where_a_removal_reaches_the_bound() -> None:
    pair = pair_in([0, 0, 1, 1], margins((2, 2, 4), (10, 10, 1000)))
    # 4 / 1.1, 3 / 1.081, 2 / 1.064, 1 / 0.398
    assert found(pair, 2.8).cases == {0: Fewest(1, is_exact=True)}
    assert found(pair, 2).cases == {0: Fewest(2, is_exact=True)}
    assert found(pair, 1.8).cases == {0: Fewest(4, is_exact=True)}
    assert found(pair, -1).cases == {0: Fewest(None, is_exact=True)}


def test_a_rule_that_no_removal_turns_off_has_no_number() -> None:
    pair = one_stratum(3)

    def held(places: np.ndarray, removals: Removals) -> np.ndarray:
        return np.ones(len(places), dtype=np.int64)

    groups = (np.eye(3, dtype=np.bool_), np.zeros((0, 3), dtype=np.bool_))
    search = Search(0, pair, (0,), np.ones(3, dtype=np.bool_), groups)
    (result,) = fewest_removals([search], held, {0: IN_STRATA})
    assert result.cases == {0: Fewest(None, is_exact=True)}
    assert [each[0].n for each in result.groups] == [None, None]


def test_only_allowed_cases_are_removed() -> None:
    pair = pair_in([0, 0, 1, 1], margins((2, 2, 4), (10, 10, 1000)))
    allowed = np.array([True, True, False, False])
    assert weakest_removals(pair, allowed, 1, 2).bounds.expected.tolist() == pytest.approx(
        [1 / 3 + 0.1, 0.1]
    )


def test_groups_are_tried_together() -> None:
    pair = one_stratum(6)
    groups = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 1]], dtype=np.bool_)
    # 6 / 0.6 and 3 / 0.158: with 5 removed 1 / 0.018.
    assert found(pair, 1000, groups=(groups,)).groups == ({0: Fewest(1, is_exact=True)},)
    by_number = found(pair, 1.5, traits=BY_NUMBER, groups=(groups,))
    assert by_number.groups == ({0: Fewest(3, is_exact=True)},)


def test_many_groups_have_a_bound_from_the_largest() -> None:
    n = 60
    pair = PairCases(6.0, np.zeros(n, dtype=np.int64), margins((0, 0, 0)), {})
    groups = np.repeat(np.eye(20, dtype=np.bool_), 3, axis=1)
    # Off with 30 cases or fewer: ten groups of three, and nine have too few cases.
    result = found(pair, 5, traits=BY_NUMBER, groups=(groups,))
    assert result.cases == {0: Fewest(30, is_exact=True)}
    assert result.groups == ({0: Fewest(10, is_exact=True)},)
    of_all_pairs = BY_NUMBER._replace(of_pair=False)
    assert found(pair, 5, traits=of_all_pairs, groups=(groups,)).groups[0][0] == (10, False)


def test_beyond_the_search_a_number_is_exact_only_of_a_rule_on_the_number_of_cases() -> None:
    n = MOST_REMOVED + 100
    alike = PairCases(1.0, np.zeros(n, dtype=np.int64), margins((0, 0, 0)), {})
    assert found(alike, 50, traits=BY_NUMBER).cases == {0: Fewest(n - 50, is_exact=True)}
    pair = pair_in([0] * n, margins((2 * n, 2 * n, 40 * n)))
    n_off, is_exact = found(pair, 5).cases[0]
    assert not is_exact
    exact = next(k for k in range(n) if (n - k) <= 5 * (2 * n - k) ** 2 / (40 * n - k))
    assert exact <= n_off <= exact * 1.1 + 1


def test_cases_of_one_report_leave_the_test_together() -> None:
    terms = np.log(np.array([1.5, 2, 3, 5, 10]))
    of_test = CasesInTest(terms, np.array([0, 0, 1]), np.array([0, 0, 0]), margins((2, 2, 9)))
    pair = PairCases(0.0, np.zeros(3, dtype=np.int64), margins((0, 0, 0)), {"blocks": of_test})
    rows = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=np.bool_)
    log_e = without(pair, rows).log_e["blocks"]
    assert log_e[0] == pytest.approx(np.log(np.mean([1.5, 2, 3, 5, 10])))
    assert log_e[1] == pytest.approx(log_e[2])
    assert np.isnan(log_e[3])
    before, after = (
        cost * np.log1p((np.array([1.5, 2, 3, 5, 10]) - 1) * cost / n)
        for cost, n in ((2, 9), (1, 8))
    )
    assert log_e[1] == pytest.approx(np.log(np.mean(np.exp(before - after))))


def test_one_order_removes_each_part_before_the_next() -> None:
    pair = pair_in([0, 0, 1, 1], margins((2, 2, 4), (10, 10, 1000)))
    rows = in_one_order(pair, np.ones(4, dtype=np.bool_), np.array([1, 3]))
    assert rows.tolist() == [[0, 0, 1, 0], [1, 0, 1, 1]]


@pytest.mark.parametrize(
    ("comparison", "traits"),
    [
        ('statistic = "prr", op = ">=", value = 2', (True, True, False, False)),
        ('statistic = "ic_lower_adjusted", op = ">", value = 0', (True, True, True, False)),
        ('statistic = "ic_upper_adjusted", op = "<", value = 0', (True, False, True, False)),
        ('statistic = "expected_adjusted", op = ">=", value = 1', (True, False, True, False)),
        ('statistic = "e_value", op = ">=", value = 8', (True, True, False, True)),
        ('statistic = "e_bh_level", op = "<=", value = 0.1', (False, True, False, True)),
        (
            'statistic = "e_value_budgeted", op = ">=", value = 8, exit = 0',
            (True, True, False, True),
        ),
        ('statistic = "e_value_budgeted", op = ">=", value = 8', (False, True, False, True)),
    ],
)
def test_traits_follow_from_statistics_and_inequalities(
    comparison: str, traits: tuple[bool, ...], tmp_path: Path
) -> None:
    path = tmp_path / "rule.toml"
    path.write_text(
        f'one = {{ title = "t", source = "s", all = [{{ {comparison} }}] }}', encoding="utf-8"
    )
    assert traits_of(load_rules(path).rules[0]) == traits
