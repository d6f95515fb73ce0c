"""Senders of a chaos run that choose other partitions than Java clients do.

Four tenths of the reports are placed by CRC32 of their key, as librdkafka does, and one tenth has
no key and is placed at random. The partition on which a
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
BY_CRC32, WITHOUT_KEY = 0.4, 0.1


def with_partitioners(messages: Sequence[Sent], seed: int) -> list[Sent]:
    """Return the messages, some of the reports with the partition of another partitioner."""
    chance = random.Random(f"partitioners {seed}")
    return [_placed(one, chance) if one.topic == "reports" else one for one in messages]


def _placed(one: Sent, chance: random.Random) -> Sent:
    draw = chance.random()
    if draw < WITHOUT_KEY:
        return replace(one, key=None, partition=chance.randrange(PARTITIONS))
    if one.key is not None and draw < WITHOUT_KEY + BY_CRC32:
        return replace(one, partition=zlib.crc32(one.key) % PARTITIONS)
    return one


def is_misplaced(value: bytes, partition: int) -> bool:
    """Whether a readable report or link is on another partition than its case's."""
    key = json.loads(value)["case_id"].encode()
    return bool((murmur2(key) & 0x7FFFFFFF) % PARTITIONS != partition)
