"""Months: a panel a kind, one scale."""

from dataclasses import replace

from streams.figures.months import MonthCounts, months
from tests.support.picture_facts import MONTHS
from tests.support.pictures import elements, entries_of, texts_of


def test_the_description_has_totals_and_every_month() -> None:
    assert entries_of(months(MONTHS)) == [
        "new: 16 in all",
        "strengthened: 1,200 in all",
        "weakened: 0 in all",
        "closed: 3 in all",
        "2023-12: new 12, strengthened 0, weakened 0, closed 3",
        "2024-02: new 4, strengthened 1,200, weakened 0, closed 0",
    ]


def test_all_panels_have_one_scale() -> None:
    svg = months(MONTHS)
    assert texts_of(svg, "t s") == ["1,200"] * 4
    heights = [float(each.get("height", 0)) for each in elements(svg, "rect", "barfill")]
    assert max(heights) == 48
    assert sorted(heights)[:-1] == sorted(round(48 * n / 1200, 1) for n in (12, 4, 3))


def test_retractions_have_a_panel_if_there_are_any() -> None:
    assert "retraction" not in texts_of(months(MONTHS))
    more = [*MONTHS.months, MonthCounts(MONTHS.months[-1].month, {"retraction": 1})]
    assert "retraction" in texts_of(months(replace(MONTHS, months=more)))
