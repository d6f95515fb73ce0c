"""The whole scenario through a real Kafka, held against the embedded log step by step."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert
from schemas.notice import Notice
from schemas.report import Report
from schemas.safety_alert import SafetyAlert
from streams.demo import PRODUCT_CLASS, Told, background, story
from streams.runtime.alert_reading import AnyAlert, decode_alert
from streams.runtime.case_worker import CaseWorker
from streams.runtime.detect_worker import DetectWorker
from streams.runtime.following import end_offsets
from streams.runtime.publishing import publish_notices, publish_source
from streams.runtime.replay import Replay
from streams.runtime.settings import Settings
from streams.topology.windows import WindowSpec
from tests.broker.processes import Running, records, require_revisions, running, tocsin, wait_until

pytestmark = pytest.mark.broker

LAST = 17
RULES = ("--rules", "mhra,ema,ic")


def rules() -> RuleSet:
    return load_rules(["mhra", "ema", "ic"], lists={"additional_monitoring": [PRODUCT_CLASS]})


def on_embedded_log(told: Sequence[Told]) -> dict[int, list[AnyAlert]]:
    """Return the alerts of each step: those of its day, if it is the last step of that day."""
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
        notices=[entry.item for entry in told if isinstance(entry.item, Notice)],
    )
    reports = [*background(), *(one.item for one in told if isinstance(one.item, Report))]
    for _ in run.feed("story", enumerate(reports, start=1)):
        pass
    run.finish()
    step_of = {entry.day: entry.step for entry in told}  # the last one of the day
    assert of_day.keys() <= step_of.keys(), "the background says nothing"
    return {step_of[day]: alerts for day, alerts in of_day.items()}


def publish(settings: Settings, items: Iterable[Report | Notice]) -> None:
    """Publish as `tocsin publish` does."""
    found = list(items)
    reports = [item for item in found if isinstance(item, Report)]
    notices = [item for item in found if isinstance(item, Notice)]
    tally: Counter[str] = Counter()
    for _ in publish_source(settings, "story", enumerate(reports, start=1), tally):
        pass
    for _ in publish_notices(settings, "story", notices, tally):
        pass
    assert tally == Counter(reports=len(reports), notices=len(notices))


class Stages:
    """A case worker and a detector that looks once at whatever was published before."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self._settings = settings
        self._cases = stack.enter_context(closing(CaseWorker(settings)))
        self._detector = stack.enter_context(
            closing(DetectWorker(settings, [WindowSpec.parse("cumulative")], rules()))
        )
        self._seen = 0

    def step(self, items: Iterable[Report | Notice]) -> list[AnyAlert]:
        """Publish, let everything come, look; return the alerts."""
        publish(self._settings, items)
        ends = self._cases.ends()
        while not self._cases.drained(ends):
            self._cases.step(100)
        ends = self._detector.ends()
        while not self._detector.drained(ends):
            self._detector.step(20)
        found = [decode_alert(record.value) for record in records(self._settings, "alerts")]
        fresh, self._seen = found[self._seen :], len(found)
        return fresh


def content(alert: AnyAlert) -> dict[str, Any]:
    """Return what must be the same on Kafka: all but the input's offsets."""
    return alert.model_dump(exclude={"as_of"})


def ordered(alerts: Iterable[AnyAlert]) -> list[dict[str, Any]]:
    return [content(one) for one in sorted(alerts, key=lambda one: (one.signal_key, one.revision))]


@pytest.mark.parametrize("refuted", [False, True], ids=["16A", "16B"])
def test_every_step_says_on_kafka_what_it_says_on_the_embedded_log(
    one: Settings, refuted: bool
) -> None:
    told = story(refuted=refuted)
    expected = on_embedded_log(told)
    with ExitStack() as stack:
        stages = Stages(one, stack)
        assert stages.step(background()) == []
        for step in range(1, LAST + 1):
            found = stages.step(entry.item for entry in told if entry.step == step)
            print(step, [(getattr(a,'category','SDR'), a.revision, a.kind.value) for a in found])
            assert ordered(found) == ordered(expected.get(step, [])), step
