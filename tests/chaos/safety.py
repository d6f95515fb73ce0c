"""Series of patients and deaths among the reports of a chaos run, and the recount of their alerts.

A series is described by notices, each with more patients than the one before, which arrive in any
order and again. A death is a case with a product of the domain's vocabulary; some are nullified
later. The recount shares no code with Tocsin: of a series the largest number of patients that its
notices say, of a case its highest version, each among the messages before an alert's offsets.
"""

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from streams.runtime.settings import Settings
from tests.chaos.batch import Link, Version
from tests.chaos.following import Following
from tests.chaos.reports import DAYS, FIRST_DAY, Sent

__all__ = ["PRODUCT", "Safety", "with_safety"]

PRODUCT = "msc-supernatant-exosome"
EACH = 250  # reports to a death, and to a series
NULLIFIED = 0.3
NOTICES = 4  # of a series

_Places = Mapping[int, int]
"""Offset up to which each partition is read."""


def with_safety(messages: Sequence[Sent], seed: int) -> list[Sent]:
    """Return the messages of a run with series and deaths among them."""
    chance = random.Random(f"safety {seed}")
    placed = [(float(at), one) for at, one in enumerate(messages)]
    for number in range(len(messages) // EACH):
        first = chance.random() * len(messages)
        placed.append((first, _death(number, 1, _day(first, messages), nullified=False)))
        if chance.random() < NULLIFIED:
            then = first + chance.random() * (len(messages) - first)
            placed.append((then, _death(number, 2, _day(then, messages), nullified=True)))
        for index in range(NOTICES):
            at = chance.random() * len(messages)
            notice = _notice(number, index, _day(at, messages))
            placed += [(at, notice), (at + chance.random() * 500, notice)][: chance.choice((1, 2))]
    return [one for _, one in sorted(placed, key=lambda pair: pair[0])]


def _day(at: float, messages: Sequence[Sent]) -> date:
    return FIRST_DAY + timedelta(days=int(at * DAYS / len(messages)))


def _death(number: int, version: int, day: date, *, nullified: bool) -> Sent:
    case = f"DEATH-{number:04}"
    report: dict[str, object] = {
        "case_id": case,
        "version": version,
        "message_id": f"{case}.{version}",
        "source": "chaos",
        "first_received": str(day),
        "latest_received": str(day),
        "seriousness": ["death"],
        "products": [{"product_class": PRODUCT, "role": "suspect"}],
        "reactions": [{"term": f"event of {case}"}],  # one case each: no pair of it stands out
    }
    if nullified:
        report["revision"] = {"kind": "nullification", "reason": "sent in error"}
    return Sent(case.encode(), json.dumps(report).encode(), "death")


def _notice(number: int, index: int, day: date) -> Sent:
    subject = f"SERIES-{number:04}"
    notice = {
        "notice_id": f"{subject}.{index}",
        "subject_id": subject,
        "kind": "aggregate",
        "source": "press",
        "received": str(day),
        "patients": {"at_least": 2 + index},
    }
    return Sent(subject.encode(), json.dumps(notice).encode(), "notice", "notices")


class Safety:
    """Every safety alert published so far, and the errors found.

    Parameters
    ----------
    settings
        How to reach the brokers behind the proxy.
    """

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.topic_prefix
        names = ("notices", "alerts", "signals")
        self._topics = {name: Following(settings, name) for name in names}
        self._notices: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        self._alerts: list[dict[str, Any]] = []
        self._checked = 0
        self._last: dict[str, dict[str, Any]] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self.notices = 0

    def close(self) -> None:
        for topic in self._topics.values():
            topic.close()

    def is_complete(self) -> bool:
        """Return whether the last alert of every series agrees with its notices."""
        self._read()
        last = {alert["signal_key"]: alert for alert in self._alerts}
        return all(
            (alert := last.get(f"CASE_SERIES|{subject}")) is not None
            and _says(alert) == max(patients for *_, patients in notices)
            for subject, notices in self._notices.items()
        )

    def compare(self, reports: Mapping[int, Sequence[Version | Link | None]]) -> list[str]:
        """Return the errors in the new alerts, and in the current state of the signals."""
        self._read()
        deaths: dict[str, list[tuple[int, int, Version]]] = defaultdict(list)
        for partition, messages in reports.items():
            for offset, one in enumerate(messages):
                if isinstance(one, Version) and PRODUCT in one.drugs:
                    deaths[one.case].append((partition, offset, one))
        wrong = [what for alert in self._fresh() for what in self._wrong_with(alert, deaths)]
        everything = dict.fromkeys(reports, 1 << 62)
        keys = {f"CASE_SERIES|{name}" for name in self._notices} | {
            f"FATAL_CASE|{n}" for n in deaths
        }
        for key in keys:
            expected = self._recount(key, deaths, everything, None)
            alert = self._last.get(key)
            got = None if alert is None else _says(alert)
            if got != expected:
                wrong.append(f"safety: {key} must stand at {expected}; got {got}")
        if self._states != self._last:
            wrong.append("signals: the state of some safety alert is not its last one")
        return wrong

    @property
    def found(self) -> int:
        """Return the number of alerts."""
        return len(self._alerts)

    def _read(self) -> None:
        for record in self._topics["notices"].rest():
            notice = json.loads(record.value)
            said = (record.partition, record.offset, notice["patients"]["at_least"])
            self._notices[notice["subject_id"]].append(said)
            self.notices += 1
        for record in self._topics["alerts"].rest():
            if "category" in (alert := json.loads(record.value)):
                self._alerts.append(alert)
        for record in self._topics["signals"].rest():
            if "category" in (alert := json.loads(record.value)):
                self._states[alert["signal_key"]] = alert

    def _fresh(self) -> list[dict[str, Any]]:
        fresh, self._checked = self._alerts[self._checked :], len(self._alerts)
        return fresh

    def _wrong_with(
        self, alert: dict[str, Any], deaths: Mapping[str, list[tuple[int, int, Version]]]
    ) -> list[str]:
        key = alert["signal_key"]
        name = f"safety: {key} revision {alert['revision']}"
        before = self._last.get(key)
        self._last[key] = alert
        wrong = []
        if alert["revision"] != (before["revision"] if before else 0) + 1:
            wrong.append(f"{name} out of turn")
        said, said_before = _says(alert), _says(before) if before else None
        if said == said_before:
            wrong.append(f"{name} says again what was said: {said}")
        read: dict[str, dict[int, int]] = defaultdict(dict)
        for at in alert["as_of"]:
            read[at["topic"]][at["partition"]] = at["next_offset"]
        notices = read[f"{self._prefix}notices"]
        expected = self._recount(key, deaths, read[f"{self._prefix}reports"], notices)
        if said != expected:
            wrong.append(f"{name} must say {expected}; got {said}")
        return wrong

    def _recount(
        self,
        key: str,
        deaths: Mapping[str, list[tuple[int, int, Version]]],
        reports: _Places,
        notices: _Places | None,
    ) -> object:
        category, _, subject = key.partition("|")
        if category == "CASE_SERIES":
            said = [
                patients
                for partition, offset, patients in self._notices[subject]
                if notices is None or offset < notices.get(partition, 0)
            ]
            return max(said, default=None)
        versions = [
            one
            for partition, offset, one in deaths.get(subject, ())
            if offset < reports.get(partition, 0)
        ]
        latest = max(versions, key=lambda one: one.version, default=None)
        return [subject] if latest is not None and latest.counted else None


def _says(alert: dict[str, Any]) -> object:
    """Return the compared value: patients of a series, cases of a death; 0 once withdrawn."""
    if alert["kind"] in ("retraction", "closed"):
        return None
    if alert["category"] == "CASE_SERIES":
        return alert["patients"]["at_least"]
    return alert["case_ids"]
