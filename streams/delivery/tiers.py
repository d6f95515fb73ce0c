"""Copies of alerts for each tier: `public < consumer < authority`.

An authority sees the whole alert. A consumer sees the counts, but no facility, patient, sender or
assessor: so neither ages and sexes nor times to onset. The public sees that there is a signal, once
it is an alarm, and the band of each count; nothing else in its copy depends on exact counts. The
difference of two revisions, or of two copies, is therefore again a difference of bands, and reveals
no count from 1 to 10.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from schemas.alert import Alert, SignalGrade, SignalLevel
from schemas.context import Context
from schemas.safety_alert import AlertCategory, SafetyAlert
from schemas.scrutiny import Burst
from schemas.subscription import Tier

__all__ = [
    "CONSUMER_LACKS",
    "PUBLIC_HAS",
    "band",
    "copy_for",
    "is_correction_only",
    "is_hidden",
    "seen_by",
]

_BANDS = (1, 11, 51, 101, 501, 1001)  # lower ends; counts from 1 to 10 are never shown exactly
_HIDDEN_FROM: Mapping[AlertCategory, frozenset[Tier]] = {
    AlertCategory.LOT_CLUSTER: frozenset(),
    AlertCategory.FACILITY_CLUSTER: frozenset({Tier.PUBLIC, Tier.CONSUMER}),
    AlertCategory.MANUFACTURER_CLUSTER: frozenset(),
    AlertCategory.DISTRIBUTOR_CLUSTER: frozenset(),
    AlertCategory.CASE_SERIES: frozenset(),
    AlertCategory.UNVERIFIED_FATAL: frozenset(),
    AlertCategory.FATAL_CASE: frozenset(),
    AlertCategory.ONGOING_EXPOSURE: frozenset(),
    AlertCategory.USAGE_RULE: frozenset({Tier.PUBLIC}),
    AlertCategory.FOLLOW_UP_OVERDUE: frozenset(),
}
"""Every category, so that a new one is shown to nobody before its tiers are decided."""
_LEVELS_NOT_FOR: Mapping[Tier, frozenset[SignalLevel]] = {
    Tier.PUBLIC: frozenset({SignalLevel.FACILITY, SignalLevel.LOT}),
    Tier.CONSUMER: frozenset({SignalLevel.FACILITY}),
    Tier.AUTHORITY: frozenset(),
}
_NAMES_A_UNIT = {
    AlertCategory.LOT_CLUSTER,
    AlertCategory.MANUFACTURER_CLUSTER,
    AlertCategory.DISTRIBUTOR_CLUSTER,
    AlertCategory.FATAL_CASE,
}


def is_hidden(tier: Tier, alert: Alert | SafetyAlert) -> bool:
    """Return whether an alert is hidden from a tier, since its existence alone reveals too much."""
    if isinstance(alert, Alert):
        return alert.level in _LEVELS_NOT_FOR[tier]
    return tier in _HIDDEN_FROM[alert.category]


def is_correction_only(tier: Tier, alert: Alert | SafetyAlert) -> bool:
    """Return whether a tier sees an alert only if it saw an earlier revision of its signal.

    The public sees a signal from its first alarm on, and from then on every revision, without its
    grade. The grades have rules that differ in the number of cases they need: who sees which
    signals are of the screening could tell three cases from two.
    """
    is_screening = isinstance(alert, Alert) and alert.grade is SignalGrade.SCREENING
    return tier is Tier.PUBLIC and is_screening


def seen_by(tier: Tier, alerts: Iterable[Alert | SafetyAlert]) -> Iterator[Alert | SafetyAlert]:
    """Yield the alerts that a tier sees, of alerts in the order of publication."""
    seen: set[str] = set()
    for alert in alerts:
        if is_hidden(tier, alert):
            continue
        if alert.signal_key in seen or not is_correction_only(tier, alert):
            seen.add(alert.signal_key)
            yield alert


def band(count: int) -> str:
    """Return the band of a count, for the public tier.

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
    """Return the copy of an alert for a tier, as plain JSON values.

    Parameters
    ----------
    key
        Secret of the installation: lots and facilities in signal keys become codes (HMAC) under it,
        which cannot be guessed without it.
    """
    whole: dict[str, Any] = alert.model_dump(mode="json")
    if tier is Tier.AUTHORITY:
        return whole
    if isinstance(alert, Alert):
        if alert.level in (SignalLevel.LOT, SignalLevel.FACILITY):
            whole |= _coded_unit(alert, key)
        if tier is Tier.CONSUMER:
            withheld = _CASES | _OF_FEW | {_ASSESSMENT}
            copy = {name: value for name, value in whole.items() if name not in withheld}
            if copy["burst"] is not None:
                del copy["burst"]["source"]
            if copy["context"] is not None:
                copy["context"] = {k: v for k, v in copy["context"].items() if k not in _SMALL}
            return copy
        return _public_signal(whole["drug"], alert, whole)
    copy = {name: value for name, value in whole.items() if name not in _UNITS}
    if alert.category in _NAMES_A_UNIT:
        copy["signal_key"] = f"{alert.category}|{_code(alert.signal_key, key)}"
        copy["subject"] = copy["signal_key"].partition("|")[2]
        # The id is a hash of the signal key: it would confirm a guess of the lot.
        copy["alert_id"] = _code(alert.alert_id, key)
    if tier is Tier.CONSUMER:
        return copy
    return _public_safety(alert, copy)


_CASES = {"case_ids", "as_of", "snapshot_id"}  # a hash of offsets can be inverted by trying them
_ASSESSMENT = "assessment"  # it names the assessor
# With one case, or compared with the previous revision, these fields identify the patient.
_OF_FEW = {"patients", "time_to_onset", "first_onset", "last_onset"}
_SMALL = {"lots", "facilities", "indications"}  # fields of a context that identify the patient
_UNITS = {"case_ids", "lots", "facilities", "as_of", _ASSESSMENT}
_PUBLIC = (
    "schema_version", "alert_id", "signal_key", "revision", "kind", "caveat", "drug", "event",
    "level", "urgent", "rules_hash", "code_version",
)  # fmt: skip
_PUBLIC_SAFETY = (
    "schema_version", "category", "alert_id", "signal_key", "revision", "kind", "urgent", "caveat",
    "product_class", "terms", "families", "countries", "verification", "duty", "law_version",
    "code_version",
)  # fmt: skip
_PUBLIC_CONTEXT = ("product_class", "family", "duty", "law_version")
CONSUMER_LACKS: Mapping[type, frozenset[str]] = {
    Alert: frozenset({*_CASES, *_OF_FEW, _ASSESSMENT}),
    SafetyAlert: frozenset(_UNITS),
    Context: frozenset(_SMALL),
    Burst: frozenset({"source"}),
}
"""Fields that a consumer's copy of an alert leaves out, by model."""
PUBLIC_HAS: Mapping[type, tuple[str, ...]] = {
    Alert: _PUBLIC,
    SafetyAlert: _PUBLIC_SAFETY,
    Context: _PUBLIC_CONTEXT,
}
"""Fields that a public copy has of the alert, by model; its other fields are its own."""


def _coded_unit(alert: Alert, key: bytes) -> dict[str, str]:
    """Return the fields that name a lot or facility, as codes; the sentence names none."""
    drug = f"{alert.level}:{_code(alert.drug, key)}"
    return {
        "drug": drug,
        "signal_key": f"{alert.level}|{_code(alert.signal_key, key)}",
        # The id is a hash of the signal key: it would confirm a guess of the lot.
        "alert_id": _code(alert.alert_id, key),
    }


def _public_signal(drug: str, alert: Alert, whole: Mapping[str, Any]) -> dict[str, Any]:
    firing = "Rules of disproportionate reporting fire" if alert.rules_fired else "No rule fires"
    return {
        **{name: whole[name] for name in _PUBLIC},
        **_public_context(alert.context),
        "tier": Tier.PUBLIC.value,
        "window": whole["window"]["label"],
        "evaluated_in": _month(alert.evaluated_on),
        "n_observed": band(alert.counts.n_observed),
        "n_fatal": band(alert.n_fatal),
        "fires": bool(alert.rules_fired),
        "sentence": f"{alert.event} with {drug}: {band(alert.counts.n_observed)} cases. {firing}.",
    }


def _public_context(context: Context | None) -> dict[str, Any]:
    """Return the public fields of a context: product, hazard and reporting duty, and no count."""
    if context is None:
        return {}
    return {
        "product_class": context.product_class,
        "family": context.family,
        "duty": list(context.duty),
        "law_version": context.law_version,
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
