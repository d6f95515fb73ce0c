import itertools
import multiprocessing
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.audit_anchor import AuditAnchor
from schemas.decision import Decision, SignalState, SignatureMeaning
from schemas.errors import InputError, StateError
from streams.core.alerts.assessment import (
    NEEDS_REASON,
    STEPS,
    require_logged_step,
    require_step,
    states_after,
)
from streams.runtime.operations import audit_log
from streams.runtime.operations.audit_log import AuditLog, DecidedMeanwhile

S = SignalState
KEY = "msc-supernatant-exosome|Sepsis|cumulative"
START = datetime(2024, 1, 1, tzinfo=UTC)
WHOLE_WAY = (
    S.UNDER_TRIAGE,
    S.VALIDATED,
    S.CONFIRMED,
    S.PRIORITISED,
    S.UNDER_ASSESSMENT,
    S.CLOSED,
    S.REOPENED,
    S.UNDER_TRIAGE,
    S.NOT_VALIDATED,
)


def decision(to, *, key=KEY, reason="as discussed", **fields):
    return Decision(signal_key=key, to=to, by="a.assessor", reason=reason, **fields)


@pytest.fixture
def written(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    for number, to in enumerate(WHOLE_WAY):
        log.decide(decision(to), START + timedelta(minutes=number))
    return tmp_path / "audit.jsonl"


def test_the_whole_way(written):
    verified = AuditLog(written).verify()
    assert verified.states == {KEY: S.NOT_VALIDATED}
    assert [entry.number for entry in verified.entries] == list(range(1, 10))
    assert verified.last_hash == verified.entries[-1].hash


@pytest.mark.parametrize(
    ("frm", "to"),
    [
        (S.DETECTED, S.VALIDATED),  # triage is not skipped
        (S.DETECTED, S.CONFIRMED),
        (S.UNDER_TRIAGE, S.CONFIRMED),
        (S.VALIDATED, S.CLOSED),
        (S.CLOSED, S.UNDER_TRIAGE),  # it has to be reopened first
        (S.NOT_VALIDATED, S.VALIDATED),
        (S.SUPERSEDED, S.REOPENED),
        (S.CONFIRMED, S.CONFIRMED),
    ],
)
def test_illegal_steps_are_refused(frm, to):
    with pytest.raises(InputError, match=f"after {frm} may come .*; got {to}"):
        require_step(frm, decision(to))


def test_a_refusal_must_say_why():
    for to in NEEDS_REASON - {S.SUPERSEDED}:
        frm = next(state for state, following in STEPS.items() if to in following)
        with pytest.raises(InputError, match="must have a reason"):
            require_step(frm, decision(to, reason="  "))


def test_a_log_of_an_earlier_version_is_read_though_it_validates_without_a_reason(
    tmp_path, monkeypatch
):
    log = AuditLog(tmp_path / "audit.jsonl")
    with monkeypatch.context() as earlier:
        earlier.setattr(audit_log, "require_step", require_logged_step)
        for to in (S.UNDER_TRIAGE, S.VALIDATED, S.CONFIRMED):
            log.decide(decision(to, reason=""), START)
    assert log.verify().states == {KEY: S.CONFIRMED}
    assert [entry.decision.to for entry in log.entries()] == list(WHOLE_WAY[:3])
    assert states_after(entry.decision for entry in log.entries()) == {KEY: S.CONFIRMED}
    other = "other|sepsis|cumulative"
    log.decide(decision(S.UNDER_TRIAGE, key=other), START)
    with pytest.raises(InputError, match="a step to validated must have a reason; got none"):
        log.decide(decision(S.VALIDATED, key=other, reason=""), START)


def test_who_supersedes_is_named_and_is_another():
    with pytest.raises(InputError, match="superseded_by must name"):
        require_step(S.DETECTED, decision(S.SUPERSEDED))
    with pytest.raises(InputError, match="superseded_by must name"):
        require_step(S.DETECTED, decision(S.UNDER_TRIAGE, superseded_by="x"))
    with pytest.raises(InputError, match="got itself"):
        require_step(S.DETECTED, decision(S.SUPERSEDED, superseded_by=KEY))
    require_step(S.DETECTED, decision(S.SUPERSEDED, superseded_by="other"))


@given(st.lists(st.sampled_from(list(S)), max_size=12))
def test_any_way_ends_where_its_last_step_leads_or_is_refused(way):
    steps = [decision(to, superseded_by="other" if to is S.SUPERSEDED else None) for to in way]
    legal = all(b in STEPS[a] for a, b in zip([S.DETECTED, *way], way, strict=False))
    if legal:
        assert states_after(steps) == ({KEY: way[-1]} if way else {})
    else:
        with pytest.raises(InputError):
            states_after(steps)


def test_a_decision_that_has_not_seen_the_last_entry_is_refused(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    log.decide(decision(S.UNDER_TRIAGE), START, seen=0)
    log.decide(decision(S.UNDER_TRIAGE, key="another"), START, seen=0)
    with pytest.raises(DecidedMeanwhile, match="got entry 0, and there is entry 1: read it"):
        log.decide(decision(S.VALIDATED), START, seen=0)
    assert len(log.entries()) == 2
    assert log.decide(decision(S.VALIDATED), START, seen=1).number == 3
    assert log.decide(decision(S.CONFIRMED), START).number == 4  # not compared


def test_a_signature_keeps_its_meaning_and_old_hashes_stay(written):
    log = AuditLog(written)
    before = written.read_text("utf-8")
    assert "meaning" not in before
    entry = log.decide(decision(S.MONITORING, meaning=SignatureMeaning.APPROVED), START)
    assert entry.decision.meaning is SignatureMeaning.APPROVED
    assert written.read_text("utf-8").startswith(before)
    assert log.verify().last_hash == entry.hash


def test_a_refused_step_leaves_no_trace(written):
    before = written.read_bytes()
    with pytest.raises(InputError):
        AuditLog(written).decide(decision(S.CONFIRMED), START)
    assert written.read_bytes() == before


def test_any_edited_byte_is_found(written):
    whole = written.read_bytes()
    for at in range(0, len(whole), 41):
        torn = bytearray(whole)
        torn[at] ^= 0x01
        written.write_bytes(torn)
        with pytest.raises(StateError, match="line "):
            AuditLog(written).verify()


@pytest.mark.parametrize("harm", ["first", "middle", "swap", "repeat", "insert blank"])
def test_lines_lost_moved_or_put_in_are_found(written, harm):
    lines = written.read_bytes().splitlines(keepends=True)
    if harm == "first":
        del lines[0]
    elif harm == "middle":
        del lines[4]
    elif harm == "swap":
        lines[2], lines[3] = lines[3], lines[2]
    elif harm == "repeat":
        lines.append(lines[-1])
    else:
        lines[3] = lines[3].replace(b'":', b'": ', 1)
    written.write_bytes(b"".join(lines))
    with pytest.raises(StateError, match="line "):
        AuditLog(written).verify()
    with pytest.raises(StateError, match="line "):
        AuditLog(written).decide(decision(S.REOPENED), START)


def test_a_log_cut_short_is_found_by_the_hash_noted_earlier(written):
    noted = AuditLog(written).verify().last_hash
    written.write_bytes(b"".join(written.read_bytes().splitlines(keepends=True)[:-2]))
    AuditLog(written).verify()  # whole in itself
    with pytest.raises(StateError, match="written anew or cut short"):
        AuditLog(written).verify(noted)


@pytest.mark.parametrize("kept", [1, 40, -2])
def test_a_torn_last_line_blocks_no_reading_and_is_repaired(written, kept):
    whole = written.read_bytes()
    *before, last = whole.splitlines(keepends=True)
    torn = last[:kept]
    written.write_bytes(b"".join(before) + torn)
    log = AuditLog(written)
    assert log.verify().torn == torn
    assert len(log.entries()) == len(before)
    with pytest.raises(StateError, match=r"line 9: .*tocsin audit repair"):
        log.decide(decision(S.NOT_VALIDATED), START)
    done = log.repair()
    assert done is not None
    assert (done.entries, done.n_bytes) == (8, len(torn))
    assert done.kept_in is not None
    assert done.kept_in.read_bytes() == torn
    assert done.kept_in.stat().st_mode & 0o077 == 0
    assert written.read_bytes() == b"".join(before)
    assert log.repair() is None
    log.decide(decision(S.NOT_VALIDATED), START + timedelta(minutes=8))
    assert written.read_bytes() == whole


def test_a_last_line_that_lacks_only_its_newline_stays_an_entry(written):
    whole = written.read_bytes()
    written.write_bytes(whole[:-1])
    done = AuditLog(written).repair()
    assert done is not None
    assert (done.entries, done.kept_in) == (9, None)
    assert written.read_bytes() == whole
    assert os.listdir(written.parent) == [written.name]


def test_repair_mends_nothing_but_a_torn_line(written):
    whole = written.read_bytes()
    changed = whole.replace(b"discussed", b"I like it", 1)[:-5]
    written.write_bytes(changed)
    with pytest.raises(StateError, match="line 1: must hash to what it says"):
        AuditLog(written).repair()
    assert written.read_bytes() == changed
    with pytest.raises(InputError, match="got no file"):
        AuditLog(written.with_name("no")).repair()


def test_every_entry_is_anchored_and_a_log_written_anew_is_found(tmp_path):
    anchors = []
    log = AuditLog(tmp_path / "audit.jsonl", anchors.append)
    for number, to in enumerate(WHOLE_WAY):
        entry = log.decide(decision(to), START + timedelta(minutes=number))
        assert anchors[-1] == AuditAnchor(number=number + 1, hash=entry.hash, at=entry.at)
    assert log.require_anchors(anchors, "pv.audit") == 9
    assert log.require_anchors(anchors[:4], "pv.audit") == 4
    lines = (tmp_path / "audit.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "audit.jsonl").write_bytes(b"".join(lines[:-1]))
    with pytest.raises(StateError, match=r"entry 9 must .*anchored in pv.audit .* got no entry"):
        log.require_anchors(anchors, "pv.audit")
    forged = AuditLog(tmp_path / "forged.jsonl")
    for number, to in enumerate(WHOLE_WAY):  # a chain that is whole, of other reasons
        forged.decide(decision(to, reason="forged"), START + timedelta(minutes=number))
    forged.verify()
    with pytest.raises(StateError, match="entry 1 must have the hash"):
        forged.require_anchors(anchors, "pv.audit")


def add(path: Path, *names: str) -> None:
    for to, name in itertools.product((S.UNDER_TRIAGE, S.VALIDATED, S.CONFIRMED), names):
        AuditLog(path).decide(decision(to, key=name), datetime.now(UTC))


def test_several_processes_add_to_one_chain(tmp_path):
    path = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("spawn")
    of_each = [(path, "A", "B"), (path, "C", "D")]
    workers = [context.Process(target=add, args=arguments) for arguments in of_each]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    verified = AuditLog(path).verify()
    assert len(verified.entries) == 12
    assert set(verified.states.values()) == {S.CONFIRMED}
