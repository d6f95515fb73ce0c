"""Rejects as records of `pv.rejected`: the original bytes, with the reason in the headers.

A record without a value is a marker: the reject with that key and digest was redriven.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from schemas.rejected import Rejected
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES

__all__ = [
    "Redriven",
    "StoredReject",
    "coordinates",
    "lineage",
    "lineage_headers",
    "marker_record",
    "reject_record",
    "stored",
]

_FRAMING = 4_096  # bytes; upper bound for the framing of a record and its batch
_FROM, _ATTEMPT = "redriven-from", "redriven-attempt"
_LONGEST = 1_000  # bytes of coordinates; a file name has at most 255
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class StoredReject:
    """A reject read from the topic.

    Attributes
    ----------
    rejected
        The message, its source, and the reason.
    size
        Length of the message [bytes]; more than that of ``rejected.raw`` if it was truncated.
    digest
        SHA-256 of ``rejected.raw``. With `coordinates` it identifies a reject: a file that is
        published twice rejects its lines twice, and a later file may have the same name.
    at
        Time of the rejection.
    """

    rejected: Rejected
    size: int
    digest: str
    at: datetime

    @property
    def coordinates(self) -> str:
        """Return source and position of the message: the key of the reject."""
        return coordinates(self.rejected)

    @property
    def whole(self) -> bool:
        """Return whether the reject has all bytes of the message."""
        return self.size == len(self.rejected.raw)

    @property
    def identity(self) -> tuple[str, str]:
        """Return `coordinates` and `digest`."""
        return self.coordinates, self.digest


@dataclass(frozen=True, slots=True)
class Redriven:
    """A marker: the reject with this identity was published to its topic again."""

    identity: tuple[str, str]
    how: str  # `as it was` or `mended`


def reject_record(rejected: Rejected) -> tuple[bytes, bytes, dict[str, bytes]]:
    """Return value, key and headers; the key is the coordinates of the message.

    The headers make a reject larger than the message. One that no longer fits is truncated, and the
    header `size` gives the length of the message: all of it is at `source` and `position`.
    """
    headers = {
        "reason": rejected.reason.encode(),
        "source": rejected.source.encode(),
        "position": str(rejected.position).encode(),
    }
    if rejected.key is not None:
        headers["key"] = rejected.key
    if rejected.first is not None:
        headers["first"] = rejected.first.encode()
        headers["attempts"] = str(rejected.attempts).encode()
    key = coordinates(rejected).encode()
    room = MAX_MESSAGE_BYTES - _FRAMING - len(key) - sum(map(len, headers.values()))
    if len(rejected.raw) > room:
        headers["size"] = str(len(rejected.raw)).encode()
    return rejected.raw[:room], key, headers


def marker_record(reject: StoredReject, how: str) -> tuple[bytes, dict[str, bytes]]:
    """Return key and headers of the marker of a redriven reject; it has no value."""
    headers = {"redriven": how.encode(), "digest": reject.digest.encode()}
    return reject.coordinates.encode(), headers


def stored(record: Any) -> StoredReject | Redriven | None:
    """Read a record of `pv.rejected`; `None` if it is neither reject nor marker.

    `code` is `None`: the headers hold only the reason.
    """
    headers: dict[str, bytes] = dict(record.headers)
    if record.value is None:
        if {"redriven", "digest"} <= headers.keys():
            identity = (record.key or b"").decode(errors="replace"), headers["digest"].decode()
            return Redriven(identity, headers["redriven"].decode())
        return None
    if not {"reason", "source", "position"} <= headers.keys():
        return None
    rejected = Rejected(
        source=headers["source"].decode(),
        position=int(headers["position"]),
        reason=headers["reason"].decode(),
        raw=record.value,
        key=headers.get("key"),
        first=headers["first"].decode() if "first" in headers else None,
        attempts=int(headers.get("attempts", b"0")),
        code=None,
    )
    return StoredReject(
        rejected,
        size=int(headers.get("size", len(record.value))),
        digest=hashlib.sha256(record.value).hexdigest(),
        at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
    )


def coordinates(rejected: Rejected) -> str:
    """Return source and position of a message, as in the key of its reject.

    >>> rejected = Rejected(source="pv.reports[3]", position=17, reason="", raw=b"", code=None)
    >>> coordinates(rejected)
    'pv.reports[3]@17'
    """
    return f"{rejected.source}@{rejected.position}"


def lineage_headers(rejected: Rejected) -> dict[str, bytes]:
    """Return the headers of a redriven message: its first coordinates, and the attempt number."""
    first = rejected.first or coordinates(rejected)
    return {_FROM: first.encode(), _ATTEMPT: str(rejected.attempts + 1).encode()}


def lineage(headers: Iterable[tuple[str, bytes | None]]) -> Mapping[str, Any]:
    """Return the fields `first` and `attempts` of a `Rejected`, if a message was redriven before.

    Any sender may set these headers; malformed ones are ignored.

    >>> lineage([("redriven-from", b"pv.reports[3]@17"), ("redriven-attempt", b"2")])
    {'first': 'pv.reports[3]@17', 'attempts': 2}
    >>> lineage([("redriven-from", b"pv.reports[3]@17"), ("redriven-attempt", b"-2")])
    {}
    """
    found = dict(headers)
    first, attempt = found.get(_FROM) or b"", found.get(_ATTEMPT) or b""
    if not (0 < len(first) <= _LONGEST and len(attempt) <= _MOST_DIGITS and attempt.isdigit()):
        return {}
    try:
        return {"first": first.decode(), "attempts": int(attempt)}
    except UnicodeDecodeError:
        return {}
