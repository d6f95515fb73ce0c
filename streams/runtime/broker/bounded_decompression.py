"""Decompresses batches of records, with a bound on the size of what they hold.

kafka-python 3.0.12 decompresses a batch whole, whatever its size: a batch of 1.5 MB can hold
1.5 GB, and the broker accepts it. It also reads only the codecs whose libraries it finds, so that
the same topic could be read on one machine and not on another.
"""

import mmap
import struct
import zlib
from collections.abc import Callable, Iterator

from cramjam import DecompressionError, lz4, snappy, zstd

__all__ = ["CannotDecompress", "decompress"]

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4  # as in the attributes of a batch
_OVERFLOW = "failed to write whole buffer"  # cramjam's words for an output that is full
_XERIAL = b"\x82SNAPPY\0"  # of the framing that the Java client writes around blocks of snappy
_XERIAL_HEADER = 16  # bytes: the name, a version, the oldest version that can read it
_BLOCK_SIZE = struct.Struct(">i")


class CannotDecompress(Exception):
    """A batch is damaged, too large, or compressed with an unknown codec."""


def decompress(codec: int, packed: bytes, limit: int) -> bytes:
    """Return the decompressed records of a batch, at most `limit` bytes.

    Parameters
    ----------
    codec
        As in the attributes of a batch: 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    packed
        Compressed records, without the header of the batch.
    limit
        Most bytes that they may decompress to.

    Raises
    ------
    CannotDecompress
        If they are damaged, larger than `limit`, or of another codec; its text says which.
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
        packed = stream.unused_data  # gzip allows for several streams in a row
        if not packed:
            return bytes(unpacked)


def _unsnappy(packed: bytes, limit: int) -> bytes:
    unpacked = bytearray()
    try:
        for block in _snappy_blocks(packed):
            # A block states its size; no more than that is allocated for it.
            if len(unpacked) + snappy.decompress_raw_len(block) > limit:
                raise _too_large(limit)
            unpacked += snappy.decompress_raw(block)
    except (DecompressionError, struct.error) as error:
        msg = f"compressed data must be snappy; got {error}"
        raise CannotDecompress(msg) from error
    return bytes(unpacked)


def _snappy_blocks(packed: bytes) -> Iterator[bytes]:
    if not packed.startswith(_XERIAL):
        yield packed  # librdkafka writes one block without framing
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
    # Anonymous memory of the system: of `limit` bytes only those that are written are used.
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
