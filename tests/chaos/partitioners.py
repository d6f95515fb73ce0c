"""Senders of a chaos run that choose other partitions than Java clients do.

Half of the reports are placed by CRC32 of their key, as librdkafka does. The partition on which a
case counts is stated here without any code of Tocsin.
"""

import json
import random
import zlib
from collections.abc import Sequence
from dataclasses import replace

from kafka.partitioner import murmur2

from tests.chaos.reports import Sent

__all__ = ["PARTITIONS", "is_misplaced", "with_partitioners"]

PARTITIONS = 8
BY_CRC32 = 0.5


def with_partitioners(messages: Sequence[Sent], seed: int) -> list[Sent]:
    """Return the messages, some of the reports with the partition of another partitioner."""
    chance = random.Random(f"partitioners {seed}")
    return [
        replace(one, partition=zlib.crc32(one.key) % PARTITIONS)
        if one.topic == "reports" and chance.random() < BY_CRC32
        else one
        for one in messages
    ]


def is_misplaced(value: bytes, partition: int) -> bool:
    """Whether a readable report or link is on another partition than its case's."""
    key = json.loads(value)["case_id"].encode()
    return bool((murmur2(key) & 0x7FFFFFFF) % PARTITIONS != partition)
