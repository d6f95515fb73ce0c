"""What each tier may see of an alert: `public < consumer < authority`.

An authority sees all of it. A consumer sees the numbers, and no facility, nor whose case it was or
who sent it.
The public sees that there is a signal, and the band that a count lies in; nothing else in its copy
follows from exact counts. So two revisions, or two copies, subtracted from one another, give bands
again, and never a count between 1 and 10.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import date
from typing import Any

from schemas.alert import Alert
from schemas.safety_alert import AlertCategory, SafetyAlert
from schemas.subscription import Tier

__all__ = ["band", "copy_for", "hidden_categories", "hidden_from"]

_BANDS = (1, 11, 51, 101, 501, 1001)  # lower ends; 1 to 10 is the least that is told
_NOT_FOR: Mapping[Tier, frozenset[str]] = {
    Tier.PUBLIC: frozenset({AlertCategory.FACILITY_CLUSTER, AlertCategory.USAGE_RULE}),
    Tier.CONSUMER: frozenset({AlertCategory.FACILITY_CLUSTER}),
    Tier.AUTHORITY: frozenset(),
}
_NAMES_A_UNIT = {
    AlertCategory.LOT_CLUSTER,
    AlertCategory.MANUFACTURER_CLUSTER,
    AlertCategory.DISTRIBUTOR_CLUSTER,
    AlertCategory.FATAL_CASE,
}


def hidden_categories(tier: Tier) -> frozenset[str]:
    """Return the categories of alerts that a tier is not sent at all."""
    return _NOT_FOR[tier]


def hidden_from(tier: Tier, category: str) -> bool:
    """Whether alerts of a category are not sent to a tier at all."""
    return category in _NOT_FOR[tier]


def band(count: int) -> str:
    """Return the band that a count lies in, for the public.

    >>> [band(n) for n in (0, 1, 10, 11, 1500)]
    ['0', '1-10', '1-10', '11-50', '1001 or more']
    """
    if count <= 0:
        return "0"
    last = max(i for i, low in enumerate(_BANDS) if low <= count)
    if last + 1 == len(_BANDS):
        return f"{_BANDS[last]} or more"
    return f"{_BANDS[last]}-{_BANDS[last + 1] - 1}"


def copy_for(tier: Tier, alert: Alert | SafetyAlert, *, key: bytes) -> dict[str, Any]:
    """Return what a tier may see of an alert, as plain JSON values.

    Parameters
    ----------
    key
        Secret of the installation: names of units in signal keys become codes under it, that nobody
        can guess without it.
    """
    whole: dict[str, Any] = alert.model_dump(mode="json")
    if tier is Tier.AUTHORITY:
        return whole
    if isinstance(alert, Alert):
        if tier is Tier.CONSUMER:
            copy = {name: value for name, value in whole.items() if name not in _CASES}
            if copy["burst"] is not None:
                del copy["burst"]["source"]
            return copy
        return _public_signal(alert, whole)
    copy = {name: value for name, value in whole.items() if name not in _UNITS}
    if alert.category in _NAMES_A_UNIT:
        copy["signal_key"] = f"{alert.category}|{_code(alert.signal_key, key)}"
        copy["subject"] = copy["signal_key"].partition("|")[2]
        # The id is a hash of the key: whoever guesses the lot could check the guess.
        copy["alert_id"] = _code(alert.alert_id, key)
    if tier is Tier.CONSUMER:
        return copy
    return _public_safety(alert, copy)


_CASES = {"case_ids", "as_of"}
_UNITS = {"case_ids", "lots", "facilities", "as_of"}
_PUBLIC = (
    "schema_version", "alert_id", "signal_key", "revision", "kind", "caveat", "drug", "event",
    "rules_hash", "code_version",
)  # fmt: skip
_PUBLIC_SAFETY = (
    "schema_version", "category", "alert_id", "signal_key", "revision", "kind", "urgent", "caveat",
    "product_class", "terms", "families", "countries", "verification", "duty", "law_version",
    "code_version",
)  # fmt: skip


def _public_signal(alert: Alert, whole: Mapping[str, Any]) -> dict[str, Any]:
    firing = "Rules of disproportionate reporting fire" if alert.rules_fired else "No rule fires"
    return {
        **{name: whole[name] for name in _PUBLIC},
        "tier": Tier.PUBLIC.value,
        "window": whole["window"]["label"],
        "evaluated_in": _month(alert.evaluated_on),
        "n_observed": band(alert.counts.n_observed),
        "n_fatal": band(alert.n_fatal),
        "fires": bool(alert.rules_fired),
        "sentence": f"{alert.event} with {alert.drug}: {band(alert.counts.n_observed)} cases. "
        f"{firing}.",
    }


def _public_safety(alert: SafetyAlert, copy: Mapping[str, Any]) -> dict[str, Any]:
    patients = alert.patients.at_least if alert.patients else len(alert.case_ids)
    return {
        **{name: copy[name] for name in _PUBLIC_SAFETY},
        "tier": Tier.PUBLIC.value,
        "evaluated_in": _month(alert.evaluated_on),
        "n_patients": band(patients),
        "sentence": f"{_title(alert.category)}"
        + (f": {', '.join(alert.terms)}" if alert.terms else "")
        + f". Patients: {band(patients)}.",
    }


def _title(category: AlertCategory) -> str:
    words = category.value.replace("_", " ").lower()
    return words[0].upper() + words[1:]


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


def _code(name: str, key: bytes) -> str:
    return hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:16]
