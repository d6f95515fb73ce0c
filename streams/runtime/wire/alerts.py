"""Alerts of two kinds as JSON, as they stand on `pv.alerts` and `pv.signals`."""

import msgspec

from schemas.alert import Alert
from schemas.safety_alert import SafetyAlert

__all__ = ["AnyAlert", "decode_alert", "encode_alert"]

AnyAlert = Alert | SafetyAlert
"""An alert of disproportionate reporting, or a safety alert beside it."""


class _Kind(msgspec.Struct):
    """All that is needed to tell; the rest is passed over."""

    category: str | None = None


_KIND = msgspec.json.Decoder(_Kind)
# A message is its fields, in their order; no alert has another way to be written.
_ENCODE = msgspec.json.Encoder(enc_hook=vars).encode


def encode_alert(alert: AnyAlert) -> bytes:
    """Return an alert as JSON: what its `model_dump_json` gives, in half the time.

    Of floats from 1e16 on the exponent has no sign here; the number is the same.
    """
    return _ENCODE(alert)


def decode_alert(value: bytes) -> AnyAlert:
    """Read one alert; what has a `category` is a safety alert.

    Raises
    ------
    pydantic.ValidationError
        If it is no alert of its kind.
    """
    try:
        category = _KIND.decode(value).category
    except msgspec.MsgspecError:
        category = None
    if category is None:
        return Alert.model_validate_json(value)
    return SafetyAlert.model_validate_json(value)
