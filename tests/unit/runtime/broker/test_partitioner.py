"""The partition of a case: that of Java clients, and not that of librdkafka."""

import zlib
from types import SimpleNamespace

import pytest
from kafka.partitioner import DefaultPartitioner

from streams.core.cases.versions import release_key
from streams.runtime.broker.partitioner import is_placed, partition_of

# Of `UtilsTest.testMurmur2` in Apache Kafka: a key, and its hash as a signed integer.
OF_JAVA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}
CASES = [f"DE-{number}-\u00e9\u6771" for number in range(200)]


@pytest.mark.parametrize("partitions", [1, 2, 7, 8, 50])
def test_a_case_has_the_partition_that_java_clients_choose(partitions: int) -> None:
    for key, hashed in OF_JAVA.items():
        assert partition_of(key, partitions) == (hashed & 0x7FFFFFFF) % partitions


def test_a_case_has_the_partition_that_our_producers_choose() -> None:
    numbers = set(range(8))
    cluster = SimpleNamespace(
        topics=lambda: {"t"},
        partitions_for_topic=lambda topic: numbers,
        available_partitions_for_topic=lambda topic: numbers,
    )
    choose = DefaultPartitioner().partition
    for case in CASES:
        key = case.encode()
        assert choose("t", key, key, b"", b"", cluster) == partition_of(case, 8)


def test_librdkafka_chooses_another_partition_for_most_cases() -> None:
    assert zlib.crc32(b"123456789") == 0xCBF43926  # the check value of CRC-32
    others = sum(partition_of(case, 8) != zlib.crc32(case.encode()) % 8 for case in CASES)
    assert others / len(CASES) == pytest.approx(7 / 8, abs=0.1)


def test_a_case_is_placed_on_one_partition() -> None:
    for case in CASES:
        placed = [number for number in range(8) if is_placed(case, number, 8)]
        assert placed == [partition_of(case, 8)]
        assert is_placed(case, 0, 1)


def test_a_release_marker_counts_on_every_partition() -> None:
    assert all(is_placed(release_key("vaers/2024"), number, 8) for number in range(8))
