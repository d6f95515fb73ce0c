"""Compressed batches are read whole up to a bound, and refused with a reason beyond it."""

import gzip
import struct
import subprocess
import sys
from collections.abc import Callable

import cramjam
import pytest

from streams.runtime.broker.bounded_decompression import CannotDecompress, decompress

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CONTENT = b"".join(b"%d " % number for number in range(20_000))
XERIAL = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)


def framed_snappy(content: bytes, size: int = 32 << 10) -> bytes:
    """Compress as the Java client does: in blocks, each with its length before it."""
    parts = [XERIAL]
    for start in range(0, len(content), size):
        block = bytes(cramjam.snappy.compress_raw(content[start : start + size]))
        parts += (struct.pack(">i", len(block)), block)
    return b"".join(parts)


COMPRESS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "gzip": (GZIP, gzip.compress),
    "snappy in blocks": (SNAPPY, framed_snappy),
    "snappy": (SNAPPY, lambda content: bytes(cramjam.snappy.compress_raw(content))),
    "lz4": (LZ4, lambda content: bytes(cramjam.lz4.compress(content))),
    "zstd": (ZSTD, lambda content: bytes(cramjam.zstd.compress(content))),
}
each_codec = pytest.mark.parametrize("codec", COMPRESS)


@each_codec
@pytest.mark.parametrize("more", [0, 1, 10_000_000])
def test_records_within_the_bound_are_read_whole(codec: str, more: int) -> None:
    number, compress = COMPRESS[codec]
    assert decompress(number, compress(CONTENT), len(CONTENT) + more) == CONTENT


@each_codec
@pytest.mark.parametrize("limit", [1, 32 << 10, len(CONTENT) - 1])
def test_records_beyond_the_bound_are_refused(codec: str, limit: int) -> None:
    number, compress = COMPRESS[codec]
    with pytest.raises(CannotDecompress) as refused:
        decompress(number, compress(CONTENT), limit)
    assert str(refused.value) == f"records must unpack to at most {limit} bytes; got more"


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_streams_in_a_row_are_read_as_one(codec: str) -> None:
    number, compress = COMPRESS[codec]
    both = compress(b"first ") + compress(b"second")
    assert decompress(number, both, 12) == b"first second"
    with pytest.raises(CannotDecompress, match="at most 11 bytes; got more"):
        decompress(number, both, 11)


@each_codec
@pytest.mark.parametrize("size", [0, 5, 3_000])
def test_a_beginning_is_refused(codec: str, size: int) -> None:
    number, compress = COMPRESS[codec]
    with pytest.raises(CannotDecompress, match="compressed data must be "):
        decompress(number, compress(CONTENT)[:size], len(CONTENT))


@each_codec
def test_other_bytes_are_refused_by_the_name_of_the_codec(codec: str) -> None:
    number, _ = COMPRESS[codec]
    garbage = XERIAL + b"\x7f" * 20 if codec == "snappy in blocks" else b"\xff" * 20
    name = codec.partition(" ")[0]
    with pytest.raises(CannotDecompress, match=f"^compressed data must be {name}; got "):
        decompress(number, garbage, 1_000)


@pytest.mark.parametrize("size", [-1, 7])
def test_a_block_of_snappy_that_is_not_whole_is_refused(size: int) -> None:
    with pytest.raises(CannotDecompress, match=f"got a block of {size} bytes must be whole"):
        decompress(SNAPPY, XERIAL + struct.pack(">i", size) + b"123456", 1_000)


@pytest.mark.parametrize("codec", [0, 5, 7])
def test_an_unknown_codec_is_refused(codec: int) -> None:
    with pytest.raises(CannotDecompress) as refused:
        decompress(codec, b"", 1_000)
    rule = "compression must be none, gzip, snappy, lz4 or zstd"
    assert str(refused.value) == f"{rule}; got codec {codec}"


CHILD = """
import sys
from streams.runtime.broker.bounded_decompression import CannotDecompress, decompress
def peak():
    return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) << 10
packed = sys.stdin.buffer.read()
before = peak()
try:
    decompress(int(sys.argv[1]), packed, 1 << 20)
except CannotDecompress as error:
    print(peak() - before, error)
"""


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_bomb_takes_no_more_memory_than_the_bound(codec: str) -> None:
    number, compress = COMPRESS[codec]
    bomb = b"\xff\xff\xff\xff\x0f" if codec == "snappy" else compress(bytes(128 << 20))
    assert len(bomb) < 1 << 20
    command = [sys.executable, "-c", CHILD, str(number)]
    ended = subprocess.run(command, input=bomb, stdout=subprocess.PIPE, check=True)
    size, _, said = ended.stdout.decode().partition(" ")
    assert said == "records must unpack to at most 1048576 bytes; got more\n"
    assert int(size) < 16 << 20
