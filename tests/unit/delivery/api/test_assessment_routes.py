"""Decisions and verifications over HTTP: stored in the audit log and the notices, or refused."""

from datetime import date
from pathlib import Path

import pytest

from schemas.notice import Notice, NoticeKind
from schemas.subscription import Tier
from streams.core.safety.safety_record import SafetyRecord
from streams.delivery.api.service import FileNotices, RecordedNotices, Service
from streams.intake.notices import read_notices
from streams.runtime.operations.audit_log import AuditLog
from tests.support.alerts import signal
from tests.support.api_server import Connect, feed, is_problem, signal_path, token_of
from tests.support.assessments import SDR


def test_decisions_are_logged_and_illegal_ones_are_refused(
    service: Service, connect: Connect, tmp_path: Path
) -> None:
    whole = connect(token_of(service))
    there = signal_path(SDR.signal_key, "/decisions")
    done = whole.post(there, json={"to": "under_triage", "alert_id": SDR.alert_id})
    assert done.status_code == 201
    assert done.json()["entry"]["decision"]["by"] == "PMDA"
    is_problem(whole.post(there, json={"to": "closed", "reason": "x"}), 409, "after under_triage")
    is_problem(whole.post(there, json={"to": "monitoring"}), 409, "must have a reason")
    is_problem(whole.post(there, json={"to": "validated", "alert_id": "no"}), 409, "revision of")
    is_problem(whole.post(there, json={"to": "nowhere"}), 422, "to:")
    is_problem(whole.post(there, json={"to": "validated", "by": "me"}), 422, "by")
    is_problem(whole.post(signal_path("a|b|c", "/decisions"), json={"to": "validated"}), 404)
    silent = whole.post(there, json={"to": "validated"})
    is_problem(silent, 409, "a step to validated must have a reason")
    assert whole.get(signal_path(SDR.signal_key)).json()["assessment"] == "under_triage"
    verified = AuditLog(tmp_path / "audit.jsonl").verify()
    assert [entry.decision.to for entry in verified.entries] == ["under_triage"]
    consumer = connect(token_of(service, Tier.CONSUMER))
    is_problem(consumer.post(there, json={"to": "validated"}), 403, "decisions:write")


def test_the_meaning_of_a_signature_is_logged(service: Service, connect: Connect) -> None:
    whole = connect(token_of(service))
    there = signal_path(SDR.signal_key, "/decisions")
    done = whole.post(there, json={"to": "under_triage", "meaning": "assessed"})
    assert done.json()["entry"]["decision"]["meaning"] == "assessed"
    is_problem(whole.post(there, json={"to": "validated", "meaning": "boss"}), 422, "meaning:")


def test_a_key_without_a_signal_is_refused_with_those_near_it(
    service: Service, connect: Connect
) -> None:
    whole = connect(token_of(service))
    misspelt = SDR.signal_key.replace("Sepsis", "Sepssis")
    near = f"no such signal; near it: {SDR.signal_key}"
    unknown = whole.post(signal_path(misspelt, "/decisions"), json={"to": "under_triage"})
    is_problem(unknown, 404, near)
    strange = whole.post(signal_path("a|b|c", "/decisions"), json={"to": "under_triage"})
    assert strange.json()["detail"] == "no such signal"
    replaced = {"to": "superseded", "reason": "same cases", "superseded_by": misspelt}
    refused = whole.post(signal_path(SDR.signal_key, "/decisions"), json=replaced)
    is_problem(refused, 409, "superseded_by: " + near)
    assert service.audit.entries() == ()


def test_the_signal_says_by_which_day_somebody_must_decide(
    service: Service, connect: Connect
) -> None:
    """The clock of the service is at the first of January 2024."""
    late = signal(3, drug="late").model_copy(
        update={"due": date(2023, 12, 31), "own_due": date(2023, 12, 31)}
    )
    feed(service, [late])
    whole = connect(token_of(service))
    there = signal_path(late.signal_key)

    def said() -> tuple[str | None, bool]:
        found = whole.get(there).json()["signal"]["assessment"]
        listed = whole.get(f"{there}/alerts").json()["alerts"][-1]["assessment"]
        assert found == listed
        return found["due"], found["overdue"]

    assert said() == ("2023-12-31", True)
    decide = f"{there}/decisions"
    assert whole.post(decide, json={"to": "under_triage"}).status_code == 201
    assert said() == ("2023-12-31", True)
    settled = {"to": "monitoring", "reason": "one more case would settle it"}
    entry = whole.post(decide, json=settled).json()["entry"]
    assert entry["decision"]["alert_id"] == late.alert_id
    assert said() == (None, False)


def test_a_broken_log_is_not_added_to(service: Service, connect: Connect) -> None:
    whole = connect(token_of(service))
    there = signal_path(SDR.signal_key, "/decisions")
    whole.post(there, json={"to": "under_triage"})
    log = service.audit._path
    log.write_bytes(log.read_bytes().replace(b"PMDA", b"FDA "))
    is_problem(whole.post(there, json={"to": "validated"}), 503, "the log of the server")
    assert len(log.read_bytes().splitlines()) == 1


def test_a_verification_becomes_a_notice_that_a_replay_reads(
    service: Service, connect: Connect, tmp_path: Path
) -> None:
    whole = connect(token_of(service))
    said = {
        "verification_id": "v1", "subject_id": "RUM-1", "source": "ministry",
        "reporter": "authority", "country": "JP", "received": "2023-11-14",
        "verification": {"by": "ministry", "assertion": "source_unknown"},
    }  # fmt: skip
    done = whole.post("/v1/verifications", json=said)
    assert done.status_code == 201, done.text
    whole.post("/v1/verifications", json={**said, "verification_id": "v2", "received": None})
    lines = (tmp_path / "notices.jsonl").read_bytes().splitlines()
    first, second = map(Notice.model_validate_json, lines)
    assert first.subject_id == "RUM-1"
    assert first.notice_id.endswith(":v1")
    assert "RUM" not in first.notice_id  # so that no other notice can be replaced
    assert second.received == service.now().date()
    is_problem(whole.post("/v1/verifications", json={**said, "received": "2099-01-01"}), 422)
    is_problem(whole.post("/v1/verifications", json={**said, "kind": "media"}), 422, "kind")
    for tier in (Tier.PUBLIC, Tier.CONSUMER):
        other = connect(token_of(service, tier))
        is_problem(other.post("/v1/verifications", json=said), 403)
    assert len((tmp_path / "notices.jsonl").read_bytes().splitlines()) == 2


def test_a_notice_is_stored_before_the_record_of_the_process_knows_it(tmp_path: Path) -> None:
    path, record = tmp_path / "notices.jsonl", SafetyRecord()
    notice = Notice(
        notice_id="N-1",
        subject_id="RUM-1",
        kind=NoticeKind.MEDIA,
        received=date(2024, 1, 9),
        source="press",
    )
    RecordedNotices(FileNotices(path), record).put(notice)
    assert list(read_notices(path)) == [notice]
    assert record.notices_on(date(2024, 1, 9)) == {"RUM-1": (notice,)}
    unwritable = RecordedNotices(FileNotices(tmp_path / "no" / "folder"), record)
    with pytest.raises(OSError, match="no"):
        unwritable.put(notice.model_copy(update={"notice_id": "N-2"}))
    assert record.notices_on(date(2024, 1, 9)) == {"RUM-1": (notice,)}
