"""Where a redriven message stood first: in its headers, and in the reject if it fails again."""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.rejected import Rejected

__all__ = ["coordinates", "lineage", "lineage_headers"]

_FROM, _ATTEMPT = "redriven-from", "redriven-attempt"
_LONGEST = 1_000  # of coordinates: a file's name has 255 bytes at most
_MOST_DIGITS = 9


def coordinates(rejected: Rejected) -> str:
    """Return where a message came from, as the key of its reject says it.

    >>> coordinates(Rejected(source="pv.reports[3]", position=17, reason="", raw=b""))
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
