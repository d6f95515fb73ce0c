"""What goes onto the topics of alerts and of signals, and in what order."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from kafka import TopicPartition

from schemas.alert import Alert, AlertKind, SignalLevel
from schemas.cloud_event import cloud_event_headers
from schemas.prior import PriorRefit
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from streams.runtime.observability.observer import Observer
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert, encode_alert
from streams.runtime.workers import alert_publisher
from streams.runtime.workers.alert_publisher import publish_alerts

SETTINGS = Settings.load(bootstrap="localhost:1", topic_prefix="t.")
CORRELATION = {"tocsin-correlation-id": b"0f", "traceparent": b"00-1-2-01"}


class Topics:
    """A producer whose transactions all succeed."""

    def __init__(self) -> None:
        self.held: dict[str, list[Any]] = {"t.alerts": [], "t.signals": [], "t.priors": []}
        self.commits = 0

    def begin_transaction(self) -> None: ...

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        *,
        headers: Any,
        partition: None,
        timestamp_ms: None,
    ) -> "Topics":
        self.held[topic].append((key, value, headers))
        return self

    def get(self, timeout: float) -> None: ...

    def flush(self, _: float) -> None: ...

    def send_offsets_to_transaction(self, *_: Any) -> None: ...

    def commit_transaction(self) -> None:
        self.commits += 1


def alert(number: int) -> Alert:
    return Alert.model_construct(
        alert_id=f"{number:08x}", signal_key=f"Müller's zinc|Rash {number}|cumulative", revision=1,
        kind=AlertKind.NEW, drug="Müller's zinc", event=f'Rash "{number}"\n\x7f\u2028',
        evaluated_on=date(2024, 2, 29), level=SignalLevel.PRODUCT, urgent=False, context=None,
        countries=("DE",),
    )  # fmt: skip


SAFETY = SafetyAlert(
    category=AlertCategory.LOT_CLUSTER, alert_id="0c2d", signal_key="LOT_CLUSTER|EX117",
    revision=1, kind=SafetyAlertKind.NEW, reason="r", sentence="s", subject="Ēx117", urgent=True,
    evaluated_on=date(2019, 10, 9), as_of=(), code_version="1",
)  # fmt: skip


def published(
    alerts: list[Alert], topics: Topics | None = None, refits: Sequence[PriorRefit] = ()
) -> Topics:
    topics, at = topics or Topics(), (TopicPartition("t.deltas", 0), 7)
    publish_alerts(
        SETTINGS, topics, alerts, [SAFETY], offset=at, refits=refits, headers=CORRELATION,
        metadata=object(), observer=Observer(),
    )  # fmt: skip
    return topics


def test_every_alert_goes_to_both_topics_as_it_is_and_in_order() -> None:
    alerts = [alert(number) for number in range(250)]
    found = published(alerts)
    expected = []
    for one in [*alerts, SAFETY]:
        event = list(cloud_event_headers(one, source="/tocsin/t.alerts").items())
        expected.append((one.signal_key.encode(), one.model_dump_json().encode(), event))
    assert found.held["t.signals"] == expected
    assert found.held["t.alerts"] == [
        (key, value, [*event, *CORRELATION.items()]) for key, value, event in expected
    ]


def test_the_refits_of_both_priors_are_published_once_and_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alert_publisher, "_ALERTS", 3)
    crude = PriorRefit(
        prior_id="1", previous_prior_id=None, fitted_on=date(2024, 2, 29), window="cumulative",
        prior={}, warnings=(), as_of=(),
    )  # fmt: skip
    both = [crude, crude.model_copy(update={"prior_id": "2", "expected": "adjusted"})]
    found = published([alert(number) for number in range(7)], refits=both)
    values = [value for _, value, _ in found.held["t.priors"]]
    assert [PriorRefit.model_validate_json(value) for value in values] == both
    assert found.commits == 3


def test_an_alert_is_on_its_way_before_the_next_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    topics, sent = Topics(), list[int]()

    def encode(one: AnyAlert) -> bytes:
        sent.append(len(topics.held["t.alerts"]))
        return encode_alert(one)

    monkeypatch.setattr(alert_publisher, "encode_alert", encode)
    published([alert(number) for number in range(20)], topics)
    assert sent == list(range(21))


def test_safety_alerts_go_out_with_the_last_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_publisher, "_ALERTS", 3)
    found = published([alert(number) for number in range(7)])
    assert found.commits == 3
    keys = [key for key, _, _ in found.held["t.alerts"]]
    assert len(keys) == 8
    assert keys[-2:] == [alert(6).signal_key.encode(), b"LOT_CLUSTER|EX117"]
