"""The texts of signal alerts keep their rules after any history, in every window.

The rules are in `tests.support.wording_rules`, which parses the texts with expressions of its own.
"""

from datetime import date, timedelta

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert
from schemas.alert_reason import AlertReason
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.signals.realert_policy import load_policy
from streams.core.wording.catalogue import Language
from streams.core.wording.signal_text import signal_texts
from tests.support.deltas import case_change, make_delta
from tests.support.wording_measures import numbers_of
from tests.support.wording_rules import broken_rules

FIRST_DAY = 19_700
DRUGS, EVENTS = ("FLU3", "zetamab"), ("Sepsis", "Muscular weakness", "Risk-taking behaviour")
WINDOWS = ("cumulative", "month", "quarter", "sliding:40")
POLICY = load_policy().model_copy(
    update={"more_cases": 2, "more_cases_factor": 1.2, "ic_lower_rise": 0.3}
)
RULES = (
    load_rules(["mhra", "ema", "ic", "ema2006"]),
    load_rules(["mhra", "ic", "safe"]),
    load_rules(["mhra"], screening=["screening", "ic"]),
    load_rules(["safe", "tocsin"], screening=["screening"]),
)
SEQUENTIAL = {1, 3}  # of the rules: the test needs the cumulative window
CASE = st.fixed_dictionaries(
    {
        "drugs": st.sampled_from([["FLU3"], ["FLU3"], ["zetamab"], ["FLU3", "zetamab"]]),
        "events": st.sampled_from([[EVENTS[0]], [EVENTS[1]], [EVENTS[2]], list(EVENTS[:2])]),
        "fatal": st.sampled_from([False, False, False, True]),
        "age_group": st.sampled_from(["adult", "adult", "child", "unknown"]),
        "region": st.sampled_from(["unknown", "japan", "asia", "europe"]),
        "origin": st.sampled_from(["\x1f\x1fA", "US\x1fu\x1fdb"]),
    }
)
SENT = st.tuples(st.integers(0, 30), st.one_of(CASE, CASE, CASE, st.none()), st.integers(1, 12))
STEPS = st.one_of(SENT, SENT, SENT, st.integers(1, 25), st.just("restart"))


class World:
    """A detector over a background of other reports, and the alerts it published."""

    def __init__(self, which: int, window: str) -> None:
        self.rules = RULES[which]
        self.window = WindowSpec.parse("cumulative" if which in SEQUENTIAL else window)
        self.day, self.offset = FIRST_DAY, 0
        self.cases: dict[str, dict[str, object]] = {}
        self.published: dict[str, Alert] = {}
        self.detector = Detector([self.window], self.rules, policy=POLICY)
        others = [
            case_change(f"B{n}", day=_date(FIRST_DAY - n % 9), drugs=["iron"], events=[name])
            for n in range(40)
            for name in (("Fever", "Rash")[n % 2],)
        ]
        few = [
            case_change(f"C{n}", day=_date(FIRST_DAY), drugs=["iron"], events=[EVENTS[n]])
            for n in range(2)
        ]
        self._apply([*others, *few])

    def _apply(self, changes: list[dict[str, object]]) -> None:
        if changes:
            delta = make_delta(
                self.offset, changes, next_offset=self.offset + 1, watermark=self.day
            )
            self.detector.apply(delta)
            self.offset += 1

    def send(self, number: int, case: dict[str, object] | None, copies: int) -> None:
        """Send versions of cases; None takes them back."""
        changes = []
        for name in (f"A{(number + n) % 40}" for n in range(copies)):
            if name in self.cases:
                changes.append({**self.cases.pop(name), "n": -1})
            if case is not None:
                self.cases[name] = case_change(name, day=_date(self.day), **case)
                changes.append(self.cases[name])
        self._apply(changes)

    def evaluate(self) -> list[Alert]:
        alerts = list(self.detector.evaluate(self.day))
        self.published |= {alert.signal_key: alert for alert in alerts}
        return alerts

    def restart(self) -> None:
        """Restart with one rule less, so that one is no longer asked."""
        snapshot = self.detector.snapshot()
        self.rules = RuleSet(rules=self.rules.rules[:-1] or self.rules.rules)
        self.detector = Detector([self.window], self.rules, policy=POLICY)
        self.detector.restore(*snapshot)
        self.detector.restore_signals(list(self.published.values()))
        self.detector.settle()


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def _case(drug: str, term: str, **fields: object) -> dict[str, object]:
    usual = {"fatal": False, "age_group": "adult", "region": "japan", "origin": "\x1f\x1fA"}
    return {"drugs": [drug], "events": [term], **usual, **fields}


ONE = _case("FLU3", "Sepsis")
GONE: list[object] = [(0, ONE, 6), 1, (0, None, 3), 1, (0, None, 3), 1, (0, ONE, 9), 1]
MOVES: list[object] = [(0, ONE, 8), 30, (9, _case("zetamab", "Sepsis"), 9), 30]
FACTS: list[object] = [
    (0, _case("FLU3", "Muscular weakness", fatal=True, region="europe"), 4), 1,
    (0, _case("FLU3", "Muscular weakness", age_group="child"), 6), 1, "restart", 1,
]  # fmt: skip


@settings(max_examples=60)
@given(st.integers(0, 3), st.sampled_from(WINDOWS), st.lists(STEPS, min_size=3, max_size=25))
@example(0, "cumulative", GONE)
@example(0, "sliding:40", MOVES)
@example(0, "sliding:40", GONE)
@example(0, "month", MOVES)
@example(0, "cumulative", [(0, ONE, 12), 1])
@example(1, "cumulative", GONE)
@example(2, "quarter", FACTS)
@example(3, "cumulative", FACTS)
def test_texts_keep_their_rules_after_any_history(
    which: int, window: str, steps: list[object]
) -> None:
    world = World(which, window)
    for step in [*steps, 1]:
        if step == "restart":
            world.restart()
        elif isinstance(step, int):
            world.day += step
            for alert in world.evaluate():
                for reason in alert.reasons:
                    event(reason.value)
                _keeps_the_rules(alert)
        else:
            assert isinstance(step, tuple)
            world.send(*step)


def _keeps_the_rules(alert: Alert) -> None:
    assert broken_rules(alert) == [], alert.sentence
    received = Alert.model_validate_json(alert.model_dump_json())
    assert signal_texts(received) == signal_texts(alert)  # a function of the alert alone
    assert signal_texts(received).sentence == alert.sentence
    japanese = signal_texts(alert, Language.JAPANESE)
    assert _numbers(alert, japanese.sentence) == _numbers(alert, alert.sentence)
    assert _numbers(alert, japanese.next_step) == _numbers(alert, alert.next_step)


def _numbers(alert: Alert, text: str) -> object:
    return numbers_of(text.replace(alert.event, "").replace(alert.drug, ""))


@pytest.mark.parametrize("reason", AlertReason)
def test_every_reason_has_a_phrase_in_both_languages(reason: AlertReason) -> None:
    world = World(0, "cumulative")
    world.send(0, ONE, 6)
    (alert, *_) = world.evaluate()
    changed = alert.model_copy(update={"reasons": (reason,)})
    for language in Language:
        _, _, what = signal_texts(changed, language).headline.partition(_colon(language))
        assert what, reason


def _colon(language: Language) -> str:
    return ": " if language is Language.ENGLISH else "："
