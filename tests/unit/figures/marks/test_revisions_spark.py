"""The revisions of one signal in a row."""

from datetime import date

from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.marks.revisions_spark import RevisionPoint, revisions_spark
from tests.support.pictures import elements, entries_of, extents, intervals_in, texts_of

POINTS = [
    RevisionPoint(date(1999, 2, 12), IntervalEstimate(2.8, 0.75, 3.99)),
    RevisionPoint(date(1999, 6, 15), IntervalEstimate(4.44, 3.46, 5.16)),
]


def test_its_numbers_are_those_given() -> None:
    entries = entries_of(revisions_spark(POINTS, name="s"))
    assert [each.split(":")[0] for each in entries] == ["1999-02-12", "1999-06-15"]
    assert [intervals_in(each) for each in entries] == [[(2.8, 0.75, 3.99)], [(4.44, 3.46, 5.16)]]


def test_the_last_revision_is_in_accent() -> None:
    svg = revisions_spark(POINTS, name="s")
    assert len(elements(svg, "circle", "est on")) == 2
    assert len(elements(svg, "circle", "est new")) == 1
    assert texts_of(svg, "a b") == ["4.44"]


def test_one_revision_none_and_undefined_ones_are_drawn() -> None:
    assert len(elements(revisions_spark(POINTS[:1], name="s"), "circle", "est")) == 1
    assert texts_of(revisions_spark([], name="s")) == ["No revision yet"]
    undefined = [RevisionPoint(date(1999, 2, 12), IntervalEstimate(None, None, None))]
    svg = revisions_spark(undefined, name="s")
    assert not elements(svg, "circle", "est")
    assert entries_of(svg) == ["1999-02-12: IC undefined"]


def test_no_text_leaves_it() -> None:
    for language in ("en", "ja"):
        for width in (180, 300):
            svg = revisions_spark(POINTS, name="s", width=width, language=language)
            assert all(each.left >= 0 and each.right <= width + 1 for each in extents(svg))
