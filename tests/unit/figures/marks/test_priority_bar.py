"""The priority bar."""

import pytest

from streams.figures.marks.priority_bar import PriorityPart, priority_bar
from tests.support.pictures import elements, entries_of

PARTS = [PriorityPart("evidence", 0.25), PriorityPart("unknown", None), PriorityPart("new", 0.5)]


def test_pieces_are_in_proportion_and_the_rest_is_track() -> None:
    svg = priority_bar(PARTS, name="p")
    widths = [float(each.get("width", 0)) for each in elements(svg, "rect", "part")]
    assert widths == [14, 29]  # of 60, less the gap
    (track,) = elements(svg, "rect", "track")
    assert float(track.get("width", 0)) == 60
    assert entries_of(svg) == ["evidence: 0.25", "unknown: undefined", "new: 0.50"]


def test_neighbouring_pieces_have_two_inks() -> None:
    parts = [PriorityPart(str(n), 0.2) for n in range(3)]
    classes = [each.get("class") for each in elements(priority_bar(parts), "rect", "part")]
    assert classes == ["part p0", "part p1", "part p0"]


@pytest.mark.parametrize("shares", [(0.8, 0.9), (2.0, 5.0), (1.0, 0.0), (-1.0, 0.5)])
def test_pieces_never_leave_the_track(shares: tuple[float, float]) -> None:
    parts = [PriorityPart(str(n), share) for n, share in enumerate(shares)]
    for each in elements(priority_bar(parts), "rect", "part"):
        assert float(each.get("x", 0)) + float(each.get("width", 0)) <= 60


def test_no_part_is_an_empty_track() -> None:
    assert not elements(priority_bar([]), "rect", "part")
