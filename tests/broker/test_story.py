"""The whole scenario through a real Kafka, compared with the replay step by step."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert
from schemas.notice import Notice
from schemas.report import Report
from streams.core.counting.windows import WindowSpec
from streams.demo import PRODUCT_CLASS, ScenarioStep, background, story
from streams.runtime.broker.topic_reader import close_consumer
from streams.runtime.embedded.replay import Replay
from streams.runtime.operations.publish import publish_notices, publish_source
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert, decode_alert
from streams.runtime.workers.case_partition import CasePartition
from streams.runtime.workers.case_worker import CaseWorker
from streams.runtime.workers.detect_worker import DetectWorker
from streams.runtime.workers.detector_session import DetectorSession
from streams.runtime.workers.evaluation_schedule import EvaluationSchedule
from tests.broker.support.mortal import Mortal
from tests.broker.support.processes import records, wait_until
from tests.broker.support.stages import Crash, count_all

pytestmark = pytest.mark.broker

LAST = 17
NAMES = ("mhra", "ema", "ic")
NO_SCREENING = ("--screening", "none")
LATE_DAYS = 60
SEED = 20240520
ENDED = ("retraction", "closed")
# Of a safety alert, what depends on how often somebody looked, and not on what is known in the end.
OF_THE_WAY = {
    *("as_of", "alert_id", "revision", "kind", "reason", "evaluated_on", "was", "changes"),
    *("due", "own_due"),
    *("headline", "sentence", "next_step"),
}
# Of another one, what does not: margins move without a new revision.
OF_THE_END = {"signal_key", "case_ids", "rules_fired", "n_fatal", "n_serious"}


def rules() -> RuleSet:
    return load_rules(list(NAMES), lists={"additional_monitoring": [PRODUCT_CLASS]})


class OnEmbeddedLog:
    """The scenario without a broker: what each step says, and what is counted in the end."""

    def __init__(self, *, refuted: bool) -> None:
        self.steps = story(refuted=refuted)
        of_day: dict[date, list[AnyAlert]] = defaultdict(list)
        run = Replay(
            [WindowSpec.parse("cumulative")],
            rules(),
            every=1,
            until=None,
            horizon=date(2024, 12, 31),
            on_alert=lambda alert: of_day[alert.evaluated_on].append(alert),
            on_safety_alert=lambda alert: of_day[alert.evaluated_on].append(alert),
            on_rejected=lambda rejected: pytest.fail(str(rejected)),
            notices=[entry.item for entry in self.steps if isinstance(entry.item, Notice)],
        )
        reports = [entry.item for entry in self.steps if isinstance(entry.item, Report)]
        for _ in run.feed("story", enumerate([*background(), *reports], start=1)):
            pass
        run.finish()
        step_of = {entry.day: entry.step for entry in self.steps}  # the last one of the day
        assert of_day.keys() <= step_of.keys(), "the background says nothing"
        self.of_step = {step_of[day]: alerts for day, alerts in of_day.items()}
        self.all = [alert for step in range(1, LAST + 1) for alert in self.of_step.get(step, ())]
        self.counts = run.detector.all_counts()


on_embedded_log = lru_cache(OnEmbeddedLog)


def publish(settings: Settings, items: Iterable[Report | Notice]) -> None:
    """Publish as `tocsin publish` does."""
    found = list(items)
    reports = [item for item in found if isinstance(item, Report)]
    notices = [item for item in found if isinstance(item, Notice)]
    tally: Counter[str] = Counter()
    if reports:
        list(publish_source(settings, "story", enumerate(reports, start=1), tally))
    if notices:
        list(publish_notices(settings, "story", notices, tally))
    assert tally == Counter(reports=len(reports), notices=len(notices))


def published(settings: Settings) -> list[AnyAlert]:
    return [decode_alert(record.value) for record in records(settings, "alerts")]


def of(steps: Iterable[ScenarioStep], step: int) -> list[Report | Notice]:
    return [entry.item for entry in steps if entry.step == step]


def make_detector(settings: Settings) -> DetectWorker:
    return DetectWorker(settings, [WindowSpec.parse("cumulative")], rules())


def abandon(worker: DetectWorker) -> None:
    """Let go of everything as the end of a process does, but at once."""
    worker.stand_by()
    close_consumer(worker._group.consumer)


class Stages:
    """A detector that evaluates once, when everything published before is received."""

    def __init__(self, settings: Settings, patched: pytest.MonkeyPatch) -> None:
        self._settings = settings
        self.detector = make_detector(settings)
        self._ends: dict[int, int] = {}
        self._seen = 0
        patched.setattr(
            "streams.runtime.workers.detector_session._MOST_UNCOUNTED", -1
        )  # counted when received, not when evaluated
        patched.setattr(
            EvaluationSchedule, "wait", lambda schedule: 0.0 if self._arrived() else 0.02
        )

    def _arrived(self) -> bool:
        session = self.detector._session
        assert session is not None
        counted = session.detector.offsets
        return session.notices.reached(self.detector._notice_ends) and all(
            counted.get(partition, 0) >= end for partition, end in self._ends.items()
        )

    def step(self, items: Iterable[Report | Notice]) -> list[AnyAlert]:
        """Publish, consume everything, evaluate; return the alerts."""
        publish(self._settings, items)
        count_all(self._settings)
        self._ends = self.detector.ends()
        while not self.detector.drained(self._ends):
            self.detector.step(20)
        found = published(self._settings)
        fresh, self._seen = found[self._seen :], len(found)
        return fresh

    def begin_again(self) -> None:
        abandon(self.detector)
        self.detector = make_detector(self._settings)


@pytest.fixture
def stages(one_partition: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stages]:
    stages = Stages(one_partition, monkeypatch)
    try:
        assert stages.step(background()) == [], "the background says nothing"
        yield stages
    finally:
        stages.detector.close()


def said(alerts: Iterable[AnyAlert]) -> list[tuple[str, int, str]]:
    """Return what happened to which signal."""
    return sorted((alert.signal_key, alert.revision, alert.kind.value) for alert in alerts)


def contents(alerts: Iterable[AnyAlert]) -> list[dict[str, Any]]:
    """Return all of alerts, but the offsets of their input."""
    ordered = sorted(alerts, key=lambda one: (one.signal_key, one.revision))
    return [alert.model_dump(exclude={"as_of", "snapshot_id"}) for alert in ordered]


def end_state(alerts: Iterable[AnyAlert]) -> Mapping[str, Any]:
    """Return the final state of every signal that is still open."""
    last = {alert.signal_key: alert for alert in alerts}
    return {
        key: alert.model_dump(include=OF_THE_END)
        if isinstance(alert, Alert)
        else alert.model_dump(exclude=OF_THE_WAY)
        for key, alert in last.items()
        if alert.kind not in ENDED
    }


def require_exactly_once(alerts: Sequence[AnyAlert]) -> None:
    """Check that revisions are 1, 2, 3 ... of every signal, `new` is said once, no id twice."""
    by_signal: dict[str, list[AnyAlert]] = defaultdict(list)
    for alert in alerts:
        by_signal[alert.signal_key].append(alert)
    for revisions in by_signal.values():
        assert [revision.revision for revision in revisions] == list(range(1, len(revisions) + 1))
        assert [revision.kind == "new" for revision in revisions] == [
            True,
            *[False] * (len(revisions) - 1),
        ]
    assert len({alert.alert_id for alert in alerts}) == len(alerts)


@pytest.mark.parametrize("refuted", [False, True], ids=["16A", "16B"])
def test_every_step_gives_the_same_alerts_on_kafka_and_in_a_replay(
    stages: Stages, refuted: bool
) -> None:
    expected = on_embedded_log(refuted=refuted)
    found: list[AnyAlert] = []
    for step in range(1, LAST + 1):
        fresh = stages.step(of(expected.steps, step))
        # To the last bit of every statistic: they are compared as they are.
        assert contents(fresh) == contents(expected.of_step.get(step, ())), f"step {step}"
        found += fresh
    require_exactly_once(found)
    assert min(step for step, alerts in expected.of_step.items() if alerts) == 2
    counts = stages.detector.counts()
    assert counts is not None
    assert counts.equals(expected.counts)


MOMENTS = ("before it is published", "after it is published", "during an evaluation")


@pytest.mark.parametrize("seed", [SEED])
def test_a_crash_at_any_step_neither_repeats_nor_loses_an_alert(
    one_partition: Settings, stages: Stages, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    expected = on_embedded_log(refuted=False)
    chance = random.Random(seed)
    found: list[AnyAlert] = []
    crashed: Counter[str] = Counter()
    for step in range(1, LAST + 1):
        moment = chance.choice(MOMENTS)
        of_cases = chance.random() < 0.3
        with monkeypatch.context() as patched:
            if of_cases:
                patched.setattr(CasePartition, "_send", crashing(moment, CasePartition))
            elif moment == MOMENTS[2]:
                patched.setattr(DetectorSession, "evaluate", crashing(moment, DetectorSession))
            else:
                patched.setattr(DetectWorker, "_publish", crashing(moment, DetectWorker))
            try:
                fresh = stages.step(of(expected.steps, step))
            except Crash:
                crashed[f"{'case worker' if of_cases else 'detector'} {moment}"] += 1
                fresh = None
        if fresh is None:
            if not of_cases:
                stages.begin_again()
            fresh = stages.step(())
        assert said(fresh) == said(expected.of_step.get(step, ())), f"step {step}, {crashed}"
        found += fresh
    assert crashed.total() > LAST // 2, crashed
    assert len({what.split()[0] for what in crashed}) == 2
    require_exactly_once(found)
    assert end_state(found) == end_state(expected.all)
    assert latest_by_signal(one_partition) == {alert.signal_key: alert for alert in found}


def crashing(moment: str, owner: type[Any]) -> Callable[..., None]:
    """Return the method of that class around publishing, with a crash in it."""
    name = {CasePartition: "_send", DetectorSession: "evaluate", DetectWorker: "_publish"}[owner]
    original = getattr(owner, name)

    def crash(self: Any, *arguments: Any) -> None:
        if moment != MOMENTS[0]:
            original(self, *arguments)
        while owner is CasePartition and moment == MOMENTS[1] and not self.publisher.settled():
            pass  # at the third moment it is under way
        raise Crash

    return crash


def latest_by_signal(settings: Settings) -> dict[str, AnyAlert]:
    """Return the state of every signal as the compacted topic has it."""
    return {
        record.key.decode(): decode_alert(record.value) for record in records(settings, "signals")
    }


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_repeated_and_shuffled_input_gives_the_same_end_state(
    topics: Settings, tmp_path: Path, seed: int
) -> None:
    settings = topics.model_copy(update={"state_dir": tmp_path, "session_timeout_ms": 6_000})
    expected = on_embedded_log(refuted=False)
    chance = random.Random(seed)
    publish(settings, background())
    late = [
        (entry.day + timedelta(days=chance.randrange(LATE_DAYS)), chance.random(), entry.item)
        for entry in [*expected.steps, *expected.steps]
    ]
    shuffled = [item for *_, item in sorted(late, key=lambda one: one[:2])]
    with closing(CaseWorker(settings)) as cases, closing(make_detector(settings)) as detector:
        while shuffled:
            number = chance.randint(1, 4)
            publish(settings, shuffled[:number])
            shuffled = shuffled[number:]
            for _ in range(chance.randrange(6)):
                cases.step(20)
                detector.step(20)
        ends = detector.ends()
        while not (cases.drained(ends) and detector.drained(ends)):
            cases.step(20)
            detector.step(20)
        counts = detector.counts()
    assert counts is not None
    assert counts.equals(expected.counts)
    found = published(settings)
    require_exactly_once(found)
    assert end_state(found) == end_state(expected.all)


@pytest.mark.parametrize("seed", [SEED])
def test_killed_processes_give_the_same_end_state_exactly_once(
    one_partition: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    expected = on_embedded_log(refuted=False)
    chance = random.Random(seed)
    watched = tmp_path / "additional.txt"
    watched.write_text(PRODUCT_CLASS)
    options = (
        "--rules",
        ",".join(NAMES),
        *NO_SCREENING,
        "--list",
        f"additional_monitoring={watched}",
    )
    steps_of_cases = {entry.step for entry in expected.steps if isinstance(entry.item, Report)}
    dying = {step: "detect" for step in chance.sample(sorted(expected.of_step), 4)}
    dying |= {step: "cases" for step in chance.sample(sorted(steps_of_cases - dying.keys()), 2)}
    publish(one_partition, background())
    workers: dict[str, Mortal] = {}
    try:
        workers["cases"] = Mortal(one_partition, tmp_path, monkeypatch, "cases", "took ")
        workers["detect"] = Mortal(
            one_partition, tmp_path, monkeypatch, "detect", "detecting from", *options
        )
        for step in range(1, LAST + 1):
            give = partial(publish, one_partition, of(expected.steps, step))
            if step in dying:
                workers[dying[step]].dies_of(give)
            else:
                give()
        wanted = end_state(expected.all)
        try:
            wait_until(lambda: end_state(published(one_partition)) == wanted, 45, "the same end")
        except AssertionError:
            assert end_state(published(one_partition)) == wanted  # says what differs
            raise
        for worker in workers.values():
            worker.stop()
    finally:
        for worker in workers.values():
            worker.kill()
    found = published(one_partition)
    require_exactly_once(found)
    assert end_state(found) == wanted
    assert latest_by_signal(one_partition) == {alert.signal_key: alert for alert in found}
