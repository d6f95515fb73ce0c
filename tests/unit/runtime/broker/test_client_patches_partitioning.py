"""Keys go where Kafka's own clients send them."""

import random

from kafka.partitioner import DefaultPartitioner
from kafka.partitioner.default import murmur2 as kafkas

from streams.runtime.broker.client_patches import KeyPartitioner, murmur2


class Cluster:
    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {"pv.alerts"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return self._partitions

    available_partitions_for_topic = partitions_for_topic


def test_keys_of_every_length_have_the_hash_of_kafka() -> None:
    chance = random.Random(7)
    keys = [chance.randbytes(length) for length in range(64) for _ in range(20)]
    assert [murmur2(key) for key in keys] == [kafkas(key) for key in keys]


def test_a_key_goes_to_the_partition_of_kafka() -> None:
    chance = random.Random(8)
    ours, theirs = KeyPartitioner(), DefaultPartitioner()
    for partitions in (1, 3, 8):
        cluster = Cluster(partitions)
        for _ in range(200):
            key = chance.randbytes(chance.randint(0, 40))
            record = ("pv.alerts", key, key, b"", b"", cluster)
            assert ours.partition(*record) == theirs.partition(*record)


def test_a_record_without_a_key_goes_to_any_partition() -> None:
    record = ("pv.alerts", None, None, b"", b"", Cluster(4))
    assert {KeyPartitioner().partition(*record) for _ in range(200)} == {0, 1, 2, 3}
