"""Labels without overlap."""

from streams.figures.drawing.labels import LabelPlaces
from streams.figures.drawing.text_width import text_width


def test_a_label_takes_the_first_free_place() -> None:
    places = LabelPlaces(0, 300, 0, 100)
    first = places.place("first", "k", [(10, 20, "")])
    assert first == '<text x="10" y="20" class="k">first</text>'
    second = places.place("second", "k", [(12, 22, ""), (12, 60, "")])
    assert second is not None
    assert 'y="60"' in second


def test_a_label_without_a_free_place_is_left_out() -> None:
    places = LabelPlaces(0, 300, 0, 100)
    places.keep_free(0, 0, 300, 100)
    assert places.place("any", "k", [(10, 20, ""), (100, 50, "m")]) is None


def test_labels_stay_inside() -> None:
    wide = text_width("label")
    places = LabelPlaces(0, 100, 0, 50)
    assert places.place("label", "k", [(100 - wide + 1, 20, "")]) is None
    assert places.place("label", "k", [(wide - 1, 20, "e")]) is None
    assert places.place("label", "k", [(50, 8, "m")]) is None
    assert places.place("label", "k", [(50, 20, "m")]) is not None


def test_labels_side_by_side_keep_a_gap() -> None:
    places = LabelPlaces(0, 300, 0, 100)
    places.place("2", "k", [(10, 20, "")])
    end = 10 + text_width("2")
    assert places.place("3", "k", [(end + 1, 20, "")]) is None
    assert places.place("3", "k", [(end + 4, 20, "")]) is not None
