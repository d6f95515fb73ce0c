"""`tocsin signals` and `tocsin audit`: decisions about signals, and their audit log."""

from datetime import date
from pathlib import Path

import pytest

from schemas.alert import AlertKind
from schemas.errors import BrokerError, InputError, StateError
from tests.support.alerts import signal
from tests.support.cli import invoke

SDR = signal(3).model_copy(
    update={
        "evaluated_on": date(2024, 1, 10),
        "due": date(2024, 2, 9),
        "own_due": date(2024, 2, 9),
    }
)
KEY = SDR.signal_key
OFF = signal(4, drug="zinc", event="Rash").model_copy(
    update={
        "evaluated_on": date(2024, 3, 1),
        "kind": AlertKind.CLOSED,
        "rules_fired": (),
        "due": date(2024, 3, 31),
        "own_due": date(2024, 3, 31),
    }
)


@pytest.fixture
def alerts(tmp_path: Path) -> Path:
    path = tmp_path / "alerts.jsonl"
    path.write_text("\n".join(alert.model_dump_json() for alert in (SDR, OFF)) + "\n")
    return path


def test_a_decision_is_logged_listed_and_shown(tmp_path: Path, alerts: Path) -> None:
    log = tmp_path / "audit.jsonl"
    decide, logged = ("signals", "decide", KEY), ("--by", "a.assessor", "--log", log)
    done = invoke(*decide, "under_triage", *logged, "--alerts", alerts)
    assert done.exit_code == 0, done.output
    assert "detected -> under_triage" in done.output
    # The log has the signal now: no alerts are needed, but to validate or confirm it.
    nobody = invoke(*decide, "not_validated", "--by", "", "--log", log, "--reason", "no")
    assert isinstance(nobody.exception, InputError)
    assert "by:" in str(nobody.exception)
    assert isinstance(invoke(*decide, "closed", *logged).exception, InputError)
    assert "1 entries, whole" in invoke("audit", "verify", log).output
    assert "under_triage" in invoke("signals", "list", "--log", log).output
    shown = invoke("audit", "show", KEY, "--log", log).output
    assert "a.assessor" in shown
    assert SDR.alert_id in log.read_text()
    assert isinstance(invoke("audit", "show", "x", "--log", log).exception, InputError)
    assert isinstance(invoke("audit", "verify", tmp_path / "no").exception, InputError)


def test_a_key_without_an_alert_is_refused_with_those_near_it(tmp_path: Path, alerts: Path) -> None:
    log = tmp_path / "audit.jsonl"
    rest = ("under_triage", "--by", "a", "--log", log, "--alerts", alerts)
    wrong = invoke("signals", "decide", KEY.upper().replace("SEPSIS", "SEPSSIS"), *rest)
    assert isinstance(wrong.exception, InputError)
    assert f"got none; near it: {KEY}" in str(wrong.exception)
    strange = invoke("signals", "decide", "nothing like it", *rest)
    assert str(strange.exception).endswith("must hold an alert of nothing like it; got none")
    other = invoke("signals", "decide", KEY, *rest, "--alert", "no-such-id")
    assert "with the id no-such-id; got none" in str(other.exception)
    assert not log.exists()
    assert invoke("signals", "decide", KEY, *rest).exit_code == 0
    replaced = ("superseded", "--reason", "same cases", *rest[1:])
    nowhere = invoke("signals", "decide", KEY, *replaced, "--superseded-by", "zink|rash|cumulative")
    assert f"near it: {OFF.signal_key}" in str(nowhere.exception)
    assert invoke(
        "signals", "decide", KEY, *replaced, "--superseded-by", OFF.signal_key
    ).exit_code == 0  # fmt: skip


def test_a_signal_of_the_log_can_be_superseded_though_its_key_is_gone(
    tmp_path: Path, alerts: Path
) -> None:
    """Its alerts were of an older topic; those given have the key that replaces it."""
    log = tmp_path / "audit.jsonl"
    rest = ("--by", "a", "--log", log, "--alerts", alerts)
    assert invoke("signals", "decide", KEY, "under_triage", *rest).exit_code == 0
    alerts.write_text(OFF.model_dump_json())
    step = ("superseded", "--reason", "new key", "--superseded-by", OFF.signal_key)
    assert invoke("signals", "decide", KEY, *step, *rest).exit_code == 0


def test_without_a_file_the_alerts_of_the_topic_are_asked_for(tmp_path: Path) -> None:
    log, nowhere = tmp_path / "audit.jsonl", ("--bootstrap", "127.0.0.1:1")
    config = tmp_path / "tocsin.toml"
    config.write_text("connect_timeout_ms = 100\n")
    done = invoke(
        *("signals", "decide", KEY, "under_triage", "--by", "a", "--log", log),
        *(*nowhere, "--config", config),
    )
    assert isinstance(done.exception, BrokerError)
    assert str(done.exception).endswith("with --alerts FILE.jsonl")


def test_to_validate_a_signal_a_reason_is_needed(tmp_path: Path, alerts: Path) -> None:
    rest = ("--by", "a", "--log", tmp_path / "audit.jsonl", "--alerts", alerts)
    assert invoke("signals", "decide", KEY, "under_triage", *rest).exit_code == 0
    silent = invoke("signals", "decide", KEY, "validated", *rest)
    assert "a step to validated must have a reason; got none" in str(silent.exception)
    said = invoke("signals", "decide", KEY, "validated", *rest, "--reason", "seen the cases")
    assert said.exit_code == 0


def test_the_worklist_says_which_signals_are_overdue(tmp_path: Path, alerts: Path) -> None:
    log = tmp_path / "audit.jsonl"
    listed = ("signals", "list", "--alerts", alerts, "--log", log)
    whole = invoke(*listed).output
    assert "overdue since 2024-02-09" in " ".join(whole.replace("│", " ").split())
    assert "2024-03-31" in whole
    for word in ("signal status", "assessment state", "detected", " on ", " off "):
        assert word in whole
    late = invoke(*listed, "--overdue").output
    assert "off" not in late
    decide = ("signals", "decide", KEY, "--by", "a", "--log", log, "--alerts", alerts)
    assert invoke(*decide, "under_triage").exit_code == 0
    assert "2024-02-09" in invoke(*listed, "--overdue").output
    assert invoke(*decide, "not_validated", "--reason", "known").exit_code == 0
    assert "2024-02-09" not in invoke(*listed).output
    assert isinstance(invoke("signals", "list", "--overdue").exception, InputError)


def test_the_list_of_signals_shows_the_assignee(
    tmp_path: Path, alerts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    decide = ("signals", "decide", KEY, "under_triage", "--by", "lead", "--assignee", "ann")
    assert invoke(*decide, "--alerts", alerts).exit_code == 0
    shown = invoke("signals", "list").output
    assert "assignee" in shown
    assert "ann" in shown


def test_verify_compares_with_an_export_and_repair_mends_a_torn_line(
    tmp_path: Path, alerts: Path
) -> None:
    log, export = tmp_path / "audit.jsonl", tmp_path / "ermr.xlsx"
    decide = ("signals", "decide", KEY)
    by = ("--by", "a.assessor", "--log", log, "--alerts", alerts)
    assert invoke(*decide, "under_triage", *by).exit_code == 0
    assert invoke(*decide, "not_validated", "--reason", "no", *by).exit_code == 0
    made = invoke("export", "ermr", alerts, "-o", export, "--audit", log)
    assert made.exit_code == 0, made.output
    assert "2 entries, whole" in invoke("audit", "verify", log, "--anchor", export).output
    whole = log.read_bytes()
    first, second = whole.splitlines(keepends=True)
    log.write_bytes(first + second[:9])
    shown = invoke("audit", "verify", log)
    assert shown.exit_code == 0
    assert "a torn line of 9 bytes" in shown.output
    repaired = invoke("audit", "repair", log).output
    assert "1 entries; a torn line of 9 bytes is now in" in repaired
    assert "nothing to repair" in invoke("audit", "repair", log).output
    short = invoke("audit", "verify", log, "--anchor", export).exception
    assert isinstance(short, StateError)
    assert "entry 2 must have the hash" in str(short)
    noted = invoke("audit", "verify", log, "--anchor", "0f" * 32).exception
    assert "must hold the entry noted earlier" in str(noted)
