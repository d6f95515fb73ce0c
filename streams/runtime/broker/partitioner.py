"""Partition of a case on `pv.reports`: murmur2 of its id, as our producers and Java clients choose.

Other clients choose otherwise: librdkafka by CRC32, many at random without a key. Their records are
re-routed by the case stage: `streams.runtime.wire.rerouting`.
"""

from kafka.partitioner import murmur2

from streams.core.cases.versions import RELEASE_PREFIX

__all__ = ["is_placed", "partition_of"]


def partition_of(case_id: str, partitions: int) -> int:
    """Return the partition of a case among a number of partitions.

    >>> partition_of("DE-EXAMPLE-2024-0017", 8)
    6
    """
    hashed: int = murmur2(case_id.encode())
    return (hashed & 0x7FFF_FFFF) % partitions


def is_placed(case_id: str, partition: int, partitions: int) -> bool:
    """Whether a message of a case is on the partition of the case, and counts there.

    Release markers count on every partition.
    """
    return (
        partitions == 1
        or partition_of(case_id, partitions) == partition
        or case_id.startswith(RELEASE_PREFIX)
    )
