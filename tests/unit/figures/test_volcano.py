"""The volcano: signals by ratio and evidence, many of them as density."""

import math
from dataclasses import replace

import pytest

from streams.figures.volcano import MOST_MARKS, SignalMark, VolcanoFacts, volcano
from tests.support.picture_facts import VOLCANO
from tests.support.pictures import elements, entries_of, number_in, texts_of


def test_the_description_has_the_signals_as_given() -> None:
    entries = {entry.rpartition(": ")[0]: entry for entry in entries_of(volcano(VOLCANO))}
    for mark in VOLCANO.marks[:4]:
        words = entries[mark.label].rpartition(": ")[2].split(", ")
        assert words[:3] == [
            f"{mark.n_observed} cases",
            f"{mark.n_serious} serious",
            f"{mark.n_fatal} fatal",
        ]
        assert number_in(words[3].split()[-1]) == mark.log2_ratio
        power = number_in(words[4].split()[-1])
        if mark.log_e_value is None:
            assert power is None
        else:
            assert power == pytest.approx(mark.log_e_value / math.log(10), abs=0.005)


def test_a_signal_without_a_ratio_is_counted_not_drawn() -> None:
    svg = volcano(VOLCANO)
    assert len(elements(svg, "circle", "pt")) == 4
    assert "1 signal without a ratio within strata" in entries_of(svg)
    assert "2 signals with an e-value of 1 or less" in texts_of(svg)


def test_marks_show_what_is_new_serious_and_fatal() -> None:
    svg = volcano(VOLCANO)
    assert len(elements(svg, "circle", "pt new")) == 1
    assert len(elements(svg, "circle", "pin")) == 1
    serious = replace(VOLCANO.marks[1], n_serious=450)
    svg = volcano(VolcanoFacts([serious]))
    assert len(elements(svg, "circle", "pt serious")) == 1


def test_areas_grow_with_the_cases() -> None:
    marks = [SignalMark(str(n), "x", 1.0, 9.0, n) for n in (1, 100, 10_000)]
    radii = sorted(
        float(each.get("r", 0)) for each in elements(volcano(VolcanoFacts(marks)), "circle", "pt")
    )
    assert radii[1] - radii[0] == pytest.approx(radii[2] - radii[1])


def test_names_lead_to_their_pages() -> None:
    (link,) = elements(volcano(VOLCANO), "a")
    assert link.get("href") == "/signals/a"
    assert (link[0].text or "") == "zinc × Rash"


def test_names_do_not_overlap() -> None:
    marks = [SignalMark(str(n), f"product {n} × event", 1.0, 9.0 + n / 50, 9) for n in range(40)]
    names = [text for text in texts_of(volcano(VolcanoFacts(marks))) if "×" in text]
    assert 2 <= len(names) <= 16


def test_many_signals_are_density_with_the_changed_ones_on_top() -> None:
    marks = [
        SignalMark(str(n), "x", (n % 50) / 20, (n % 70) / 2, 5, is_new=n < 7)
        for n in range(MOST_MARKS + 1)
    ]
    svg = volcano(VolcanoFacts(marks))
    assert elements(svg, "path", "hex")
    assert len(elements(svg, "circle", "pt new")) == 7
    assert len(elements(svg, "circle", "pt")) <= 507
    few = volcano(VolcanoFacts(marks[:-1]))
    assert not elements(few, "path", "hex")
    assert len(elements(few, "circle", "pt")) == MOST_MARKS


def test_a_window_leaves_out_what_is_outside() -> None:
    svg = volcano(replace(VOLCANO, ratios=(2.0, 3.0), powers=(10.0, 100.0)))
    assert len(elements(svg, "circle", "pt")) == 1
