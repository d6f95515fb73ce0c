"""Two histories side by side: what would be gained, lost, earlier and later."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import product

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2_contingency, gamma

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert, AlertKind, SignalGrade, Window, WindowKind
from schemas.errors import InputError
from schemas.report import Report
from streams.core.cases.permutation import Block, permute_products
from streams.core.counting.windows import WindowSpec
from streams.runtime.embedded.backtest import (
    BacktestResult,
    History,
    compare,
    replay_cases,
    replay_history,
)
from tests.support.reports import domain_report, make_report

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
    kind: AlertKind,
    day: int,
    window: str = "cumulative",
    grade: SignalGrade = SignalGrade.ALARM,
    *,
    rules: tuple[str, ...] = ("ic",),
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
        rules_fired=() if kind is AlertKind.CLOSED else rules,
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
    assert told[:-1] == [2] * 6, "two on each day"
    history = told[-1]
    assert isinstance(history, History)
    assert history.messages == 12
    assert history.cases.height == 0, "they were not asked for"
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


def test_a_rule_is_dated_by_the_first_alert_that_has_it_on_in_any_window() -> None:
    history = History()
    history.record(_alert(AlertKind.NEW, 4, rules=("ic",)))
    history.record(_alert(AlertKind.NEW, 5, "2024-01", rules=("ic", "mhra")))
    history.record(_alert(AlertKind.CLOSED, 6))
    history.record(_alert(AlertKind.STRENGTHENED, 7, rules=("ema", "ic", "mhra")))
    pair = ("a", "rash")
    assert history.first_on == {
        "ic": {pair: date(2024, 1, 4)},
        "mhra": {pair: date(2024, 1, 5)},
        "ema": {pair: date(2024, 1, 7)},
    }


def _mixed(size: int) -> list[Report]:
    """Reports, eight a day, with one or two drugs, and an event that is independent of them."""
    rng = np.random.default_rng(5)
    return [
        make_report(
            f"{n:04}",
            day=JANUARY + timedelta(days=n // 8),
            drugs=[f"drug {k}" for k in rng.choice(12, 1 + n % 2, replace=False)],
            events=[f"Event {rng.integers(12)}"],
        )
        for n in range(size)
    ]


def _real(reports: list[Report], rules: RuleSet) -> History:
    *_, history = replay_history(
        [("all", enumerate(reports, 1))],
        CUMULATIVE,
        rules,
        every=1,
        horizon=date(2024, 12, 31),
        refit_every=None,
        keep_cases=True,
    )
    assert isinstance(history, History)
    return history


def _null(cases: pl.DataFrame, rules: RuleSet, *, seed: int = 1) -> History:
    permuted = permute_products(cases, [Block.DAY], seed=seed)
    *done, history = replay_cases(permuted, CUMULATIVE, rules, every=1)
    assert sum(number for number in done if isinstance(number, int)) == cases.height
    assert isinstance(history, History)
    return history


def _first_days(
    cases: pl.DataFrame, fires: Callable[[int, int, int, int], bool]
) -> dict[tuple[str, str], date]:
    """Return the day on which a rule first fires for each pair, counted case by case."""
    found: dict[tuple[str, str], date] = {}
    so_far: list[tuple[list[str], list[str]]] = []
    for day in sorted(set(cases["day"].to_list())):
        so_far += cases.filter(pl.col("day") == day).select("drugs", "events").rows()
        for pair in {pair for drugs, events in so_far for pair in product(drugs, events)}:
            n = sum(pair[0] in drugs and pair[1] in events for drugs, events in so_far)
            n_drug = sum(pair[0] in drugs for drugs, _ in so_far)
            n_event = sum(pair[1] in events for _, events in so_far)
            if pair not in found and fires(n, n_drug, n_event, len(so_far)):
                found[pair] = day
    return found


def _ic(n: int, n_drug: int, n_event: int, n_total: int) -> bool:
    return bool(gamma.ppf(0.025, n + 0.5, scale=1 / (n_drug * n_event / n_total + 0.5)) > 1)


def _mhra(n: int, n_drug: int, n_event: int, n_total: int) -> bool:
    if n < 3:
        return False
    table = [[n, n_drug - n], [n_event - n, n_total - n_drug - n_event + n]]
    if n_event == n or n_total == n_drug:
        return False
    ratio = n / n_drug / ((n_event - n) / (n_total - n_drug))
    return ratio >= 2 and chi2_contingency(table, correction=True).statistic >= 4


def test_a_null_alerts_as_a_recount_of_its_permuted_cases_does() -> None:
    rules = load_rules(["ic", "mhra"])
    cases = _real(_mixed(160), rules).cases
    n_alerted = 0
    for seed in range(1, 5):
        permuted = permute_products(cases, [Block.DAY], seed=seed)
        history = _null(cases, rules, seed=seed)
        of_ic, of_mhra = _first_days(permuted, _ic), _first_days(permuted, _mhra)
        assert history.first_on.get("ic", {}) == of_ic
        assert history.first_on.get("mhra", {}) == of_mhra
        n_alerted += len(of_ic) + len(of_mhra)
        pairs = {
            pair
            for drugs, events in permuted.select("drugs", "events").rows()
            for pair in product(drugs, events)
        }
        assert history.n_pairs == len(pairs)
    assert n_alerted > 4, "the rules do alert in the null"


def test_a_null_depends_on_its_seed_alone() -> None:
    rules = load_rules("ic")
    cases = _real(_mixed(160), rules).cases
    nulls = [_null(cases, rules, seed=seed).first_alert for seed in (3, 3, 4, 5, 6)]
    assert nulls[0] == nulls[1]
    assert any(null != nulls[0] for null in nulls[2:])


def test_pairs_of_levels_are_reported_as_they_are_scored() -> None:
    # Drugs: the class, its lot and the class above it; events: the term and its family, which is
    # scored with the two classes only.
    history = _real([domain_report("A", JANUARY)], load_rules("ic"))
    lots = [domain_report("A", JANUARY, product={"lot": "EX1"})]
    assert _real(lots, load_rules("ic")).n_pairs == history.n_pairs + 1
