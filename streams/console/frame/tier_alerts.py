"""Copies of a tier as alerts: what the tier does not know is empty."""

import json

from schemas.alert import Alert
from schemas.safety_alert import SafetyAlert
from streams.delivery.tiers import Copy

__all__ = ["safety_alert_of", "signal_of"]


def signal_of(copy: Copy) -> Alert:
    """Return the alert of a copy above the public tier.

    Below the authority it has no context: a part of it is withheld.
    """
    withheld: Copy = {}
    if "as_of" not in copy:
        withheld = {"as_of": [], "case_ids": [], "context": None}
    return Alert.model_validate_json(json.dumps({**copy, **withheld}))


def safety_alert_of(copy: Copy) -> SafetyAlert:
    """Return the safety alert of a copy above the public tier."""
    return SafetyAlert.model_validate_json(json.dumps({"as_of": [], **copy}))
