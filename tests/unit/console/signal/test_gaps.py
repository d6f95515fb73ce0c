"""Cases without a fact, the widest gap first."""

from streams.console.signal.gaps import gaps
from tests.support.signal_pages import ReplayedDesk


def test_each_gap_is_counted_from_the_alert_or_the_cases(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    with amended.desk.service.model() as model:
        lines = model.lines(alert.case_ids)
    found = {gap.what: (gap.n, gap.of) for gap in gaps(alert, lines)}
    assert found["gap_lot"] == (8, 8)
    assert found["gap_dechallenge"] == (8, 8)
    assert found["gap_reporter"] == (8, 8)
    assert "gap_onset" not in found  # every case states it
    assert "gap_age" not in found


def test_the_widest_gap_comes_first_and_none_is_empty(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1].model_copy(update={"n_late": 2, "n_stating_onset": 7})
    found = gaps(alert, [])
    assert [gap.n for gap in found] == sorted((gap.n for gap in found), reverse=True)
    assert [(gap.n, gap.of) for gap in found if gap.what == "gap_late"] == [(2, 7)]
    assert [(gap.n, gap.of) for gap in found if gap.what == "gap_onset"] == [(1, 8)]
    assert all(gap.n for gap in found)
