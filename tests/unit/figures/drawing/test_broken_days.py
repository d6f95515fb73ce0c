"""Days with long gaps cut out."""

from datetime import date, timedelta

import pytest

from streams.figures.drawing.broken_days import broken_day_scale
from streams.figures.drawing.texts import figure_texts

OLD, NEW = date(2019, 10, 7), date(2024, 5, 20)


def test_a_gap_of_more_than_400_days_is_cut_out() -> None:
    scale = broken_day_scale([OLD, NEW], date(2024, 6, 5), 100, 900)
    assert len(scale.stretches) == 2
    (cut,) = scale.breaks
    assert scale(OLD) < cut < scale(NEW) < 900
    assert scale(date(2022, 1, 1)) == scale.stretches[1].start
    near = broken_day_scale([OLD, OLD + timedelta(days=400)], OLD + timedelta(days=400), 0, 900)
    assert near.breaks == []


def test_places_rise_with_the_days() -> None:
    days = [OLD, OLD + timedelta(days=3), date(2021, 12, 1), NEW]
    scale = broken_day_scale(days, date(2024, 6, 5), 100, 900)
    places = [scale(day) for day in [*days, date(2024, 6, 5)]]
    assert places == sorted(places)
    assert places[-1] == pytest.approx(900)


def test_the_last_day_ends_the_scale_and_hides_what_is_later() -> None:
    scale = broken_day_scale([OLD, NEW], date(2020, 1, 1), 0, 900)
    assert scale.breaks == []
    assert scale(NEW) == 900


def test_each_stretch_has_its_labels() -> None:
    scale = broken_day_scale([OLD, NEW], date(2024, 6, 5), 100, 900)
    labels = [label for _, label in scale.labelled_days(figure_texts("en"))]
    assert any("2019" in label for label in labels)
    assert any("2024" in label for label in labels)
