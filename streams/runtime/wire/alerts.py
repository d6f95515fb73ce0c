"""Encode and decode what is published as JSON on `pv.alerts` and `pv.signals`."""

import msgspec

from schemas.alert import Alert
from schemas.rules_change import RulesChange
from schemas.safety_alert import SafetyAlert

__all__ = ["AnyAlert", "Published", "decode_alert", "decode_published", "encode_alert"]

AnyAlert = Alert | SafetyAlert
"""An alert of disproportionate reporting, or a safety alert."""
Published = AnyAlert | RulesChange
"""A message on `pv.alerts`: an alert, or a change of the rules that alerts are made with."""


class _Kind(msgspec.Struct):
    """The fields that distinguish the kinds; other fields are skipped."""

    category: str | None = None
    change_id: str | None = None


_KIND = msgspec.json.Decoder(_Kind)


def encode_alert(alert: AnyAlert) -> bytes:
    """Return an alert as JSON, like its `model_dump_json`.

    Only the exponent of floats from 1e16 on differs: it has no sign; the number is the same.
    """
    return msgspec.json.encode(alert.model_dump())


def decode_published(value: bytes) -> Published:
    """Decode a message of `pv.alerts`.

    Only safety alerts have a `category`, and only changes of rules a `change_id`.

    Raises
    ------
    pydantic.ValidationError
        If it is not a valid message of its kind.
    """
    try:
        kind = _KIND.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        kind = _Kind()
    if kind.change_id is not None:
        return RulesChange.model_validate_json(value)
    if kind.category is not None:
        return SafetyAlert.model_validate_json(value)
    return Alert.model_validate_json(value)


def decode_alert(value: bytes) -> AnyAlert:
    """Decode an alert of either kind.

    Raises
    ------
    pydantic.ValidationError
        If it is not a valid alert of its kind.
    """
    found = decode_published(value)
    return Alert.model_validate_json(value) if isinstance(found, RulesChange) else found
