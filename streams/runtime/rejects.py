"""Rejects as records of `pv.rejected`: the original bytes, and why, in the headers."""

from schemas.rejected import Rejected
from streams.runtime.kafka_io import MAX_MESSAGE_BYTES

__all__ = ["reject_record"]

_FRAMING = 4_096  # of a record and its batch, generously


def reject_record(rejected: Rejected) -> tuple[bytes, bytes, dict[str, bytes]]:
    """Return value, key and headers; the key is where the message came from.

    The reason makes a reject larger than the message was. One that would no longer fit is cut, and
    the header `size` gives its length: the whole is where `source` and `position` say.
    """
    headers = {
        "reason": rejected.reason.encode(),
        "source": rejected.source.encode(),
        "position": str(rejected.position).encode(),
    }
    key = f"{rejected.source}@{rejected.position}".encode()
    room = MAX_MESSAGE_BYTES - _FRAMING - len(key) - sum(map(len, headers.values()))
    if len(rejected.raw) > room:
        headers["size"] = str(len(rejected.raw)).encode()
    return rejected.raw[:room], key, headers
