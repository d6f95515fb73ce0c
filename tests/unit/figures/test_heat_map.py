"""The heat map: the limit in every cell."""

from dataclasses import replace

from streams.figures.heat_map import HeatCell, heat_map
from tests.support.picture_facts import HEAT
from tests.support.pictures import elements, entries_of, texts_of


def test_every_cell_has_its_limit() -> None:
    svg = heat_map(HEAT)
    assert entries_of(svg) == [
        "Rash, zinc: 9 cases, IC025 2.25",
        "Cough, iron: 4 cases, IC025 undefined",
    ]
    assert texts_of(svg, "cn")[0] == "2.2"
    assert len(elements(svg, "rect", "cell since")) == 1


def test_greys_follow_the_limit() -> None:
    limits = (-0.5, 0.25, 0.75, 1.5, 3.0)
    for grey, limit in enumerate(limits):
        cells = [HeatCell("Rash", "zinc", limit, 3)]
        drawn = elements(heat_map(replace(HEAT, cells=cells)), "rect", f"cell c{grey}")
        assert len(drawn) == 2, limit  # the cell and the key


def test_a_cell_outside_the_rows_and_columns_is_not_drawn() -> None:
    cells = [HeatCell("Gout", "zinc", 1.0, 3), *HEAT.cells]
    assert len(elements(heat_map(replace(HEAT, cells=cells)), "rect", "cell")) == 2 + 5
