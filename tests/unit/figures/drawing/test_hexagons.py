"""Density in hexagons."""

import math
import random
import re

import pytest

from streams.figures.drawing.hexagons import density_hexagons


def centres(drawn: list[str]) -> list[tuple[float, float]]:
    found = []
    for each in drawn:
        numbers = [float(part) for part in re.findall(r"-?[\d.]+", each.split('"')[1])]
        found.append((sum(numbers[::2]) / 6, sum(numbers[1::2]) / 6))
    return found


def test_every_place_is_inside_the_hexagon_that_is_drawn() -> None:
    numbers = random.Random(4)
    for _ in range(200):
        place = numbers.uniform(0, 300), numbers.uniform(0, 300)
        (centre,) = centres(list(density_hexagons([place], side=9)))
        assert math.dist(place, centre) <= 9.1


@pytest.mark.parametrize(("n", "grey"), [(1, 1), (3, 1), (4, 2), (16, 3), (64, 4), (5000, 4)])
def test_darker_with_more_marks(n: int, grey: int) -> None:
    (drawn,) = density_hexagons([(50.0, 50.0)] * n)
    assert f'class="hex c{grey}"' in drawn


def test_no_marks_give_no_hexagon() -> None:
    assert list(density_hexagons([])) == []
