"""Recomputes the texts of an alert from its fields."""

from dataclasses import asdict
from importlib.metadata import version

from schemas.alert import Alert
from streams.core.wording.signal_text import signal_texts

__all__ = ["TEXTS", "text_values"]

TEXTS = ("headline", "reason", "sentence", "next_step", "caveat")
"""Recounted fields."""
_CODE_VERSION = version("tocsin")


def text_values(alert: Alert) -> dict[str, object]:
    """Return the texts of an alert by field; none of one that another version wrote.

    The texts follow from fields that the recount compares, and from those it takes as published.
    """
    if alert.code_version != _CODE_VERSION or not alert.headline:
        return {}
    return asdict(signal_texts(alert))
