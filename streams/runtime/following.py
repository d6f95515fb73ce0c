"""Reading `pv.alerts` as a subscriber does."""

from collections.abc import Callable, Iterator

from kafka import TopicPartition

from schemas.alert import Alert
from streams.runtime.case_worker import end_offsets
from streams.runtime.kafka_errors import broker_errors
from streams.runtime.kafka_io import make_consumer
from streams.runtime.settings import Settings
from streams.runtime.topics import topic_name

__all__ = ["read_alerts"]

_POLL_MS = 500


def read_alerts(
    settings: Settings, *, follow: bool, stopped: Callable[[], bool]
) -> Iterator[Alert]:
    """Yield every committed alert from the first one on; with `follow`, wait for more.

    The revisions of one signal come in order; those of different signals may interleave.
    """
    topic = topic_name(settings, "alerts")
    consumer = make_consumer(settings)
    try:
        with broker_errors(f"read {topic}"):
            ends = end_offsets(consumer, topic)
            partitions = [TopicPartition(topic, number) for number in ends]
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            while not stopped():
                for records in consumer.poll(timeout_ms=_POLL_MS).values():
                    for record in records:
                        yield Alert.model_validate_json(record.value)
                done = all(consumer.position(at) >= ends[at.partition] for at in partitions)
                if done and not follow:
                    return
    finally:
        consumer.close()
