"""How large a message may be."""

from schemas.errors import TocsinError

__all__ = ["MAX_MESSAGE_BYTES", "RECORD_BYTES", "TooLarge", "too_large"]

MAX_MESSAGE_BYTES = 16 << 20  # a case report with its narrative and attachments
RECORD_BYTES = (16 << 20) - 4096  # of a value: a message of 16 MiB, its key, headers and framing


class TooLarge(TocsinError):
    """What a range of messages changed does not fit into one record; count fewer of them."""


def too_large(value: bytes) -> None:
    """Raise `TooLarge` if a value does not fit into one record."""
    if len(value) > RECORD_BYTES:
        msg = f"the change of a case must fit in {RECORD_BYTES} bytes; got {len(value)}"
        raise TooLarge(msg)
