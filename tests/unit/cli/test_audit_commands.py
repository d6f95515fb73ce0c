"""`tocsin signals` and `tocsin audit`: decisions about signals, and their audit log."""

from pathlib import Path

import pytest

from schemas.errors import InputError
from tests.support.cli import invoke

KEY = "A|B|cumulative"


def test_a_decision_is_logged_listed_and_shown(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    decide, logged = ("signals", "decide", KEY), ("--by", "a.assessor", "--log", log)
    done = invoke(*decide, "under_triage", *logged)
    assert done.exit_code == 0, done.output
    assert "detected -> under_triage" in done.output
    nobody = invoke(*decide, "validated", "--by", "", "--log", log)
    assert isinstance(nobody.exception, InputError)
    assert isinstance(invoke(*decide, "closed", *logged).exception, InputError)
    assert "1 entries, whole" in invoke("audit", "verify", log).output
    assert "under_triage" in invoke("signals", "list", "--log", log).output
    assert "a.assessor" in invoke("audit", "show", KEY, "--log", log).output
    assert isinstance(invoke("audit", "show", "x", "--log", log).exception, InputError)
    assert isinstance(invoke("audit", "verify", tmp_path / "no").exception, InputError)


def test_the_list_of_signals_shows_the_assignee(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    decide = ("signals", "decide", KEY, "under_triage", "--by", "lead", "--assignee", "ann")
    assert invoke(*decide).exit_code == 0
    shown = invoke("signals", "list").output
    assert "assignee" in shown
    assert "ann" in shown
