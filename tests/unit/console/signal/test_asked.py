"""Revisions and decisions known on a day, and 404 where nothing was known."""

from datetime import date
from pathlib import Path

import pytest
from fastapi import HTTPException

from schemas.decision import Decision, SignalState
from schemas.subscription import Tier
from streams.console.signal.asked import asked_signal
from tests.support.amended_cases import amended_reports
from tests.support.signal_pages import NOW, ReplayedDesk, replayed_desk

KEY = "zinc|rash|cumulative"


def test_a_day_knows_the_revisions_up_to_it(amended: ReplayedDesk) -> None:
    asked = asked_signal(amended.desk, Tier.AUTHORITY, KEY, as_of=date(2024, 1, 22))
    assert [one.revision for one in asked.known] == [1, 2, 3, 4]
    assert asked.day == asked.known_on == date(2024, 1, 22)
    assert asked.previous == asked.known[2]
    assert asked.newest == 7


def test_an_earlier_revision_is_of_its_day_and_the_last_one_of_now(amended: ReplayedDesk) -> None:
    third = asked_signal(amended.desk, Tier.AUTHORITY, KEY, revision=4)
    assert (third.alert.revision, third.day) == (4, date(2024, 1, 21))
    last = asked_signal(amended.desk, Tier.AUTHORITY, KEY, revision=7)
    assert (last.alert.revision, last.day) == (7, None)
    assert last.revision(2).revision == 2


@pytest.mark.parametrize(
    ("revision", "as_of"),
    [(None, date(2024, 1, 6)), (8, None), (5, date(2024, 1, 22))],
)
def test_what_was_not_known_is_not_found(
    amended: ReplayedDesk, revision: int | None, as_of: date | None
) -> None:
    with pytest.raises(HTTPException, match="no such signal") as refused:
        asked_signal(amended.desk, Tier.AUTHORITY, KEY, revision=revision, as_of=as_of)
    assert refused.value.status_code == 404


def test_other_tiers_and_unknown_keys_are_not_found(amended: ReplayedDesk) -> None:
    for tier, key in ((Tier.CONSUMER, KEY), (Tier.AUTHORITY, "zinc|rush|cumulative")):
        with pytest.raises(HTTPException, match="no such signal"):
            asked_signal(amended.desk, tier, key)


def test_a_decision_is_known_from_its_day_on(tmp_path: Path) -> None:
    done = replayed_desk(tmp_path, amended_reports())
    decision = Decision(signal_key=KEY, to=SignalState.UNDER_TRIAGE, by="bo")
    done.desk.service.audit.decide(decision, NOW)
    now = asked_signal(done.desk, Tier.AUTHORITY, KEY)
    assert [entry.decision.to for entry in now.entries] == [SignalState.UNDER_TRIAGE]
    assert now.assessment.state is SignalState.UNDER_TRIAGE
    before = asked_signal(done.desk, Tier.AUTHORITY, KEY, as_of=date(2024, 2, 29))
    assert (before.entries, before.assessment.state) == ((), SignalState.DETECTED)
    on_the_day = asked_signal(done.desk, Tier.AUTHORITY, KEY, as_of=date(2024, 3, 1))
    assert len(on_the_day.entries) == 1
