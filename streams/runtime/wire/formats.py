"""Instruction for state and topics that an older version of Tocsin wrote."""

__all__ = ["COUNT_AGAIN"]

COUNT_AGAIN = "Count the reports again under a new topic_prefix (docs/operate/upgrade.md)"
"""End of every error about an older format: deltas cannot be written again with their offsets."""
