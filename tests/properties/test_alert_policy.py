"""The policy recounted: after any history, the published revisions are those that are due.

The recount keeps cases in dictionaries, and asks of every pair what
docs/consume/alert-by-example.md says.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from scipy.special import gammaincinv

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.signals.realert_policy import AlertPolicy
from tests.support.deltas import case_change, make_delta
from tests.support.policy_histories import POLICIES, RULES, SENT, STEPS, Case, with_alarm

FIRST_DAY = 19_700
PAIR = tuple[str, str]
Due = tuple[str, set[str], set[str], str]
"""Kind, reasons, rules on and grade."""
BOUNDS = ("ror_lower", "ic_lower")


@dataclass
class Seen:
    """State of a pair at the last evaluation."""

    cases: dict[str, Case]
    entered: frozenset[str] | None  # None: a restart forgot


@dataclass
class Subscriber:
    """Counts cases itself, and remembers of the detector no more than what it published."""

    policy: AlertPolicy
    alarm: set[str] = field(default_factory=lambda: {"ratio"})  # rules of that grade
    cases: dict[str, Case] = field(default_factory=dict)
    told: dict[PAIR, Alert] = field(default_factory=dict)
    due: dict[PAIR, list[tuple[bool, date]]] = field(default_factory=dict)
    seen: dict[PAIR, Seen] = field(default_factory=dict)
    touched: set[PAIR] = field(default_factory=set)

    def due_day(self, pair: PAIR, alert: Alert) -> date:
        """The earliest day of the revisions since the pair went on, or off."""
        days = 3 if alert.urgent else 30
        history = self.due.setdefault(pair, [])
        history.append((bool(alert.rules_fired), alert.evaluated_on + timedelta(days=days)))
        current = takewhile(lambda one: one[0] == history[-1][0], reversed(history))
        return min(day for _, day in current)

    def send(self, name: str, case: Case | None) -> list[tuple[str, Case, int]]:
        """Take a version of a case; return the changes of the counts."""
        changes = []
        if name in self.cases:
            changes.append((name, self.cases.pop(name), -1))
        if case is not None:
            self.cases[name] = case
            changes.append((name, case, 1))
        self.touched |= {(d, e) for _, form, _ in changes for d in form.drugs for e in form.events}
        return changes

    def of(self, pair: PAIR) -> dict[str, Case]:
        drug, event = pair
        return {
            name: case
            for name, case in self.cases.items()
            if drug in case.drugs and event in case.events
        }

    def numbers(self, pair: PAIR) -> tuple[int, float | None, float | None]:
        """Cases, PRR and IC025 of a pair, by their textbook formulas."""
        n = len(self.of(pair))
        total = len(self.cases)
        with_drug = sum(pair[0] in case.drugs for case in self.cases.values())
        with_event = sum(pair[1] in case.events for case in self.cases.values())
        above, below = n * (total - with_drug), (with_event - n) * with_drug
        prr = above / below if below else (math.inf if above else None)
        if total == 0:
            return n, prr, None
        expected = with_drug * with_event / total
        return n, prr, math.log2(gammaincinv(n + 0.5, 0.025) / (expected + 0.5))

    def rules(self, pair: PAIR) -> tuple[set[str], set[str]]:
        """Which rules fire for a pair, and which would stay on."""
        n, prr, ic = self.numbers(pair)
        fire, stay = set(), set()
        if prr is not None and n >= 2:
            fire |= {"ratio"} if prr >= 1.7321 else set()
            stay |= {"ratio"} if prr >= 1.2345 else set()
        if n > 5 or (ic is not None and ic > -1.2345):
            fire.add("bound")
        if n > 5 or (ic is not None and ic >= -1.8765):
            stay.add("bound")
        return fire, stay

    def expect(self, scope: Iterable[PAIR]) -> dict[PAIR, Due]:
        """Return the revision due of each pair: kind, reasons, rules on; `-` is suppressed."""
        due = {}
        for pair in scope:
            found = self._of_pair(pair)
            if found is not None:
                due[pair] = found
        return due

    def _of_pair(self, pair: PAIR) -> Due | None:
        fire, stay = self.rules(pair)
        now = self.of(pair)
        last = self.told.get(pair)
        seen = self.seen.get(pair, Seen({}, frozenset()))
        self.seen[pair] = Seen(now, frozenset(fire))
        if last is None:
            return ("new", {"first"}, fire, self._grade(fire, "")) if fire else None
        was = set(last.rules_fired)
        on = fire | (was & stay)
        grade = self._grade(on, last.grade.value)
        step = {
            ("alarm", "screening"): {"no_longer_alarm"},
            ("screening", "alarm"): {"now_alarm"},
        }.get((last.grade.value, grade), set())
        gone = seen.cases.keys() - now.keys()
        named = bool(gone & set(last.case_ids))
        if not (was or on):
            return ("update", {"cases_retracted"}, on, grade) if named else None
        if not was:
            return "strengthened", {"reopened"} | step, on, grade
        fewer = bool(gone) and len(now) < last.counts.n_observed
        into_band = bool(gone) and bool((was & on) - fire)
        why = set()
        if named or fewer or into_band or (gone and was - on):
            why.add("cases_retracted")
        if not on:
            why.add("no_rule_on")
            return ("retraction" if "cases_retracted" in why else "closed", why, on, grade)
        if was - on:
            why.add("rule_off")
        news, kept_back = self._news(pair, last, seen, now, on - was)
        withdrawn = self._withdrawn(last, seen, now)
        why |= news | step | ({"facts_withdrawn"} if withdrawn else set())
        if step:
            return ("weakened" if grade == "screening" else "strengthened"), why, on, grade
        if was - on or fewer or into_band:
            return "weakened", why, on, grade
        if news:
            return "strengthened", why, on, grade
        if named or withdrawn:
            return "update", why, on, grade
        changed = set() if seen.entered is None else (fire ^ seen.entered) & was
        if not (changed or pair in self.touched):
            return None
        return "-", {self._silence(last, now, fire, changed, bool(gone), kept_back)}, on, grade

    def _grade(self, on: set[str], last: str) -> str:
        if not on:
            return last
        return "alarm" if on & self.alarm else "screening"

    def _news(
        self, pair: PAIR, last: Alert, seen: Seen, now: dict[str, Case], gained: set[str]
    ) -> tuple[set[str], bool]:
        policy, n, ic = self.policy, len(now), self.numbers(pair)[2]
        more, rise = policy.more_cases, policy.ic_lower_rise
        before = last.counts.n_observed, last.statistics.ic_lower
        published = {
            *(["fatal"] if last.n_fatal else []),
            *(["child"] if last.n_paediatric else []),
            *last.regions,
        }
        first = {
            facet
            for facet in ("fatal", "child", "japan", "asia", "europe")
            if facet not in published
            and _having(facet, now.values()) > _having(facet, seen.cases.values())
        }
        there = {
            "further_rule": bool(gained),
            "first_fatal": "fatal" in first,
            "first_paediatric": "child" in first,
            "new_region": bool(first - {"fatal", "child"}),
        }
        news = {name for name, holds in there.items() if holds and getattr(policy, name)}
        if more and n >= before[0] + more and n >= policy.more_cases_factor * before[0]:
            news.add("more_cases")
        if rise and ic is not None and before[1] is not None and ic - before[1] >= rise:
            news.add("ic_rose")
        return news, any(holds and not getattr(policy, name) for name, holds in there.items())

    def _withdrawn(self, last: Alert, seen: Seen, now: dict[str, Case]) -> bool:
        stayed = {name: case for name, case in seen.cases.items() if name in now}
        published = {
            *(["fatal"] if last.n_fatal else []),
            *(["child"] if last.n_paediatric else []),
            *last.regions,
        }
        return any(
            _having(facet, now.values()) == 0 and _having(facet, stayed.values()) > 0
            for facet in published
        )

    def _silence(
        self,
        last: Alert,
        now: dict[str, Case],
        fire: set[str],
        changed: set[str],
        gone: bool,
        kept_back: bool,
    ) -> str:
        if kept_back:
            return "switched_off"
        if changed:
            return "within_band" if changed - fire else "entry_regained"
        if len(now) > last.counts.n_observed:
            return "few_more_cases"
        return "unnamed_case_left" if gone else "no_material_change"


def _having(facet: str, cases: Iterable[Case]) -> int:
    return sum(facet in case.facets for case in cases)


@dataclass
class World:
    """A detector that may stop at any time, and the subscriber."""

    rules: RuleSet
    subscriber: Subscriber
    day: int = FIRST_DAY
    offset: int = 0
    received: dict[str, date] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.detector = self._fresh()

    def _fresh(self) -> Detector:
        windows = [WindowSpec.parse("cumulative")]
        return Detector(windows, self.rules, policy=self.subscriber.policy)

    def send(self, name: str, case: Case | None) -> None:
        changes = self.subscriber.send(name, case)
        day = self.received.setdefault(name, date(1970, 1, 1) + timedelta(days=self.day))
        rows = []
        for name, form, n in changes:
            pair = {"drugs": sorted(form.drugs), "events": sorted(form.events)}
            who = {"age_group": form.age, "region": form.region, "fatal": form.fatal}
            rows.append(case_change(name, day=day, n=n, **pair, **who))
        delta = make_delta(self.offset, rows, next_offset=self.offset + 1, watermark=self.day)
        self.detector.apply(delta)
        self.offset += 1

    def restart(self) -> None:
        """Stop and start anew from the counts and the last alert of every signal, no more."""
        stopped = self.detector
        rows, facts = stopped.snapshot()
        self.detector = self._fresh()
        self.detector.restore(rows, facts)
        published = [
            Alert.model_validate_json(alert.model_dump_json())
            for alert in self.subscriber.told.values()
        ]
        self.detector.restore_signals(published)
        self.detector.settle()
        assert _published(self.detector) == _published(stopped)
        for seen in self.subscriber.seen.values():
            seen.entered = None

    def regrade(self) -> None:
        """Restart with the other rule as the alarm's."""
        self.rules = with_alarm(self.rules, {"ratio", "bound"} - self.subscriber.alarm)
        self.subscriber.alarm = {rule.name for rule in self.rules.rules if rule.grade == "alarm"}
        self.restart()

    def look(self, *, touched_only: bool) -> None:
        subscriber = self.subscriber
        pairs = {(d, e) for d in "ab" for e in "xyz"}
        due = subscriber.expect(subscriber.touched & pairs if touched_only else pairs)
        alerts = self.detector.evaluate(self.day, touched_only=touched_only)
        silent = list(self.detector.suppressions())
        subscriber.touched.clear()
        found: dict[PAIR, Due] = {}
        for alert in alerts:
            pair = alert.drug, alert.event
            before = subscriber.told.get(pair)
            assert alert.revision == (1 if before is None else before.revision + 1)
            reasons = {reason.value for reason in alert.reasons}
            found[pair] = alert.kind.value, reasons, set(alert.rules_fired), alert.grade.value
            assert (alert.previous and alert.previous.grade) == (before and before.grade)
            assert {one.name for one in alert.rules if one.grade == "alarm"} == subscriber.alarm
            fire, _ = subscriber.rules(pair)
            held = {rule.name for rule in alert.rules if rule.held}
            assert held == set(alert.rules_fired) - fire
            assert alert.due == subscriber.due_day(pair, alert)
            assert (alert.previous and alert.previous.due) == (before and before.due)
            if alert.due != alert.own_due:
                event("due since an earlier revision")
            subscriber.told[pair] = alert
            event(alert.kind.value)
            for step in reasons & {"now_alarm", "no_longer_alarm"}:
                event(step)
        assert found == {pair: what for pair, what in due.items() if what[0] != "-"}
        expected = {f"{d}|{e}|cumulative": why for (d, e), (k, why, *_) in due.items() if k == "-"}
        assert {one.signal_key: {one.reason.value} for one in silent} == expected
        if not touched_only:
            self._agrees()
        self.day += 1

    def _agrees(self) -> None:
        """Hold what subscribers believe against what is."""
        for pair, alert in self.subscriber.told.items():
            fire, stay = self.subscriber.rules(pair)
            on = set(alert.rules_fired)
            assert on <= stay, "on for the subscriber, though past the exit"
            if self.subscriber.policy.further_rule or not on:
                assert fire <= on, "fires, and the subscriber does not know"
            cases = self.subscriber.of(pair)
            assert set(alert.case_ids) <= set(cases), "a case was retracted in silence"
            if on:
                assert alert.counts.n_observed <= len(cases)


def _published(detector: Detector) -> list[Any]:
    """The published state of every signal, as far as decisions rest on it."""
    found = []
    for label, signals in sorted(detector.signals.items()):
        rows = signals.rows
        bounds = [np.where(np.isfinite(rows[name]), rows[name], 1e9) for name in BOUNDS]
        whole = ["key", "revision", "kind", "grade", "evaluated_on", "due", "on"]
        whole += ["n_observed", "facets"]
        exact = rows[whole]
        named = {key: sorted(hashes.tolist()) for key, hashes in signals.named.items()}
        if len(rows):
            found.append((label, exact.tolist(), [bound.tolist() for bound in bounds], named))
    return found


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    path: Path = tmp_path_factory.mktemp("rules") / "own.toml"
    path.write_text(RULES, encoding="utf-8")
    return with_alarm(load_rules(path), {"ratio"})


@settings(deadline=None, max_examples=80, report_multiple_bugs=False)
@given(
    policy=POLICIES,
    known=st.lists(SENT, min_size=8, max_size=20),
    steps=st.lists(STEPS, min_size=10, max_size=40),
)
def test_what_is_told_is_what_the_recount_says(
    rules: RuleSet, policy: AlertPolicy, known: list[Any], steps: list[Any]
) -> None:
    world = World(rules, Subscriber(policy))
    restarted = False
    for step in [*known, "look", *steps, "look"]:
        if isinstance(step, tuple):
            world.send(*step)
        elif step in ("restart", "regrade"):
            # A restart forgets the changes since the last evaluation, so it happens after one.
            world.look(touched_only=False)
            (world.restart if step == "restart" else world.regrade)()
            restarted = True
        else:
            world.look(touched_only=step == "touched")
    event("restarted" if restarted else "straight")
