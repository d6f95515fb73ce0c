"""`tocsin state rebuild` while workers delete, or retention does."""

from pathlib import Path

import pytest

from schemas.errors import StateError
from streams.core.cases.transitions import CaseVersion
from streams.runtime.broker import topic_reader
from streams.runtime.operations import rebuild as module
from streams.runtime.operations.rebuild import rebuild
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import RocksStore
from streams.runtime.workers.partition_recovery import database
from tests.support.scripted_changelog import CASES, REPORTS, ScriptedChangelog, expected


def rebuilt(
    monkeypatch: pytest.MonkeyPatch, log: ScriptedChangelog, folder: Path, *, from_reports: bool
) -> dict[str, CaseVersion]:
    log.topics.serve(monkeypatch, module, topic_reader)
    settings = Settings(state_dir=folder)
    for _ in rebuild(settings, 0, from_reports=from_reports):
        pass
    with RocksStore(database(settings, 0), None) as store:
        return {version.case_id: version for version in store.versions()}


@pytest.mark.parametrize("poll", range(1, 5))
def test_a_database_is_never_half_of_an_old_copy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, poll: int
) -> None:
    """The old log holds a case for a while, which the copy no longer has."""
    log = ScriptedChangelog()
    log.topics.before("poll", poll, log.copy_and_delete)
    assert rebuilt(monkeypatch, log, tmp_path, from_reports=False) == expected()
    assert log.topics.firsts[CASES] > 0


def test_a_changelog_that_retention_cuts_short_gives_no_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = ScriptedChangelog()
    log.topics.before("poll", 4, lambda: log.topics.delete_before(CASES, 9))
    with pytest.raises(StateError, match="does not reach back to a whole copy"):
        rebuilt(monkeypatch, log, tmp_path, from_reports=False)


@pytest.mark.parametrize("poll", [1, 2])
def test_reports_that_go_while_they_are_counted_are_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, poll: int
) -> None:
    log = ScriptedChangelog()
    log.topics.before("poll", poll, lambda: log.topics.delete_before(REPORTS, 5))
    rule = r"^pv\.reports\[0\]: every report from offset 0 on is needed; got a topic that begins"
    with pytest.raises(StateError, match=f"{rule} at 5$"):
        rebuilt(monkeypatch, log, tmp_path, from_reports=True)
