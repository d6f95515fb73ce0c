"""Threads: what was alleged and what was counted are drawn apart."""

from dataclasses import replace
from datetime import date

from schemas.vocabulary import VerificationState
from streams.figures.threads import CountedStep, Statement, ThreadLane, threads
from tests.support.picture_facts import THREADS
from tests.support.pictures import elements, entries_of, texts_of

SEPSIS, DEATH = THREADS.lanes


def test_the_description_has_every_statement_and_count() -> None:
    assert entries_of(threads(THREADS)) == [
        "Sepsis, lot EX-117, 2019-10-07: 2 counted, valid report",
        "Sepsis, lot EX-117, 2024-03-10: 3 counted, valid report",
        "Sepsis, lot EX-117, 2019-12-06: notice, FDA notice",
        "Death, subject RUM-1, 2024-03-01: alleged",
        "Death, subject RUM-1, 2024-03-28: contested, contested by the clinic",
        "Death, subject RUM-1, 2024-03-01: 0 counted, reported",
    ]


def test_what_is_alleged_has_its_own_line_and_pattern() -> None:
    svg = threads(THREADS, name="t")
    alleged = elements(svg, "rect", "st rumour") + elements(svg, "rect", "st contested")
    assert [each.get("fill") for each in alleged] == ["url(#t-rumour)", "url(#t-contested)"]
    assert len({each.get("y") for each in alleged}) == 1
    counted = elements(svg, "rect", "st valid")
    heights = sorted(float(each.get("height", 0)) for each in counted)
    assert heights == [8, 12]  # 2 and 3 cases; none of the death, of which 0 are counted


def test_a_gap_of_years_is_a_break() -> None:
    breaks = [each for each in elements(threads(THREADS), "path", "ax") if each]
    assert not breaks
    assert len(elements(threads(THREADS), "path", "ax")) == 1
    near = replace(THREADS, lanes=[DEATH])
    assert not elements(threads(near), "path", "ax")


def test_the_last_state_is_named_where_room_is_short() -> None:
    statements = [
        Statement(date(2024, 3, day), VerificationState.RUMOUR if day < 3 else state)
        for day, state in ((1, VerificationState.RUMOUR), (3, VerificationState.REFUTED))
    ]
    lane = ThreadLane("Death", "", statements, [CountedStep(date(2024, 3, 1), 0)])
    assert "refuted" in texts_of(threads(replace(THREADS, lanes=[lane])))
