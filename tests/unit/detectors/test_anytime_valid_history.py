"""The past of a pair that is first reported today, beside the costs added block by block."""

import math

import numpy as np
import pytest

from detectors.anytime_valid import RATE_RATIOS
from detectors.anytime_valid_history import MarginHistory
from detectors.anytime_valid_state import DayMargins

RATIOS = np.array(RATE_RATIOS)
N_DAYS = 2_500  # more than two indexes hold


def margins(rng: np.random.Generator, day: int) -> DayMargins:
    def some(codes: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = np.sort(rng.choice(codes, rng.integers(0, codes), replace=False))
        return chosen.astype(np.int64), rng.integers(1, 9, len(chosen))

    return DayMargins(day, 20, *some(4), *some(5))


def test_costs_are_the_sum_in_order_over_all_blocks() -> None:
    rng = np.random.default_rng(7)
    days = [margins(rng, day) for day in range(N_DAYS)]
    history = MarginHistory()
    for day in days:
        history = history.followed_by([day])
    assert len(history.sealed) == 2
    assert history.drugs.tolist() == [0, 1, 2, 3]
    pairs = np.array([drug << 32 | event for drug in range(4) for event in range(5)])
    costs = history.costs(pairs, RATIOS)
    for at, pair in enumerate(pairs.tolist()):
        for row, ratio in enumerate(RATE_RATIOS):
            total = 0.0
            for day in days:
                n_drug = dict(zip(day.drugs.tolist(), day.n_drug.tolist(), strict=True))
                n_event = dict(zip(day.events.tolist(), day.n_event.tolist(), strict=True))
                fewer, more = sorted((n_drug.get(pair >> 32, 0), n_event.get(pair & 7, 0)))
                total += fewer * math.log1p((ratio - 1) * (more / 20))
            assert costs[row, at] == pytest.approx(total, rel=1e-12)


def test_a_pair_of_unknown_names_has_no_past() -> None:
    history = MarginHistory().followed_by([margins(np.random.default_rng(1), 3)])
    assert history.costs(np.array([9 << 32 | 9]), RATIOS).tolist() == [[0.0]] * len(RATIOS)
    assert MarginHistory().costs(np.array([0]), RATIOS).tolist() == [[0.0]] * len(RATIOS)
    assert history.followed_by([]) is history


def test_margins_are_those_of_the_block_and_0_where_it_has_none() -> None:
    rng = np.random.default_rng(11)
    blocks = [margins(rng, day) for day in range(N_DAYS)]
    history = MarginHistory()
    for block in blocks:
        history = history.followed_by([block])
    days = np.array([0, 1_500, N_DAYS - 1, N_DAYS])
    for drug, event in ((0, 0), (3, 4), (2, 1), (9, 9)):
        pairs = np.full(len(days), drug << 32 | event)
        found = history.margins(pairs, days, np.zeros(len(days), dtype=np.int64))
        for at, day in enumerate(days.tolist()[:-1]):
            n_drug = dict(zip(blocks[day].drugs.tolist(), blocks[day].n_drug.tolist(), strict=True))
            n_event = dict(
                zip(blocks[day].events.tolist(), blocks[day].n_event.tolist(), strict=True)
            )
            assert found[:, at].tolist() == [n_drug.get(drug, 0), n_event.get(event, 0), 20]
        assert found[:, -1].tolist() == [0, 0, 0]
        other_block = history.margins(pairs[:1], days[:1], np.array([1]))
        assert other_block.tolist() == [[0], [0], [0]]
