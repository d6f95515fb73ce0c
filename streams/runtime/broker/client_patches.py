"""How bytes come in from a broker: in large pieces, and to the last word.

What this changes in kafka-python, for every client of this process, each read or measured in
version 3.0.12:

- It asks the socket for 4 KiB at a time, and after each piece another thread may take the
  interpreter for 5 ms. Ours asks for `PIECE`: beside a busy thread 8 MB come in five to twelve
  times as fast, beside none four times.
- It throws away what comes together with the end of a connection. The answer to a wrong password
  does: without it all that is known is that the socket was disconnected.
"""

import logging
import selectors
import ssl
import struct
from functools import lru_cache
from typing import Any

from kafka.errors import KafkaConnectionError
from kafka.net.compat import KafkaNetClient
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from kafka.partitioner import DefaultPartitioner

__all__ = [
    "PIECE",
    "KeyPartitioner",
    "NetClient",
    "Selector",
    "murmur2",
    "partition_of",
    "receive",
    "receive_large_pieces",
]

PIECE = 256 << 10
"""Bytes that a socket is asked for at once; the kernel holds about as many."""
_LOG = logging.getLogger("kafka.net.transport")
_NO_MORE = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_SEED, _M, _BITS = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


def receive(transport: Any) -> tuple[bytes, Exception | None]:
    """Return what has come in, or why nothing will any more."""
    pieces: list[bytes] = []
    error: Exception | None = None
    # What TLS has deciphered, nobody says is there: that is asked for until nothing comes.
    whole = 0 if isinstance(transport, KafkaSSLTransport) else PIECE
    while not pieces or len(pieces[-1]) >= whole:
        try:
            piece = transport._sock.recv(PIECE)
        except _NO_MORE:
            break
        except Exception as failure:
            _LOG.exception("%s: Error receiving network data closing socket", transport)
            error = KafkaConnectionError(failure)
            break
        if not piece:
            _LOG.error("%s: socket disconnected", transport)
            error = KafkaConnectionError("socket disconnected")
            break
        pieces.append(piece)
    received = b"".join(pieces)
    return received, None if received else error  # the next time meets the end again


def receive_large_pieces() -> None:
    """Have the clients of this process receive so."""
    for transport in (KafkaTCPTransport, KafkaSSLTransport):
        transport._sock_recv = receive


class NetClient(KafkaNetClient):  # type: ignore[misc]
    """A client's way to the brokers, with the selector of this module."""

    def __init__(self, **configs: Any) -> None:
        super().__init__(**{**configs, "selector": Selector, "slow_task_threshold_secs": 0})


class Selector(selectors.DefaultSelector):
    """The default selector of the platform, whose `get_key` says no more than that it has none."""

    def get_key(self: Any, fileobj: Any) -> selectors.SelectorKey:
        """Return the key of a registered socket.

        Raises
        ------
        KeyError
            If it is not registered.
        RuntimeError
            If the selector is closed.
        """
        if self.get_map() is None:
            return super().get_key(fileobj)
        key: selectors.SelectorKey = self._fd_to_key[self._fileobj_lookup(fileobj)]
        return key


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
