"""Density of marks in hexagons, where there are too many to draw each."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from streams.figures.drawing.elements import path_of

__all__ = ["density_hexagons"]

_STEPS = (1, 4, 16, 64)  # fewest marks of each grey


def density_hexagons(places: Iterable[tuple[float, float]], side: float = 9) -> Iterator[str]:
    """Yield a hexagon a cell with marks, in four greys by their number.

    Parameters
    ----------
    places
        Places of the marks [px].
    side
        Side of a hexagon [px].
    """
    cells = Counter(_cell(x, y, side) for x, y in places)
    for (column, row), n in sorted(cells.items()):
        grey = sum(n >= fewest for fewest in _STEPS)
        x, y = _centre(column, row, side)
        corners = [
            (x + side * math.sin(math.pi * turn / 3), y + side * math.cos(math.pi * turn / 3))
            for turn in range(6)
        ]
        yield path_of(corners, f"hex c{grey}", closed=True)


def _centre(column: int, row: int, side: float) -> tuple[float, float]:
    across = side * math.sqrt(3)
    return (column + (row % 2) / 2) * across, row * side * 1.5


def _cell(x: float, y: float, side: float) -> tuple[int, int]:
    """Return the hexagon whose centre is nearest."""
    across, down = side * math.sqrt(3), side * 1.5
    near = round(y / down)
    candidates = [(round(x / across - (row % 2) / 2), row) for row in (near - 1, near, near + 1)]
    return min(candidates, key=lambda cell: math.dist(_centre(cell[0], cell[1], side), (x, y)))
