"""Encode and decode alerts and safety alerts as JSON, as on `pv.alerts` and `pv.signals`."""

import msgspec

from schemas.alert import Alert
from schemas.safety_alert import SafetyAlert

__all__ = ["AnyAlert", "decode_alert", "encode_alert"]

AnyAlert = Alert | SafetyAlert
"""An alert of disproportionate reporting, or a safety alert."""


class _Kind(msgspec.Struct):
    """The field that distinguishes the kinds; other fields are skipped."""

    category: str | None = None


_KIND = msgspec.json.Decoder(_Kind)


def encode_alert(alert: AnyAlert) -> bytes:
    """Return an alert as JSON, like its `model_dump_json` except for floats from 1e16 on.

    Their exponent has no sign here; the number is the same.
    """
    return msgspec.json.encode(alert.model_dump())


def decode_alert(value: bytes) -> AnyAlert:
    """Decode an alert of either kind; only safety alerts have a `category`.

    Raises
    ------
    pydantic.ValidationError
        If it is not a valid alert of its kind.
    """
    try:
        category = _KIND.decode(value).category
    except msgspec.MsgspecError:
        category = None
    if category is None:
        return Alert.model_validate_json(value)
    return SafetyAlert.model_validate_json(value)
