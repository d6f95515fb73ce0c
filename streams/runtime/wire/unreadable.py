"""What a consumer hands out in place of records that it cannot unpack."""

__all__ = ["Unreadable"]


class Unreadable(bytes):
    """The packed bytes of a batch of records, none of which can be had.

    Attributes
    ----------
    reason
        Which offsets, and why.
    """

    reason: str = ""
