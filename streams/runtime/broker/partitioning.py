"""Which partition a key goes to: that of Kafka's own clients, at less cost.

kafka-python lists and sorts the partitions for every record, and hashes its key anew; the key of a
signal is sent to two topics, and again with each revision.
"""

import struct
from functools import lru_cache
from typing import Any

from kafka.partitioner import DefaultPartitioner

__all__ = ["KeyPartitioner", "murmur2", "partition_of"]

_SEED, _M, _BITS = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


class KeyPartitioner(DefaultPartitioner):  # type: ignore[misc]
    """Chooses as `kafka.partitioner.DefaultPartitioner` does, and as the Java client."""

    def partition(
        self,
        topic: str,
        key: Any,
        serialized_key: bytes | None,
        value: Any,
        serialized_value: bytes | None,
        cluster: Any,
    ) -> int:
        """Return the partition of a record; one without a key goes anywhere."""
        partitions = cluster.partitions_for_topic(topic)
        if serialized_key is None or not partitions:
            chosen: int = super().partition(
                topic, key, serialized_key, value, serialized_value, cluster
            )
            return chosen
        return partition_of(bytes(serialized_key), len(partitions))


def partition_of(key: bytes, partitions: int) -> int:
    """Return where a key goes among so many partitions: Kafka numbers them from 0 without gaps."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


@lru_cache(maxsize=1 << 10)  # one look at most: an alert goes out and its signal right after it
def murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 of a key, with the seed that Kafka uses.

    >>> murmur2(b"21")
    3321034988
    """
    size = len(data)
    whole = size & ~3
    hashed = _SEED ^ size
    for word in struct.unpack(f"<{whole // 4}I", data[:whole]):
        word = word * _M & _BITS
        word = (word ^ word >> 24) * _M & _BITS
        hashed = (hashed * _M & _BITS) ^ word
    if size > whole:
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * _M & _BITS
    hashed = (hashed ^ hashed >> 13) * _M & _BITS
    return hashed ^ hashed >> 15
