"""Alerts in another language."""

from dataclasses import asdict

from schemas.alert import Alert
from schemas.safety_alert import SafetyAlert
from streams.core.wording.catalogue import Language
from streams.core.wording.safety_text import safety_texts
from streams.core.wording.signal_text import signal_texts

__all__ = ["in_language"]


def in_language(alert: Alert | SafetyAlert, language: Language) -> Alert | SafetyAlert:
    """Return an alert with its texts in a language; law lines stay as they were published."""
    texts = (
        signal_texts(alert, language) if isinstance(alert, Alert) else safety_texts(alert, language)
    )
    return alert.model_copy(update=asdict(texts))
