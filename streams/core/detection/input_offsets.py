"""Offsets of the deltas that are counted: each delta exactly once, without gaps."""

from schemas.delta import Delta
from schemas.errors import StateError

__all__ = ["is_next"]


def is_next(delta: Delta, offsets: dict[int, int], topic: str) -> bool:
    """Advance the counted offsets over a delta; return False if it was counted before.

    Parameters
    ----------
    offsets
        By partition, the next offset to count; updated.
    topic
        Name of the topic of the offsets, for the error.

    Raises
    ------
    StateError
        If the delta leaves a gap after the counted offsets, or overlaps them in part.
    """
    counted = offsets.get(delta.partition, delta.first_offset)
    if delta.next_offset <= counted and delta.partition in offsets:
        return False
    if delta.first_offset != counted:
        msg = (
            f"detector: deltas of {topic}[{delta.partition}] must follow one another from offset "
            f"{counted}; got [{delta.first_offset}, {delta.next_offset})"
        )
        raise StateError(msg)
    offsets[delta.partition] = delta.next_offset
    return True
