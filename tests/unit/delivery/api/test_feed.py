"""Feeding the service with alerts and reports, and its health while they cannot be read."""

import json
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import BrokerError
from schemas.subscription import Stream, Tier
from streams.delivery.alert_sources import FileTail
from streams.delivery.api import feed as feed_module
from streams.delivery.api.feed import feeding
from streams.delivery.api.service import Service
from tests.support.alerts import NOW, signal, subscription, write_alerts
from tests.support.api_server import feed, reported, service_in
from tests.support.disclosure_histories import publish, random_history
from tests.support.rules_changes import changed
from tests.support.versions import make_link


def test_a_change_of_rules_is_due_to_subscribers_and_no_signal(tmp_path: Path) -> None:
    service = service_in(tmp_path)
    with service.outbox() as outbox:
        asked = subscription().model_copy(update={"channel": Stream(), "url": None, "secrets": ()})
        outbox.subscribe(asked)
    feed(service, [signal()])
    path = tmp_path / "alerts.jsonl"
    with path.open("a") as file:
        file.write(changed().model_dump_json() + "\n")
    feed(service, [])
    feed(service, [])
    with service.outbox() as outbox, service.model() as model:
        bodies = [body for _, body in outbox.streamed("s", None, NOW)]
        assert ["change_id" in body for body in bodies] == [False, True]
        assert model.place(str(path)) == outbox.place(str(path)) == 3
        assert model.numbers() == {"alerts": 1, "signals": 1, "cases": 0}


def until(service: Service, problem: bool) -> None:
    deadline = time.monotonic() + 20
    while (service.health.problem is not None) is not problem:
        assert time.monotonic() < deadline, service.health
        time.sleep(0.01)


def test_alerts_are_stored_in_the_read_model_and_the_outbox(tmp_path: Path) -> None:
    service = service_in(tmp_path)
    with service.outbox() as outbox:
        asked = subscription().model_copy(update={"channel": Stream(), "url": None, "secrets": ()})
        outbox.subscribe(asked)
    feed(service, [signal(), signal(revision=2)])
    feed(service, [])  # resumes at its position: nothing is stored twice
    with service.outbox() as outbox, service.model() as model:
        (status,) = outbox.statuses()
        assert status.waiting == 2
        assert model.numbers()["alerts"] == 2


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
def test_a_stream_has_the_revisions_of_the_read_model_and_a_later_one_no_more(
    tmp_path: Path, tier: Tier
) -> None:
    service = service_in(tmp_path)
    changes = {"channel": Stream(), "url": None, "secrets": ()}
    asked = subscription(tier, grades=()).model_copy(update=changes)
    alerts = publish(random_history(1))
    with service.outbox() as outbox:
        outbox.subscribe(asked)
    feed(service, alerts[:40])
    feed(service, alerts[40:])
    with service.outbox() as outbox, service.model() as model:
        later = asked.model_copy(update={"subscription_id": "later"})
        copies = list(model.between(tier, 0, model.last_position(), since=date.min))
        assert outbox.subscribe_new(later, NOW, copies)
        streams = [
            [json.loads(body) for _, body in outbox.streamed(name, None, NOW, most=10_000)]
            for name in ("s", "later")
        ]
        keys = {copy["signal_key"] for copy in copies}
        revisions = [copy for key in keys for copy in model.revisions(tier, key)]
    in_order = sorted(copies, key=lambda copy: copy["alert_id"])
    for found in (*streams, revisions):
        assert sorted(found, key=lambda copy: copy["alert_id"]) == in_order
    assert len(in_order) > 10


def test_an_invalid_report_and_a_link_are_skipped(tmp_path: Path) -> None:
    service = service_in(tmp_path)
    feed(service, [], [reported("NE-1")])
    with (tmp_path / "reports.jsonl").open("a") as file:
        file.write("not a report\n" + make_link().model_dump_json() + "\n")
    feed(service, [])
    with service.model() as model:
        assert [line.case_id for line in model.lines(["NE-1", "A"])] == ["NE-1"]
        assert model.place(str((tmp_path / "reports.jsonl").resolve())) == 4


def test_a_read_error_is_reported_by_the_health_and_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_IDLE_SECONDS", 0.01)
    monkeypatch.setattr(feed_module, "_RETRY_SECONDS", 0.01)
    service = service_in(tmp_path)
    path = tmp_path / "alerts.jsonl"
    before = threading.active_count()
    with feeding(service, lambda place: FileTail(path, place), None):
        until(service, problem=True)
        assert service.health.problem == f"{path}: must be a file of alerts; got no file"
        write_alerts(tmp_path, signal())
        until(service, problem=False)
        with path.open("a") as file:
            file.write("{}\n")
        until(service, problem=True)
        assert "line 2: must be an alert" in str(service.health.problem)
    assert threading.active_count() == before
    with service.model() as model:
        assert model.numbers()["alerts"] == 1


def test_an_error_that_persists_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feed_module, "_RETRY_SECONDS", 0.01)
    service = service_in(tmp_path)
    attempts: list[str] = []

    def refuse(place: Callable[[str], int]) -> FileTail:
        # The third attempt fails in another way.
        attempts.append("no broker" if len(attempts) < 2 else "no right")
        raise BrokerError(attempts[-1])

    with feeding(service, refuse, None):
        deadline = time.monotonic() + 20
        while len(attempts) < 5:
            assert time.monotonic() < deadline, attempts
            time.sleep(0.01)
    assert caplog.messages == [
        "reading alerts failed: no broker",
        "reading alerts failed: no right",
    ]
