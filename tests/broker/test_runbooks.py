"""Runbooks of docs/operate/recover.md for a lost topic, executed on a real Kafka."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from streams.runtime.broker.clients import make_admin
from streams.runtime.broker.topics import create_topics
from streams.runtime.settings import Settings
from tests.broker.support.processes import (
    alerts,
    as_counts,
    deltas,
    drain,
    keyed,
    recount,
    require_contiguous,
    require_revisions,
    send,
    stream,
    wait_until,
)

pytestmark = pytest.mark.broker


def lose(settings: Settings, name: str) -> None:
    """Delete a topic, and recreate it by the runbook."""
    topic = f"{settings.topic_prefix}{name}"
    with closing(make_admin(settings)) as admin:
        admin.delete_topics([topic])

    def gone() -> bool:
        with closing(make_admin(settings)) as admin:
            return topic not in admin.list_topics()

    wait_until(gone, 30, f"{topic} is deleted")
    assert topic in create_topics(settings).created


def test_without_the_changelog_lost_databases_are_recounted(
    topics: Settings, tmp_path: Path
) -> None:
    messages, latest = stream(600, seed=21)
    state = tmp_path / "state"
    send(topics, keyed(messages[:300]))
    drain(topics, state)
    lose(topics, "cases")
    send(topics, keyed(messages[300:500]))
    drain(topics, state)
    shutil.rmtree(state / "cases" / "0")
    send(topics, keyed(messages[500:]))
    assert as_counts(drain(topics, state)) == recount(latest)
    assert sum(require_contiguous(deltas(topics)).values()) == len(messages)


def test_without_the_alerts_topic_signals_continue(topics: Settings, tmp_path: Path) -> None:
    messages, latest = stream(600, seed=22)
    state = tmp_path / "state"
    send(topics, keyed(messages[:300]))
    drain(topics, state)
    before = alerts(topics)
    assert before
    lose(topics, "alerts")
    send(topics, keyed(messages[300:]))
    assert as_counts(drain(topics, state)) == recount(latest)
    require_revisions([*before, *alerts(topics)])


def test_without_the_snapshot_the_detector_recounts_and_repeats_nothing(
    topics: Settings, tmp_path: Path
) -> None:
    messages, latest = stream(600, seed=23)
    state = tmp_path / "state"
    send(topics, keyed(messages[:300]))
    drain(topics, state)
    before = len(alerts(topics))
    (state / "detect").rename(tmp_path / "away")
    drain(topics, state)
    assert len(alerts(topics)) == before > 0
    send(topics, keyed(messages[300:]))
    assert as_counts(drain(topics, state)) == recount(latest)
    require_revisions(alerts(topics))
