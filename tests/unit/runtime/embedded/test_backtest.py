"""Two histories side by side: what would be gained, lost, earlier and later."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from detectors.rules import load_rules
from schemas.alert import Alert, AlertKind, SignalGrade, Window, WindowKind
from schemas.errors import InputError
from schemas.report import Report
from streams.core.counting.windows import WindowSpec
from streams.runtime.embedded.backtest import BacktestResult, History, compare, replay_history
from tests.support.reports import make_report

JANUARY = date(2024, 1, 1)
CUMULATIVE = [WindowSpec.parse("cumulative")]
Signal = tuple[str, str, str]


def _history(**days: int) -> History:
    """Signals by name, each first alerted on a day of January."""
    return History({_signal(name): date(2024, 1, day) for name, day in days.items()})


def _signal(name: str, window: str = "cumulative") -> Signal:
    return (name, "rash", window)


def test_every_signal_has_one_fate() -> None:
    comparison = compare(
        _history(same=3, sooner=9, sooner2=31, later=9, lost=1, gone=2),
        _history(same=3, sooner=8, sooner2=1, later=10, new=5, fresh=1),
    )
    assert comparison == BacktestResult(
        gained=[_signal("fresh"), _signal("new")],
        lost=[_signal("gone"), _signal("lost")],
        earlier=[_signal("sooner"), _signal("sooner2")],
        later=[_signal("later")],
        unchanged=1,
    )


def test_the_other_way_round_is_the_mirror_image() -> None:
    one, other = _history(a=1, b=2, c=3, e=1), _history(b=3, c=1, d=7, e=1)
    there, back = compare(one, other), compare(other, one)
    assert (there.gained, there.lost) == (back.lost, back.gained)
    assert (there.earlier, there.later) == (back.later, back.earlier)
    assert there.unchanged == back.unchanged == 1


def test_nothing_compared_with_nothing_is_nothing() -> None:
    assert compare(History(), History()) == BacktestResult([], [], [], [], 0)
    assert compare(_history(a=1), _history(a=1)) == BacktestResult([], [], [], [], 1)


def test_a_pair_in_another_window_is_another_signal() -> None:
    ours = History({_signal("a"): JANUARY})
    theirs = History({_signal("a", "2024-01"): JANUARY})
    assert compare(ours, theirs) == BacktestResult(
        [_signal("a", "2024-01")], [_signal("a")], [], [], 0
    )


def test_a_control_counts_once_whichever_windows_alerted_it() -> None:
    history = History(
        {_signal("a"): JANUARY, _signal("a", "2024-01"): JANUARY, _signal("b"): JANUARY}
    )
    assert history.ever_alerted([("A.", "Rash")]) == 1
    assert history.ever_alerted([("a", "Rash"), ("b", "Fever"), ("c", "Rash")]) == 1
    assert history.ever_alerted([("Rash", "a")]) == 0
    assert history.ever_alerted([]) == 0
    assert History().ever_alerted([("a", "Rash")]) == 0


def _alert(
    kind: AlertKind, day: int, window: str = "cumulative", grade: SignalGrade = SignalGrade.ALARM
) -> Alert:
    on = date(2024, 1, day)
    return Alert.model_construct(
        signal_key=f"a|rash|{window}",
        kind=kind,
        grade=grade,
        drug="a",
        event="Rash",
        window=Window(kind=WindowKind.CUMULATIVE, label=window, first_day=None, last_day=on),
        evaluated_on=on,
    )


def test_only_the_first_alert_of_a_signal_dates_it() -> None:
    history = History()
    kinds = (AlertKind.NEW, AlertKind.STRENGTHENED, AlertKind.CLOSED, AlertKind.STRENGTHENED)
    for day, kind in enumerate(kinds, start=4):
        history.record(_alert(kind, day))
    history.record(_alert(AlertKind.NEW, 9, "2024-01"))
    assert history.first_alarm == history.first_alert
    assert history.first_alert == {
        _signal("a"): date(2024, 1, 4),
        _signal("a", "2024-01"): date(2024, 1, 9),
    }
    assert set(history.labels.values()) == {("a", "Rash")}
    assert history.revisions == Counter(new=2, strengthened=2, closed=1)


def test_a_signal_is_compared_from_the_day_on_which_it_is_an_alarm() -> None:
    history = History()
    wider = SignalGrade.SCREENING
    history.record(_alert(AlertKind.NEW, 4, grade=wider))
    assert (history.first_alarm, history.ever_alerted([("a", "Rash")])) == ({}, 0)
    history.record(_alert(AlertKind.STRENGTHENED, 6))
    history.record(_alert(AlertKind.WEAKENED, 7, grade=wider))
    history.record(_alert(AlertKind.STRENGTHENED, 8))
    assert history.first_alarm == {_signal("a"): date(2024, 1, 6)}
    assert history.first_alert == {_signal("a"): date(2024, 1, 4)}
    assert history.ever_alerted([("a", "Rash")]) == 1
    assert compare(History(), history).gained == [_signal("a")]


def _reports() -> list[Report]:
    return [
        make_report(
            f"{drug}{number}", day=JANUARY + timedelta(days=number), drugs=[drug], events=[event]
        )
        for number in range(6)
        for drug, event in (("zinc", "Rash"), ("iron", "Fever"))
    ]


def test_a_history_is_what_a_replay_alerts() -> None:
    told = list(
        replay_history(
            [("one", enumerate(_reports()[:4], 1)), ("two", enumerate(_reports()[4:], 1))],
            CUMULATIVE,
            load_rules("mhra"),
            every=1,
            horizon=date(2024, 12, 31),
            refit_every=None,
        )
    )
    assert told[:2] == [4, 8]
    (history,) = told[2:]
    assert isinstance(history, History)
    assert history.messages == 12
    day = date(2024, 1, 4)  # chi-squared is 2.7 at three cases of six, 4.5 at four of eight
    assert history.first_alert == {
        ("zinc", "rash", "cumulative"): day,
        ("iron", "fever", "cumulative"): day,
    }
    assert sorted(history.labels.values()) == [("iron", "Fever"), ("zinc", "Rash")]
    assert history.revisions["new"] == 2


def test_what_a_run_refuses_it_refuses_before_it_reads() -> None:
    def sources() -> Iterator[tuple[str, Iterator[tuple[int, Report]]]]:
        pytest.fail("a source was read")
        yield "never", iter(())

    with pytest.raises(InputError, match=r"^rules: EBGM needs a prior, .*; got neither$"):
        replay_history(
            sources(),
            CUMULATIVE,
            load_rules("eb05"),
            every=1,
            horizon=date(2024, 12, 31),
            refit_every=None,
        )
