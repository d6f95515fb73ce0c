"""Notices, rumours and decisions of a signal in order of days."""

from datetime import date
from pathlib import Path

from schemas.decision import AuditEntry, Decision, SignalState
from streams.console.signal.ledger import decision_entries, ledger_entries, subject_states
from streams.core.wording.catalogue import Language
from streams.runtime.operations.audit_log import AuditLog
from tests.support.replays import founding_case
from tests.support.signal_pages import NOW, ReplayedDesk, replayed_desk


def _entry(key: str, folder: Path) -> AuditEntry:
    return AuditLog(folder / "audit.jsonl").decide(
        Decision(signal_key=key, to=SignalState.UNDER_TRIAGE, by="bo", reason="to be read"), NOW
    )


def test_a_pair_without_context_has_its_decisions_alone(
    amended: ReplayedDesk, tmp_path: Path
) -> None:
    alert = amended.alerts[-1]
    assert ledger_entries(alert, [], Language.ENGLISH) == ()
    assert subject_states(alert) == ()
    logged = _entry(alert.signal_key, tmp_path)
    (entry,) = ledger_entries(alert, [logged], Language.ENGLISH)
    assert (entry.day, entry.what, entry.by, entry.said) == (
        date(2024, 3, 1),
        "state_under_triage",
        "bo",
        "to be read",
    )
    assert decision_entries([logged]) == (entry,)


def test_notices_of_the_class_are_entries_and_rumours_are_states(tmp_path: Path) -> None:
    reports, notices = founding_case()
    done = replayed_desk(tmp_path, reports, notices)
    known = [one for one in done.alerts if one.context and one.context.notices]
    assert known
    alert = known[-1]
    assert alert.context is not None
    entries = ledger_entries(alert, [], Language.ENGLISH)
    assert [(one.day, one.said) for one in entries] == sorted(
        (notice.on, notice.notice_id) for notice in alert.context.notices
    )
    assert all(one.what.startswith("notice_") for one in entries)
    assert {one.subject_id for one in subject_states(alert)} == {
        one.subject_id for one in alert.context.subjects
    }
