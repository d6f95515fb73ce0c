"""The calendar: a cell a day, its number in it."""

from dataclasses import replace
from datetime import date

from streams.figures.calendar_days import DayCount, calendar_days
from tests.support.picture_facts import CALENDAR
from tests.support.pictures import elements, entries_of, root_of, texts_of


def test_every_day_is_a_cell_and_every_count_a_number() -> None:
    svg = calendar_days(CALENDAR)
    days = (CALENDAR.last_day - CALENDAR.first_day).days + 1
    assert len(elements(svg, "rect", "cell")) == days
    assert texts_of(svg, "cn") == ["3", "120"]
    assert entries_of(svg) == ["2024-03-01: 3", "2024-04-24: 120"]
    assert "123 in all" in (root_of(svg)[0].text or "")


def test_greys_follow_the_root_of_the_count() -> None:
    counts = [DayCount(date(2024, 1, 1 + n), n * n) for n in range(1, 9)]
    svg = calendar_days(replace(CALENDAR, counts=counts))
    for grey in range(1, 5):
        assert len(elements(svg, "rect", f"cell c{grey}")) == 2


def test_days_after_the_sign_off_are_outlined_if_they_have_a_count() -> None:
    assert len(elements(calendar_days(CALENDAR), "rect", "since")) == 1
    assert not elements(calendar_days(replace(CALENDAR, signed_off=None)), "rect", "since")


def test_weeks_begin_on_monday() -> None:
    sunday, monday = date(2024, 3, 3), date(2024, 3, 4)
    counts = [DayCount(sunday, 1), DayCount(monday, 2)]
    cells = elements(calendar_days(replace(CALENDAR, counts=counts)), "text", "cn")
    (x0, y0), (x1, y1) = ((float(each.get("x", 0)), float(each.get("y", 0))) for each in cells)
    assert x1 > x0
    assert y1 < y0


def test_a_long_range_is_cut_into_half_years_whose_cells_hold_numbers() -> None:
    facts = replace(
        CALENDAR,
        first_day=date(2022, 1, 1),
        counts=[DayCount(date(2022, 12, 31), 222), DayCount(date(2023, 1, 1), 111)],
    )
    svg = calendar_days(facts)
    assert texts_of(svg, "cn") == ["222", "111"]
    assert {"Jan 2022", "Jul 2022", "Jan 2024"} <= set(texts_of(svg, "t"))


def test_counts_outside_the_range_are_left_out() -> None:
    facts = replace(CALENDAR, counts=[DayCount(date(2023, 12, 31), 5)])
    assert entries_of(calendar_days(facts)) == ["No alert revision in these days"]
