"""Notices and domain cases as of a day: nothing of a later day, nothing lost of an earlier one."""

from datetime import date

from schemas.notice import Notice, NoticeKind
from schemas.product import Product
from schemas.report import Reaction, Report
from streams.core.safety.safety_record import SafetyRecord
from tests.support.safety_desk import recorded

FIRST = date(2024, 1, 9)


def test_cases_are_those_counted_on_the_day() -> None:
    record = recorded()
    assert sorted(record.cases_on(date(2019, 10, 9))) == ["NE-1", "NE-2"]
    assert sorted(record.cases_on(date(2019, 12, 31))) == ["NE-1", "NE-2", "NE-3"]
    on_the_last_day = record.cases_on(date(2024, 12, 31))
    assert {"LC-1", "LC-2", "LC-4", "NE-4", "RUM-1-ICSR"} <= set(on_the_last_day)
    assert "LC-3" in record.cases_on(date(2024, 4, 1))
    assert "LC-3" not in on_the_last_day


def test_a_case_that_left_says_why_and_when() -> None:
    (left,) = [
        change
        for change in recorded().changes_until(date(2024, 12, 31))
        if change.case.case_id == "LC-3" and not change.counted
    ]
    assert (left.day, left.was_counted, left.reason) == (date(2024, 4, 2), True, "nullified")
    assert left.case.part_of == ["LC-0"]


def test_a_duplicate_is_recorded_and_never_counted() -> None:
    record = recorded()
    assert record.duplicates_until(date(2019, 10, 9)) == ()
    (found,) = record.duplicates_until(date(2019, 10, 10))
    assert (found.case_id, found.duplicate_of) == ("NE-2D", "NE-2")
    assert "NE-2D" not in record.cases_on(date(2024, 12, 31))


def test_notices_are_those_received_by_the_day_in_order() -> None:
    record = recorded()
    known = record.notices_on(date(2023, 11, 14))["RUM-1"]
    assert [notice.notice_id for notice in known] == ["RUM-1", "RUM-1b", "RUM-1c", "RUM-1d"]
    assert list(record.notices_on(date(2023, 10, 11))) == ["FDA-2019-12-06", "RUM-1"]
    assert record.last_notice() == date(2024, 5, 7)


def test_of_two_contents_of_a_notice_the_one_of_the_day_is_known() -> None:
    record = SafetyRecord()
    first, later = (
        Notice(notice_id="A", subject_id="S", kind=NoticeKind.MEDIA, received=day, source=source)
        for day, source in ((FIRST, "press"), (date(2024, 2, 1), "broadcast"))
    )
    for notice in (later, first, first):
        record.add_notice(notice)
    assert [one.source for one in record.notices_on(FIRST)["S"]] == ["press"]
    assert [one.source for one in record.notices_on(date(2024, 2, 1))["S"]] == ["broadcast"]
    assert record.notices_on(date(2024, 1, 8)) == {}


def test_lots_are_kept_as_typed_of_watched_products_alone() -> None:
    record = recorded()
    cases = ["NE-1", "NE-2", "NE-2D", "NE-3"]
    assert record.spellings("EX117", cases, date(2019, 10, 9)) == ("EX-117",)
    assert "EX117 " in record.spellings("EX117", cases, date(2019, 10, 10))
    assert record.spellings("EX117", ["LC-1"], date(2024, 12, 31)) == ()
    other = Report(
        case_id="V-1",
        source="test",
        first_received=FIRST,
        latest_received=FIRST,
        products=(Product(verbatim="aspirin", lot="EX-117"),),
        reactions=(Reaction(term="Rash"),),
    )
    record.add_report(other)
    assert record.spellings("EX117", ["V-1"], FIRST) == ()
