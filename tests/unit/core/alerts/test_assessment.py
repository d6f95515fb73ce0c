"""Alerts that say where the assessment of their signal stands: to whom, and read how often."""

import fcntl
import json
import logging
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from schemas.alert import Alert
from schemas.decision import Assessment
from schemas.subscription import DigestPeriod, Filters, Folder, Stream, Subscription, Tier
from streams.core.alerts.assessment import assessed, assessments_after
from streams.core.alerts.undecided import RevisionDays
from streams.delivery.api.service import Service
from streams.runtime.operations.audit_log import AuditLog, Verified
from tests.support.alerts import signal
from tests.support.api_server import NOW, client_of, feed, service_in, serving, token_of
from tests.support.assessments import DETECTED, LOT, SDR, TRIAGE, VALIDATED, decided


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return service_in(tmp_path)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Note every reading of a log."""
    seen: list[Path] = []
    verify = AuditLog.verify

    def noted(self: AuditLog, last_hash: str | None = None) -> Verified:
        seen.append(self._path)
        return verify(self, last_hash)

    monkeypatch.setattr(AuditLog, "verify", noted)
    return seen


def subscribed(service: Service, *, digest: DigestPeriod | None = None) -> None:
    with service.outbox() as outbox:
        for tier in Tier:
            outbox.subscribe(
                Subscription(
                    subscription_id=tier,
                    subscriber="PMDA",
                    tier=tier,
                    channel=Stream() if digest is None else Folder(path="/nowhere"),
                    filters=Filters(),
                    digest=digest,
                )
            )


def test_the_last_step_stands_and_the_signal_stays_with_who_has_it(tmp_path: Path) -> None:
    standing = assessments_after(decided(tmp_path / "log"))
    found = {key: json.loads(one.model_dump_json()) for key, one in standing.items()}
    assert found == {SDR.signal_key: VALIDATED, LOT.signal_key: TRIAGE}
    revisions, today = RevisionDays(), date(2024, 2, 1)
    revisions.add(SDR)
    whole = assessed(SDR, standing, revisions.of, today=today)
    assert whole.assessment == standing[SDR.signal_key]
    assert whole.model_copy(update={"assessment": None}) == SDR
    assert SDR.assessment is None
    assert Alert.model_validate_json(whole.model_dump_json()) == whole
    untouched = assessed(signal(drug="other"), standing, revisions.of, today=today).assessment
    assert untouched is not None
    assert untouched.model_dump(mode="json") == DETECTED


def test_an_authority_is_told_on_every_route_and_others_on_none(
    service: Service, tmp_path: Path
) -> None:
    subscribed(service)
    decided(tmp_path / "audit.jsonl")
    feed(service, [SDR, LOT, signal(2, drug="other"), signal(11, revision=2)])
    expected = {SDR.signal_key: VALIDATED, LOT.signal_key: TRIAGE}
    secret = ("assessment", "assignee", "decided_by", "ann", "under_triage", "validated")
    with serving(service) as address:
        for tier in Tier:
            with client_of(address, token_of(service, tier)) as client:
                signals = client.get("/v1/signals").json()["signals"]
                assert len(signals) == 3
                pages = [signals]
                for one in signals:
                    there = f"/v1/signals/{quote(one['signal_key'], safe='')}"
                    pages.append([client.get(there).json()["signal"]])
                    pages.append(client.get(f"{there}/alerts").json()["alerts"])
                    pages.append([client.get(f"/v1/alerts/{one['alert_id']}").json()])
                with service.outbox() as outbox:
                    bodies = [body for _, body in outbox.streamed(tier, None, NOW)]
                assert len(bodies) == 4
                pages.append([json.loads(body) for body in bodies])
                for copy in (one for page in pages for one in page):
                    if tier is Tier.AUTHORITY:
                        assert copy["assessment"] == expected.get(copy["signal_key"], DETECTED)
                    else:
                        assert not [word for word in secret if f'"{word}"' in json.dumps(copy)]


def test_a_digest_holds_copies_that_are_told_like_others(service: Service, tmp_path: Path) -> None:
    subscribed(service, digest=DigestPeriod.DAILY)
    decided(tmp_path / "audit.jsonl")
    feed(service, [SDR])
    later = datetime(2024, 6, 3, tzinfo=UTC)
    with service.outbox() as outbox:
        outbox.release(later)
        bodies = {
            due.subscription.subscription_id: json.loads(due.body) for due in outbox.due(later)
        }
    assert bodies["authority"]["alerts"][0]["assessment"] == VALIDATED
    for tier in ("public", "consumer"):
        assert "assessment" not in bodies[tier]["alerts"][0]


def test_what_is_due_says_what_stood_when_it_came(service: Service, tmp_path: Path) -> None:
    subscribed(service)
    feed(service, [SDR])
    decided(tmp_path / "audit.jsonl")
    feed(service, [signal(5, revision=2)])
    with service.outbox() as outbox:
        told = [json.loads(body) for _, body in outbox.streamed("authority", None, NOW)]
    assert [one["assessment"] for one in told] == [DETECTED, VALIDATED]


def test_the_log_is_read_once_for_many_alerts_and_for_an_authority_alone(
    service: Service, tmp_path: Path, reads: list[Path]
) -> None:
    subscribed(service)
    decided(tmp_path / "audit.jsonl")
    feed(service, [signal(3, drug=f"drug {n}") for n in range(50)])
    assert len(reads) == 1
    feed(service, [])
    assert len(reads) == 1
    with serving(service) as address:
        for tier, number in ((Tier.CONSUMER, 0), (Tier.PUBLIC, 0), (Tier.AUTHORITY, 1)):
            reads.clear()
            with client_of(address, token_of(service, tier)) as client:
                assert len(client.get("/v1/signals").json()["signals"]) == 50
            assert len(reads) == number
            with client_of(address, token_of(service, tier)) as client:
                (key, *_) = [
                    one["signal_key"] for one in client.get("/v1/signals").json()["signals"]
                ]
                reads.clear()
                client.get(f"/v1/signals/{quote(key, safe='')}").raise_for_status()
            assert len(reads) == number


def test_a_broken_log_keeps_no_alert_from_anybody(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subscribed(service)
    decided(tmp_path / "audit.jsonl")
    whole = (tmp_path / "audit.jsonl").read_text()
    (tmp_path / "audit.jsonl").write_text(whole.replace('"ann"', '"eve"'))
    with caplog.at_level(logging.ERROR):
        feed(service, [SDR, LOT])
    assert [record.message.count("without assessments") for record in caplog.records] == [1]
    with service.outbox() as outbox:
        told = [json.loads(body) for _, body in outbox.streamed("authority", None, NOW)]
    assert [one["assessment"] for one in told] == [None, None]
    with serving(service) as address, client_of(address, token_of(service)) as client:
        signals = client.get("/v1/signals").json()["signals"]
    assert [one["assessment"] for one in signals] == [None, None]


def test_a_reader_waits_until_a_line_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    decided(path)
    whole = path.read_bytes()
    found: list[dict[str, Assessment]] = []
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as who writes has it
        file.truncate(len(whole) - 20)
        reader = threading.Thread(target=lambda: found.append(AuditLog(path).assessments()))
        reader.start()
        reader.join(0.3)
        file.seek(0, 2)
        file.write(whole[-20:])
        file.flush()
        fcntl.flock(file, fcntl.LOCK_UN)
    reader.join(30)
    assert [set(one) for one in found] == [{SDR.signal_key, LOT.signal_key}]
