"""Rejects as records of `pv.rejected`: the original bytes, and why, in the headers.

A record without a value is no reject but a marker: the reject of that key and digest was redriven.
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

_FRAMING = 4_096  # of a record and its batch, generously
_FROM, _ATTEMPT = "redriven-from", "redriven-attempt"
_LONGEST = 1_000  # of coordinates: a file's name has 255 bytes at most
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class StoredReject:
    """A reject as it stands on the topic.

    Attributes
    ----------
    rejected
        What was rejected, why, and where it came from.
    size
        Length of the message; more than that of ``rejected.raw`` if only its beginning was kept.
    digest
        SHA-256 of ``rejected.raw``. With `coordinates` it is the identity of a reject: a file that
        is published twice rejects its lines twice, and a later file may bear the same name.
    at
        When it was rejected.
    """

    rejected: Rejected
    size: int
    digest: str
    at: datetime

    @property
    def coordinates(self) -> str:
        """Where the message came from, as the key of the reject says it."""
        return coordinates(self.rejected)

    @property
    def whole(self) -> bool:
        """Whether all bytes of the message are here."""
        return self.size == len(self.rejected.raw)

    @property
    def identity(self) -> tuple[str, str]:
        """`coordinates` and `digest`."""
        return self.coordinates, self.digest


@dataclass(frozen=True, slots=True)
class Redriven:
    """A marker: the reject of this identity was put back onto its topic."""

    identity: tuple[str, str]
    how: str  # `as it was` or `mended`


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
    """Return key and headers of the record that says a reject was redriven; it has no value."""
    headers = {"redriven": how.encode(), "digest": reject.digest.encode()}
    return reject.coordinates.encode(), headers


def stored(record: Any) -> StoredReject | Redriven | None:
    """Read a record of `pv.rejected`; `None` for what is neither reject nor marker.

    The headers hold the reason and no code.
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
    """Return where a message came from, as the key of its reject says it.

    >>> rejected = Rejected(source="pv.reports[3]", position=17, reason="", raw=b"", code=None)
    >>> coordinates(rejected)
    'pv.reports[3]@17'
    """
    return f"{rejected.source}@{rejected.position}"


def lineage_headers(rejected: Rejected) -> dict[str, bytes]:
    """Return the headers of a message that is redriven: where it stood first, and which attempt."""
    first = rejected.first or coordinates(rejected)
    return {_FROM: first.encode(), _ATTEMPT: str(rejected.attempts + 1).encode()}


def lineage(headers: Iterable[tuple[str, bytes | None]]) -> Mapping[str, Any]:
    """Return the fields `first` and `attempts` of a `Rejected`, if a message was redriven before.

    Anybody may send such headers; what makes no sense is taken for absent.

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
