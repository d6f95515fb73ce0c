"""Size limits of messages and records."""

from schemas.errors import TocsinError

__all__ = ["MAX_MESSAGE_BYTES", "RECORD_BYTES", "TooLarge", "too_large"]

MAX_MESSAGE_BYTES = 16 << 20  # a case report with its narrative and attachments
RECORD_BYTES = (16 << 20) - 4096  # of a value: 16 MiB less key, headers and framing


class TooLarge(TocsinError):
    """The changes of a batch do not fit into one record; count fewer messages at once."""


def too_large(value: bytes) -> None:
    """Raise `TooLarge` if a value does not fit into one record."""
    if len(value) > RECORD_BYTES:
        msg = f"the change of a case must fit in {RECORD_BYTES} bytes; got {len(value)}"
        raise TooLarge(msg)
