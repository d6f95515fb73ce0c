"""Copies of alerts for each tier: `public < consumer < authority`.

An authority sees the whole alert. A consumer sees the counts, but no facility, patient, sender or
assessor: so neither ages and sexes nor times to onset, nor what else a few patients were given. The
public sees that there is a signal, once it is an alarm, and the band of each count; nothing else in
its copy depends on exact counts. The difference of two revisions, or of two copies, is therefore
again a difference of bands, and reveals no count from 1 to 10.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from schemas.alert import Alert, SignalGrade, SignalLevel
from schemas.context import Context
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyChange
from schemas.scrutiny import Burst
from schemas.subscription import Tier
from streams.core.wording.public_text import PublicFacts, public_caveat, public_safety_text
from streams.core.wording.safety_text import safety_texts
from streams.core.wording.signal_copies import public_signal_texts
from streams.core.wording.signal_text import signal_texts

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
            if copy["explained_by"] is not None:
                # Of one patient it would be all that he was given.
                copy["explained_by"] = [
                    one for one in copy["explained_by"] if one["n_shared"] >= _BANDS[1]
                ]
            if copy["context"] is not None:
                copy["context"] = {k: v for k, v in copy["context"].items() if k not in _SMALL}
            return copy | _consumer_texts(alert, whole["drug"])
        return _public_signal(whole["drug"], alert, whole)
    without = _without_units(alert, key)
    if tier is Tier.PUBLIC:
        return _public_safety(without)
    return {
        name: value for name, value in without.model_dump(mode="json").items() if name not in _UNITS
    }


_CASES = {"case_ids", "as_of", "snapshot_id"}  # a hash of offsets can be inverted by trying them
_ASSESSMENT = "assessment"  # it names the assessor
# With one case, or compared with the previous revision, these fields identify the patient.
_OF_FEW = {"patients", "time_to_onset", "first_onset", "last_onset"}
# Fields of a context that identify the patient, or name units.
_SMALL = {"lots", "facilities", "indications", "changes"}
_UNITS = {"case_ids", "fatal_case_ids", "lots", "facilities", "as_of", _ASSESSMENT}
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
    """Return the fields that name a lot or facility, as codes."""
    drug = f"{alert.level}:{_code(alert.drug, key)}"
    return {
        "drug": drug,
        "signal_key": f"{alert.level}|{_code(alert.signal_key, key)}",
        # The id is a hash of the signal key: it would confirm a guess of the lot.
        "alert_id": _code(alert.alert_id, key),
    }


def _consumer_texts(alert: Alert, drug: str) -> dict[str, str]:
    """Return the texts without facilities, and with the code of a lot for its name."""
    context = alert.context
    if context is not None and context.changes is not None:
        changes = context.changes.model_copy(update={"n_facilities_gone": 0})
        context = context.model_copy(update={"changes": changes})
    seen = alert.model_copy(update={"drug": drug, "context": context, "assessment": None})
    texts = signal_texts(seen, tier=Tier.CONSUMER)
    return {
        "headline": texts.headline,
        "reason": texts.reason,
        "sentence": texts.sentence,
        "next_step": texts.next_step,
    }


def _public_signal(drug: str, alert: Alert, whole: Mapping[str, Any]) -> dict[str, Any]:
    cases = band(alert.counts.n_observed)
    texts = public_signal_texts(
        drug,
        alert.event,
        band=cases,
        on=bool(alert.rules_fired),
        evaluated_on=alert.evaluated_on,
    )
    return {
        **{name: whole[name] for name in _PUBLIC},
        **_public_context(alert.context),
        "tier": Tier.PUBLIC.value,
        "window": whole["window"]["label"],
        "evaluated_in": _month(alert.evaluated_on),
        "n_observed": cases,
        "n_fatal": band(alert.n_fatal),
        "fires": bool(alert.rules_fired),
        "headline": texts.headline,
        "sentence": texts.sentence,
        "caveat": texts.caveat,
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


def _without_units(alert: SafetyAlert, key: bytes) -> SafetyAlert:
    """Return a safety alert without lots, facilities and cases, with texts that name none.

    An alert published before its texts named units keeps its sentence.
    """
    update: dict[str, object] = {
        "case_ids": (),
        "fatal_case_ids": (),
        "lots": (),
        "facilities": (),
        "n_cases": alert.n_cases or len(alert.case_ids),
        "changes": tuple(change for change in alert.changes if change not in _CHANGES_OF_UNITS),
        "was": alert.was and alert.was.model_copy(update={"n_lots": None, "n_facilities": None}),
    }
    if alert.category in _NAMES_A_UNIT:
        code = _code(alert.signal_key, key)
        # The id is a hash of the signal key: it would confirm a guess of the lot.
        update |= {
            "signal_key": f"{alert.category}|{code}",
            "subject": code,
            "alert_id": _code(alert.alert_id, key),
        }
    if alert.category is AlertCategory.FATAL_CASE:
        update["subject_kind"] = None  # so that the text names no case
    copy = alert.model_copy(update=update)
    if alert.headline is None:
        return copy
    texts = safety_texts(copy)
    return copy.model_copy(
        update={"headline": texts.headline, "sentence": texts.sentence, "reason": texts.reason}
    )


_CHANGES_OF_UNITS = {SafetyChange.LOTS, SafetyChange.FACILITIES}


def _public_safety(copy: SafetyAlert) -> dict[str, Any]:
    n_patients = band(copy.patients.at_least if copy.patients else copy.n_cases)
    text = public_safety_text(
        PublicFacts(
            category=copy.category,
            kind=copy.kind,
            product_class=copy.product_class,
            terms=copy.terms,
            countries=copy.countries,
            verification=copy.verification,
            band=n_patients,
            month=copy.evaluated_on,
        )
    )
    whole = copy.model_dump(mode="json")
    return {
        **{name: whole[name] for name in _PUBLIC_SAFETY},
        "tier": Tier.PUBLIC.value,
        "evaluated_in": _month(copy.evaluated_on),
        "n_patients": n_patients,
        "headline": text,
        "sentence": f"{text}.",
        "caveat": public_caveat(copy.caveat),
    }


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


def _code(name: str, key: bytes) -> str:
    return hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:16]
