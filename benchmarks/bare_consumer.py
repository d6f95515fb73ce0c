"""kafka-python's own consumer, alone in a process: it polls and counts bytes.

Nothing of Tocsin is imported, so that nothing that it changes in the client is measured. Reads the
consumer's settings, the topic and the number of messages as JSON from standard input; prints, as
JSON, the seconds, the seconds of CPU and the bytes that it took to read them.
"""

import json
import sys
import time
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition


def read_all(consumer: Any, topic: str, number: int) -> tuple[float, float, int]:
    """Read so many messages; return the seconds, the seconds of CPU and the bytes."""
    partitions = [TopicPartition(topic, at) for at in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    seen = size = 0
    begun, busy = time.perf_counter(), time.process_time()
    while seen < number:
        for batch in consumer.poll(timeout_ms=500).values():
            seen += len(batch)
            size += sum(len(record.value) for record in batch)
    return time.perf_counter() - begun, time.process_time() - busy, size


def main() -> None:
    config, topic, number = json.load(sys.stdin)
    with closing(KafkaConsumer(**config)) as consumer:
        json.dump(read_all(consumer, topic, number), sys.stdout)


if __name__ == "__main__":
    main()
