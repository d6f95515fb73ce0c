"""Rejects as records of `pv.rejected`: the original bytes, and why, in the headers."""

from schemas.rejected import Rejected

__all__ = ["reject_record"]


def reject_record(rejected: Rejected) -> tuple[bytes, bytes, dict[str, bytes]]:
    """Return value, key and headers; the key is where the message came from."""
    headers = {
        "reason": rejected.reason.encode(),
        "source": rejected.source.encode(),
        "position": str(rejected.position).encode(),
    }
    return rejected.raw, f"{rejected.source}@{rejected.position}".encode(), headers
