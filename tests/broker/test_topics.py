"""Creation of the topics on a real Kafka: idempotent, with every mismatch reported."""

from contextlib import closing

import pytest

from schemas.errors import BrokerError
from streams.runtime.broker.clients import make_admin
from streams.runtime.broker.topics import TOPICS, create_topics
from streams.runtime.settings import Settings

pytestmark = pytest.mark.broker


def test_topics_are_created_once_and_found_afterwards(settings: Settings) -> None:
    names = tuple(f"{settings.topic_prefix}{topic.name}" for topic in TOPICS)
    first = create_topics(settings)
    assert (first.created, first.existing, first.mismatched) == (names, (), ())
    second = create_topics(settings)
    assert (second.created, second.existing, second.mismatched) == ((), names, ())


def test_different_topics_are_reported_and_not_changed(settings: Settings) -> None:
    deltas, signals = (f"{settings.topic_prefix}{name}" for name in ("deltas", "signals"))
    with closing(make_admin(settings)) as admin:
        admin.create_topics(
            {
                deltas: {"num_partitions": 3, "replication_factor": 1},
                signals: {"num_partitions": 2, "configs": {"cleanup.policy": "delete"}},
            },
            wait_for_metadata=True,
        )
    for _ in range(2):
        report = create_topics(settings)
        found = [str(mismatch) for mismatch in report.mismatched]
        assert f"{deltas}: partitions must be 1; got 3" in found
        assert f"{deltas}: retention.ms must be -1; got 604800000" in found
        assert f"{signals}: cleanup.policy must be compact; got delete" in found
        assert {mismatch.topic for mismatch in report.mismatched} == {deltas, signals}
        assert set(report.existing) >= {deltas, signals}


def test_an_impossible_replication_factor_is_refused(settings: Settings) -> None:
    with pytest.raises(BrokerError, match=r"^create the topics: .*replication factor") as raised:
        create_topics(settings.model_copy(update={"replication_factor": 30}))
    assert "\n" not in str(raised.value)
