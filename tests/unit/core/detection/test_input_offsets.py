"""Offsets of deltas: each is counted once, and a gap stops the detector."""

import pytest

from schemas.delta import Delta
from schemas.errors import StateError
from streams.core.detection.input_offsets import is_next
from tests.support.deltas import make_delta


def delta(first: int, following: int, partition: int = 0) -> Delta:
    return make_delta(first, [], next_offset=following, partition=partition)


def test_deltas_that_follow_one_another_are_new_and_repeated_ones_are_not() -> None:
    offsets: dict[int, int] = {}
    assert is_next(delta(5, 8), offsets, "reports")  # the first may begin anywhere
    assert is_next(delta(8, 9), offsets, "reports")
    assert not is_next(delta(5, 8), offsets, "reports")
    assert not is_next(delta(8, 9), offsets, "reports")
    assert is_next(delta(0, 3, partition=1), offsets, "reports")
    assert offsets == {0: 9, 1: 3}


@pytest.mark.parametrize(("first", "following"), [(9, 12), (7, 9), (0, 9)])
def test_a_gap_or_an_overlap_in_part_is_refused_and_nothing_moves(
    first: int, following: int
) -> None:
    offsets = {0: 8}
    with pytest.raises(
        StateError,
        match=rf"^detector: deltas of reports\[0\] must follow one another from offset 8; "
        rf"got \[{first}, {following}\)$",
    ):
        is_next(delta(first, following), offsets, "reports")
    assert offsets == {0: 8}
