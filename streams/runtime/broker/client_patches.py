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
import ssl
from typing import Any

from kafka.errors import KafkaConnectionError
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

__all__ = ["PIECE", "receive", "receive_large_pieces"]

PIECE = 256 << 10
"""Bytes that a socket is asked for at once; the kernel holds about as many."""

_LOG = logging.getLogger("kafka.net.transport")
_NO_MORE = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


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
