"""Two columns by day that are never added."""

from datetime import date

from streams.console.safety.described_and_counted import of_record
from streams.console.safety.page_words import PageWords
from streams.core.wording.catalogue import Language
from tests.support.safety_desk import recorded

WORDS = PageWords.of(Language.ENGLISH)


def test_described_and_counted_stand_apart_on_each_day() -> None:
    record, last = recorded(), date(2024, 12, 31)
    changes = [one for one in record.changes_until(last) if "LC-0" in one.case.part_of]
    rows = of_record(record.notices_on(last)["LC-0"], changes, WORDS)
    assert [(row.day.isoformat(), row.described, row.counted) for row in rows] == [
        ("2023-11-28", "at least 4", "0"),
        ("2023-11-30", "at least 4", "0"),
        ("2024-01-10", "at least 4", "1"),
        ("2024-01-17", "at least 4", "3"),
        ("2024-02-02", "at least 4", "4"),
        ("2024-04-02", "at least 4", "3"),
    ]
    assert rows[-1].what == "LC-3: Leaves the counts: nullified"
