"""A changelog whose base is deleted while it is read: it is begun again, from the newest base."""

from collections.abc import Iterator

import pytest

from streams.runtime.state.changelog import ChangelogRecord
from streams.runtime.workers.changelog_recovery import newest_bases
from tests.support.scripted_changelog import CASES, ScriptedChangelog


@pytest.fixture
def log() -> ScriptedChangelog:
    return ScriptedChangelog()


def bases(log: ScriptedChangelog) -> Iterator[ChangelogRecord]:
    consumer = log.topics.consumer()
    consumer.assign([CASES])
    return newest_bases(consumer, CASES)


def test_a_base_that_is_there_is_given_once(log: ScriptedChangelog) -> None:
    assert [last.progress.base for last in bases(log)] == [0]
    base = log.copy()
    assert [last.progress.base for last in bases(log)] == [base]


def test_a_base_that_was_deleted_is_followed_by_the_newest(log: ScriptedChangelog) -> None:
    found = bases(log)
    assert next(found).progress.base == 0
    log.copy_and_delete()
    log.copy_and_delete()
    assert next(found).progress.base == log.progress.base
    assert next(found, None) is None, "that one is still there"


@pytest.mark.parametrize("step", [("beginning_offsets", 1), ("beginning_offsets", 2), ("seek", 1)])
def test_the_newest_base_is_found_while_it_takes_the_place_of_another(
    log: ScriptedChangelog, step: tuple[str, int]
) -> None:
    """The last record is read before the copy, its base is compared with a start after it."""
    log.topics.before(*step, log.copy_and_delete)
    found = [last.progress.base for last in bases(log)]
    assert found[-1] == log.progress.base


def test_a_changelog_that_retention_cut_short_has_no_base(log: ScriptedChangelog) -> None:
    found = bases(log)
    assert next(found).progress.base == 0
    log.topics.delete_before(CASES, 3)
    assert next(found, None) is None
    assert list(bases(log)) == []


def test_an_empty_changelog_has_no_base(log: ScriptedChangelog) -> None:
    log.topics.create_again(CASES)
    assert list(bases(log)) == []
