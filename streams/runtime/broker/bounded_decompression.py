"""Decompress batches of records, up to a limit on the decompressed size.

kafka-python 3.0.12 decompresses a batch without a limit: a batch of 1.5 MB can hold 1.5 GB, and
the broker accepts it. It also supports only the codecs whose libraries are installed, so a topic
could be readable on one machine and not on another.
"""

import mmap
import struct
import zlib
from collections.abc import Callable, Iterator

from cramjam import DecompressionError, lz4, snappy, zstd

__all__ = ["CannotDecompress", "decompress"]

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4  # as in the attributes of a batch
_OVERFLOW = "failed to write whole buffer"  # cramjam's error message for a full output buffer
_XERIAL = b"\x82SNAPPY\0"  # start of the framing in which the Java client puts snappy blocks
_XERIAL_HEADER = 16  # bytes: the name, the version, the oldest compatible version
_BLOCK_SIZE = struct.Struct(">i")


class CannotDecompress(Exception):
    """A batch is damaged, too large, or compressed with an unknown codec."""


def decompress(codec: int, packed: bytes, limit: int) -> bytes:
    """Return the decompressed records of a batch, at most `limit` bytes.

    Parameters
    ----------
    codec
        Codec in the attributes of the batch: 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    packed
        Compressed records, without the header of the batch.
    limit
        Maximum decompressed size [bytes].

    Raises
    ------
    CannotDecompress
        If the records are damaged, larger than `limit`, or of an unknown codec; see its message.
    """
    if codec == GZIP:
        return _gunzip(packed, limit)
    if codec == SNAPPY:
        return _unsnappy(packed, limit)
    if codec == LZ4:
        return _into_buffer("lz4", lz4.decompress_into, packed, limit)
    if codec == ZSTD:
        return _into_buffer("zstd", zstd.decompress_into, packed, limit)
    msg = f"compression must be none, gzip, snappy, lz4 or zstd; got codec {codec}"
    raise CannotDecompress(msg)


def _gunzip(packed: bytes, limit: int) -> bytes:
    unpacked = bytearray()
    while True:
        stream = zlib.decompressobj(wbits=31)
        try:
            unpacked += stream.decompress(packed, limit + 1 - len(unpacked))
        except zlib.error as error:
            msg = f"compressed data must be gzip; got {error}"
            raise CannotDecompress(msg) from error
        if len(unpacked) > limit:
            raise _too_large(limit)
        if not stream.eof:
            msg = "compressed data must be whole; got only its beginning"
            raise CannotDecompress(msg)
        packed = stream.unused_data  # gzip allows concatenated streams
        if not packed:
            return bytes(unpacked)


def _unsnappy(packed: bytes, limit: int) -> bytes:
    unpacked = bytearray()
    try:
        for block in _snappy_blocks(packed):
            # A block states its decompressed size, and exactly that is allocated.
            if len(unpacked) + snappy.decompress_raw_len(block) > limit:
                raise _too_large(limit)
            unpacked += snappy.decompress_raw(block)
    except (DecompressionError, struct.error) as error:
        msg = f"compressed data must be snappy; got {error}"
        raise CannotDecompress(msg) from error
    return bytes(unpacked)


def _snappy_blocks(packed: bytes) -> Iterator[bytes]:
    if not packed.startswith(_XERIAL):
        yield packed  # librdkafka writes a single block without framing
        return
    start = _XERIAL_HEADER
    while start < len(packed):
        (size,) = _BLOCK_SIZE.unpack_from(packed, start)
        start += _BLOCK_SIZE.size
        if not 0 <= size <= len(packed) - start:
            msg = f"a block of {size} bytes must be whole"
            raise DecompressionError(msg)
        yield packed[start : start + size]
        start += size


def _into_buffer(
    name: str, decompress_into: Callable[[bytes, mmap.mmap], int], packed: bytes, limit: int
) -> bytes:
    # An anonymous mapping: only the pages that are written take memory, not all of `limit`.
    with mmap.mmap(-1, limit) as buffer:
        try:
            size = decompress_into(packed, buffer)
        except DecompressionError as error:
            if str(error) == _OVERFLOW:
                raise _too_large(limit) from error
            msg = f"compressed data must be {name}; got {error}"
            raise CannotDecompress(msg) from error
        return buffer[:size]


def _too_large(limit: int) -> CannotDecompress:
    return CannotDecompress(f"records must unpack to at most {limit} bytes; got more")
