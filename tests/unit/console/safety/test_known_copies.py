"""Copies of safety alerts by day and subject."""

from datetime import date
from pathlib import Path

import pytest

from schemas.subscription import Tier
from streams.console.safety.known_copies import day_of, known_signals, page_day, subject_of
from tests.support.safety_desk import desk_of_story


@pytest.mark.parametrize(
    ("copy", "day"),
    [
        ({"evaluated_on": "2024-02-03"}, date(2024, 2, 3)),
        ({"evaluated_in": "2024-02"}, date(2024, 2, 29)),
        ({"evaluated_in": "2023-12"}, date(2023, 12, 31)),
    ],
)
def test_a_month_is_known_on_its_last_day(copy: dict[str, str], day: date) -> None:
    assert day_of(copy) == day


def test_the_subject_is_the_last_part_of_a_key() -> None:
    assert subject_of("CASE_SERIES|L%7C0") == "L|0"


def test_revisions_of_a_later_day_are_left_out(tmp_path: Path) -> None:
    desk = desk_of_story(tmp_path).desk
    with desk.service.model() as model:
        for day, n in ((None, 3), (date(2023, 11, 14), 2), (date(2023, 10, 11), 1)):
            (found,) = known_signals(
                model, Tier.AUTHORITY, day, lambda key: key == "UNVERIFIED_FATAL|RUM-1"
            )
            assert len(found.copies) == n
        nothing = known_signals(model, Tier.AUTHORITY, date(2019, 1, 1), lambda key: True)
    assert nothing == []


def test_only_authorities_know_the_days_of_notices(tmp_path: Path) -> None:
    desk = desk_of_story(tmp_path).desk
    assert desk.safety is not None
    notice = desk.safety.notices_on(date(2024, 5, 7))["RUM-1"][0]
    later = date(2024, 6, 9)
    desk.safety.add_notice(notice.model_copy(update={"notice_id": "N", "received": later}))
    assert page_day(desk, Tier.AUTHORITY, None) == later
    assert page_day(desk, Tier.CONSUMER, None) == desk.intake.closed
    assert page_day(desk, Tier.CONSUMER, later) == later
