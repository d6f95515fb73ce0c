"""The texts of safety alerts keep their rules after any history, and over the founding story."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings

from schemas.safety_alert import EndReason, SafetyAlert, SafetyChange
from streams.core.safety.endings import ENDED
from tests.support.replays import founding_case, replayed
from tests.support.safety_histories import Step, histories, run_history
from tests.support.safety_wording import check_public_texts, check_safety_texts


def test_every_text_and_day_of_any_history_keeps_the_rules() -> None:
    """The histories reach nearly every end and change: else the rules could hold of nothing."""
    ends: Counter[EndReason | None] = Counter()
    changes: Counter[SafetyChange] = Counter()
    categories: Counter[str] = Counter()

    # The same histories in every run: whether all ends are reached must not be a matter of luck.
    @settings(
        max_examples=300,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(histories())
    def check(steps: list[Step]) -> None:
        alerts = run_history(steps)
        for alert in alerts:
            check_safety_texts(alert)
            ends[alert.ended_because] += 1
            changes.update(alert.changes)
            categories[alert.category] += 1
        check_public_texts(alerts)
        check_revisions(alerts)

    check()
    assert len(categories) == 10
    # Too rare to be drawn; each has its own test in tests/unit/core/safety/test_endings.py.
    rare = {EndReason.DUE_DAY_MOVED, EndReason.SHARED_LOT, EndReason.WITHIN_RULES}
    assert set(ends) >= set(EndReason) - rare
    assert set(changes) >= set(SafetyChange) - {SafetyChange.OTHER}


def check_revisions(alerts: Sequence[SafetyAlert]) -> None:
    """Assert that each revision knows the one before it, and that no day due is postponed."""
    last: dict[str, SafetyAlert] = {}
    for alert in alerts:
        before = last.get(alert.signal_key)
        assert alert.due is not None
        assert alert.priority is not None
        assert (alert.was is None) is (before is None)
        if before is not None and alert.was is not None:
            assert (alert.was.revision, alert.was.kind) == (before.revision, before.kind)
            assert alert.was.n_cases == before.n_cases == len(before.case_ids)
            if before.kind not in ENDED and alert.kind not in ENDED:
                assert before.due is not None
                assert alert.due <= before.due
        assert alert.n_cases == len(alert.case_ids) >= alert.n_serious
        last[alert.signal_key] = alert


@pytest.mark.parametrize("refuted", [False, True])
def test_every_text_of_the_story_keeps_the_rules(refuted: bool) -> None:
    reports, notices = founding_case(refuted=refuted)
    alerts = replayed(reports, notices=notices).safety_alerts
    assert len(alerts) > 10
    for alert in alerts:
        check_safety_texts(alert)
    check_public_texts(alerts)
    check_revisions(alerts)
