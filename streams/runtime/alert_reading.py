"""Reading what stands on `pv.alerts` and `pv.signals`: alerts of two kinds, told apart."""

import msgspec

from schemas.alert import Alert
from schemas.safety_alert import SafetyAlert

__all__ = ["AnyAlert", "decode_alert"]

AnyAlert = Alert | SafetyAlert
"""An alert of disproportionate reporting, or a safety alert beside it."""


class _Kind(msgspec.Struct):
    """All that is needed to tell; the rest is passed over."""

    category: str | None = None


_KIND = msgspec.json.Decoder(_Kind)


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
