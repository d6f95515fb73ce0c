"""`tocsin state verify` while workers delete, or retention does."""

from pathlib import Path
from types import ModuleType

import pytest

from schemas.errors import StateError
from streams.runtime.broker import topic_reader
from streams.runtime.operations import verify as module
from streams.runtime.operations.verify import Mismatch, verify
from streams.runtime.settings import Settings
from tests.support.scripted_changelog import CASES, NUMBER, REPORTS, ScriptedChangelog

MODULES: tuple[ModuleType, ...] = (module, topic_reader)


def verified(
    monkeypatch: pytest.MonkeyPatch, log: ScriptedChangelog, folder: Path
) -> dict[str, Mismatch]:
    """Return what was compared, by its first word."""
    log.topics.serve(monkeypatch, *MODULES)
    found = verify(Settings(state_dir=folder), alerts=0)
    return {mismatch.what.split()[0]: mismatch for mismatch in found}


def test_a_changelog_is_compared_from_its_newest_base_whenever_the_old_one_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    undisturbed = ScriptedChangelog()
    verified(monkeypatch, undisturbed, tmp_path)
    steps = [
        (method, number)
        for method in ("beginning_offsets", "end_offsets", "seek", "poll")
        for number in range(1, undisturbed.topics.calls[method] + 1)
    ]
    assert len(steps) > 20
    for step in steps:
        log = ScriptedChangelog()
        log.topics.before(*step, log.copy_and_delete)
        changelog = verified(monkeypatch, log, tmp_path)["changelog"]
        assert changelog == Mismatch(f"changelog pv.cases[0] up to offset {NUMBER}", NUMBER, ()), (
            step
        )
    assert log.topics.firsts[CASES] > 0


def test_a_changelog_that_retention_cuts_short_is_not_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    undisturbed = ScriptedChangelog()
    assert "changelog" in verified(monkeypatch, undisturbed, tmp_path)
    log = ScriptedChangelog()
    last = ("poll", undisturbed.topics.calls["poll"])
    log.topics.before(*last, lambda: log.topics.delete_before(CASES, 9))
    assert "changelog" not in verified(monkeypatch, log, tmp_path)


@pytest.mark.parametrize("poll", [1, 2])
def test_reports_that_go_while_they_are_read_leave_nothing_to_compare_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, poll: int
) -> None:
    rule = r"verify: pv\.reports\[0\] must hold every report from offset 0 on; got a topic that "
    log = ScriptedChangelog()
    log.topics.before("poll", poll, lambda: log.topics.delete_before(REPORTS, 5))
    with pytest.raises(StateError, match=rule + "begins at 5: there is nothing to compare"):
        verified(monkeypatch, log, tmp_path)
