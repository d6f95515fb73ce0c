"""Record batches made byte by byte, as a foreign or broken producer would send them."""

import gzip
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import cramjam
from kafka.protocol.producer import ProduceRequest
from kafka.record.util import calc_crc32c

from streams.runtime.broker.client_patches import NetClient
from streams.runtime.settings import Settings

__all__ = [
    "CODECS",
    "GZIP",
    "batch",
    "bomb",
    "compressed",
    "gzipped",
    "produce",
    "record",
]

GZIP = 1
_REFUSAL_MS = 30_000
_NOT_YET = (3, 6)  # a topic that was just made has no leader that knows of it


def varint(number: int) -> bytes:
    """Encode a signed number as Kafka does: zigzag, seven bits a byte."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(0x80 | (rest & 0x7F))
        rest >>= 7
    out.append(rest)
    return bytes(out)


def sized(content: bytes | None) -> bytes:
    return varint(-1) if content is None else varint(len(content)) + content


def record(
    delta: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """Return one record of a batch; the names of headers may be any bytes."""
    body = b"\0" + varint(0) + varint(delta) + sized(key) + sized(value) + varint(len(headers))
    for name, content in headers:
        body += sized(name) + sized(content)
    return varint(len(body)) + body


def batch(payload: bytes, count: int, *, codec: int = 0, magic: int = 2, crc: int = 0) -> bytes:
    """Return a batch of `count` records around its payload, compressed or not; `crc` is added."""
    after = struct.pack(">hiqqqhii", codec, count - 1, 0, 0, -1, -1, -1, count) + payload
    sum_ = (calc_crc32c(after) + crc) % 2**32
    rest = struct.pack(">ibI", -1, magic, sum_) + after
    return struct.pack(">qi", 0, len(rest)) + rest


def gzipped(parts: Iterator[bytes] | Sequence[bytes]) -> bytes:
    """Compress parts one by one, so that a bomb can be made without its whole size in memory."""
    squeeze = zlib.compressobj(6, wbits=31)
    return b"".join([*(squeeze.compress(part) for part in parts), squeeze.flush()])


def _framed_snappy(content: bytes, size: int = 32 << 10) -> bytes:
    """Compress as the Java client does: in blocks, each with its length before it."""
    parts = [b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)]
    for start in range(0, len(content), size):
        block = bytes(cramjam.snappy.compress_raw(content[start : start + size]))
        parts += (struct.pack(">i", len(block)), block)
    return b"".join(parts)


def _framed_lz4(content: bytes, size: int = 64 << 10) -> bytes:
    """Compress as the Java client does, whose broker reads no blocks that depend on each other."""
    parts = [b"\x04\x22\x4d\x18\x60\x40\x82"]  # independent blocks of at most 64 KiB
    for start in range(0, len(content), size):
        plain = content[start : start + size]
        block = bytes(cramjam.lz4.compress_block(plain, store_size=False))
        if len(block) < len(plain):
            parts += (struct.pack("<I", len(block)), block)
        else:
            parts += (struct.pack("<I", len(plain) | 1 << 31), plain)
    return b"".join([*parts, bytes(4)])


CODECS: dict[str, tuple[int, Callable[[bytes], Any]]] = {
    "gzip": (GZIP, gzip.compress),
    "snappy": (2, _framed_snappy),
    "lz4": (3, _framed_lz4),
    "zstd": (4, cramjam.zstd.compress),
}


def compressed(records: bytes, count: int, codec: str, **more: int) -> bytes:
    """Return a batch of `count` records, compressed with a codec."""
    number, compress = CODECS[codec]
    return batch(bytes(compress(records)), count, codec=number, **more)


def bomb(key: bytes, size: int) -> bytes:
    """Return a small batch of one record whose value unpacks to `size` zeros."""
    block = bytes(1 << 20)
    body = b"\0" + varint(0) + varint(0) + sized(key) + varint(size)
    end = varint(0)

    def parts() -> Iterator[bytes]:
        yield varint(len(body) + size + len(end)) + body
        for done in range(0, size, len(block)):
            yield block[: size - done]
        yield end

    return batch(gzipped(parts()), 1, codec=GZIP)


def produce(settings: Settings, topic: str, partition: int, records: bytes) -> int:
    """Send one batch as it is and return the broker's error code; 0 if it took it."""
    data = ProduceRequest.TopicProduceData
    request = ProduceRequest(
        transactional_id=None,
        acks=-1,
        timeout_ms=_REFUSAL_MS,
        topic_data=[
            data(
                name=topic,
                partition_data=[data.PartitionProduceData(index=partition, records=records)],
            )
        ],
        min_version=3,
        max_version=9,
    )
    with closing(NetClient(**settings.client_settings())) as client:
        client.check_version()
        (broker, *_) = client.cluster.brokers()
        for _ in range(100):
            response = client.send_and_receive(broker.node_id, request)
            code: int = response.responses[0].partition_responses[0].error_code
            if code not in _NOT_YET:
                break
            time.sleep(0.1)
        return code
