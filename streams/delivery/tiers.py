"""Copies of alerts for each tier: `public < consumer < authority`.

An authority sees the whole alert. A consumer sees the counts, but no facility, patient, sender or
assessor: so neither ages and sexes nor onsets and times to them. The public sees that there is a
signal, once it is an alarm, and the band of each count; nothing else in its copy depends on exact
counts or on one patient. Its revisions are those whose copies differ (`tier_copies`).

Copies have the fields that are named here, and no others: a new field of an alert is withheld below
the authority until its tiers are decided.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar

from schemas.alert import Alert, AlertKind, SignalLevel
from schemas.context import Context
from schemas.priority import Priority
from schemas.rule_outcome import RuleOutcome
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyChange
from schemas.scrutiny import Burst
from schemas.subscription import Tier
from streams.core.wording.public_text import PublicFacts, public_caveat, public_safety_text
from streams.core.wording.safety_text import safety_texts
from streams.core.wording.signal_copies import public_signal_texts
from streams.core.wording.signal_text import signal_texts

__all__ = [
    "CONSUMER_HAS",
    "PUBLIC_HAS",
    "Copy",
    "band",
    "code_of",
    "copy_for",
    "is_hidden",
    "low_band",
    "public_safety",
    "public_signal",
]

Copy = dict[str, Any]
"""The copy of an alert for a tier, as plain JSON values."""
_Part = TypeVar("_Part", Alert, SafetyAlert, RuleOutcome)

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
    AlertCategory.USAGE_RULE,
}

_OF_CASES = {
    AlertCategory.LOT_CLUSTER,
    AlertCategory.MANUFACTURER_CLUSTER,
    AlertCategory.DISTRIBUTOR_CLUSTER,
    AlertCategory.FATAL_CASE,
}
"""Categories whose days are onsets of patients; those of others are receipts of notices."""


def is_hidden(tier: Tier, alert: Alert | SafetyAlert) -> bool:
    """Return whether an alert is hidden from a tier, since its existence alone reveals too much."""
    if isinstance(alert, Alert):
        return alert.level in _LEVELS_NOT_FOR[tier]
    return tier in _HIDDEN_FROM[alert.category]


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


def low_band(count: int) -> str:
    """Return the band of a count whose step from 0 to 1 would tell of one patient.

    >>> [low_band(n) for n in (0, 1, 10, 11)]
    ['0-10', '0-10', '0-10', '11-50']
    """
    return band(count) if count >= _BANDS[1] else f"0-{_BANDS[1] - 1}"


def code_of(name: str, key: bytes) -> str:
    """Return the code of a name, which cannot be guessed without the installation's secret."""
    return hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:16]


def copy_for(tier: Tier, alert: Alert | SafetyAlert, *, key: bytes) -> Copy:
    """Return the copy of an alert for a tier above the public.

    Parameters
    ----------
    key
        Secret of the installation: lots and facilities in signal keys become codes (HMAC) under it,
        which cannot be guessed without it.

    Raises
    ------
    ValueError
        If the tier is the public, whose copies depend on those before (`tier_copies`).
    """
    if tier is Tier.PUBLIC:
        msg = "copy_for: tier must be above the public; got public: use `TierCopies`"
        raise ValueError(msg)
    whole: Copy = alert.model_dump(mode="json")
    if tier is Tier.AUTHORITY:
        return whole
    if isinstance(alert, Alert):
        if alert.level in (SignalLevel.LOT, SignalLevel.FACILITY):
            whole |= _coded_unit(alert, key)
        return _consumer_signal(alert, whole)
    without = _without_units(alert, key).model_dump(mode="json")
    return _parts_named(_named(without, CONSUMER_HAS[SafetyAlert]))


_PUBLIC = (
    "schema_version", "alert_id", "signal_key", "revision", "kind", "caveat", "drug", "event",
    "level", "urgent", "rules_hash", "code_version",
)  # fmt: skip
_PUBLIC_SAFETY = (
    "schema_version", "category", "alert_id", "signal_key", "revision", "kind", "urgent", "caveat",
    "product_class", "terms", "families", "countries", "verification", "duty", "law_version",
    "code_version",
)  # fmt: skip
_PUBLIC_CONTEXT = ("product_class", "family")
PUBLIC_HAS: Mapping[type, tuple[str, ...]] = {
    Alert: _PUBLIC,
    SafetyAlert: _PUBLIC_SAFETY,
    Context: _PUBLIC_CONTEXT,
}
"""Fields that a public copy has of the alert, by model; its other fields are its own."""
# Without cases, input offsets and their hash (which can be inverted by trying them), the assessor,
# and what identifies a patient: ages, sexes, onsets and times to them.
_CONSUMER = (
    "schema_version", "alert_id", "signal_key", "revision", "kind", "reason", "reasons", "headline",
    "sentence", "caveat", "drug", "event", "level", "grade", "urgent", "priority", "next_step",
    "due", "own_due", "context", "window", "evaluated_on", "counts", "statistics", "unbounded",
    "rules", "rules_fired", "rules_hash", "policy_hash", "strata", "prior_id", "prior_id_adjusted",
    "test_recomputed", "calibration", "previous", "first_alert_on", "first_alarm_on",
    "n_drug_recent", "n_serious", "n_fatal", "n_paediatric", "n_life_threatening",
    "n_stating_dechallenge", "n_positive_dechallenge", "n_stating_rechallenge",
    "n_positive_rechallenge", "n_missing_lot", "n_stating_onset", "n_late", "regions",
    "n_by_professional", "n_sources", "countries", "dictionary_versions", "completeness",
    "n_suspected_duplicates", "n_new", "n_removed_nullified", "n_removed_duplicates",
    "n_removed_withdrawn", "n_post_notice", "burst", "indication_confounding", "restricted",
    "first_received", "last_received", "code_version",
)  # fmt: skip
# Onsets are null there: `first_day` and `last_day` of few cases are those of one patient.
_CONSUMER_SAFETY = (
    "schema_version", "category", "alert_id", "signal_key", "revision", "kind", "urgent", "reason",
    "headline", "sentence", "caveat", "subject", "subject_kind", "product_class", "terms",
    "families", "countries", "n_cases", "n_serious", "n_fatal", "patients", "n_verified",
    "n_by_professional", "verification", "stated", "n_sources", "part_of", "advised_by",
    "due_since", "volume_ml", "limit_ml", "within_hours", "athlete_stated", "rule", "first_day",
    "last_day", "flags", "duty", "law_version", "was", "changes", "ended_because", "ended_on",
    "priority", "next_step", "due", "own_due", "evaluated_on", "code_version",
)  # fmt: skip
_CONSUMER_CONTEXT = (
    "product_class", "class_label", "family", "n_cases", "countries", "lot_missing_share",
    "tissues", "donors", "routes", "supply_routes", "designated", "duty", "law_version",
    "exposure_ongoing", "subjects", "notices", "n_by_professional", "verification", "flags",
)  # fmt: skip
CONSUMER_HAS: Mapping[type, tuple[str, ...]] = {
    Alert: _CONSUMER,
    SafetyAlert: _CONSUMER_SAFETY,
    Context: _CONSUMER_CONTEXT,
    Burst: (
        "sender_stated", "received", "n_cases", "n_by_professional", "counts_without",
        "rules_without", "rules_not_asked",
    ),
    RuleOutcome: (
        "name", "title", "sentence", "exit_sentence", "fired", "held", "grade", "thresholds",
        "past_exit",
    ),
    Priority: (
        "total", "level", "parts", "weights", "burst_only", "score", "factors", "thresholds",
    ),
}  # fmt: skip
"""Fields that a consumer's copy has of the alert, by model."""


def _named(values: Mapping[str, Any], names: tuple[str, ...]) -> Copy:
    return {name: values[name] for name in values if name in names}


def _coded_unit(alert: Alert, key: bytes) -> dict[str, str]:
    """Return the fields that name a lot or facility, as codes."""
    drug = f"{alert.level}:{code_of(alert.drug, key)}"
    return {
        "drug": drug,
        "signal_key": f"{alert.level}|{code_of(alert.signal_key, key)}",
        # The id is a hash of the signal key: it would confirm a guess of the lot.
        "alert_id": code_of(alert.alert_id, key),
    }


def _consumer_signal(alert: Alert, whole: Copy) -> Copy:
    copy = _parts_named(_named(whole, CONSUMER_HAS[Alert]))
    copy["rules"] = [_named(rule, CONSUMER_HAS[RuleOutcome]) for rule in copy["rules"]]
    return copy | _consumer_texts(alert, whole["drug"])


def _parts_named(copy: Copy) -> Copy:
    """Return a consumer's copy, the parts of which have only the fields of a consumer's."""
    parts = {"priority": Priority, "context": Context, "burst": Burst}
    for name, model in parts.items():
        if copy.get(name) is not None:
            copy[name] = _named(copy[name], CONSUMER_HAS[model])
    return copy


def _unstated(part: _Part) -> _Part:
    """Return a model without what a consumer's copy withholds, so that no text is made from it."""
    named = CONSUMER_HAS[next(model for model in CONSUMER_HAS if isinstance(part, model))]
    fields = type(part).model_fields.items()
    known = {name for name, field in fields if name in named or field.is_required()}
    return part.model_copy(
        update={name: field.get_default() for name, field in fields if name not in known}
    )


def _consumer_texts(alert: Alert, drug: str) -> dict[str, str]:
    """Return the texts without facilities, and with the code of a lot for its name."""
    alert = _unstated(alert)
    context = alert.context
    if context is not None and context.changes is not None:
        changes = context.changes.model_copy(update={"n_facilities_gone": 0})
        context = context.model_copy(update={"changes": changes})
    rules = tuple(map(_unstated, alert.rules))
    seen = alert.model_copy(update={"drug": drug, "context": context, "rules": rules})
    texts = signal_texts(seen, tier=Tier.CONSUMER)
    return {
        "headline": texts.headline,
        "reason": texts.reason,
        "sentence": texts.sentence,
        "next_step": texts.next_step,
    }


def public_signal(alert: Alert, *, kind: AlertKind, revision: int, alert_id: str) -> Copy:
    """Return the public copy of a signal.

    Parameters
    ----------
    kind, revision, alert_id
        Of the public revision: they follow from what the public saw before.
    """
    whole = alert.model_dump(mode="json")
    cases, fires = band(alert.counts.n_observed), bool(alert.rules_fired)
    texts = public_signal_texts(
        alert.drug, alert.event, band=cases, on=fires, evaluated_on=alert.evaluated_on
    )
    return {
        **{name: whole[name] for name in _PUBLIC},
        **_public_context(alert.context),
        "alert_id": alert_id,
        "revision": revision,
        "kind": kind.value,
        "urgent": False,  # a new signal is urgent if it has a death
        "tier": Tier.PUBLIC.value,
        "window": whole["window"]["label"],
        "evaluated_in": _month(alert.evaluated_on),
        "n_observed": cases,
        "n_fatal": low_band(alert.n_fatal),
        "fires": fires,
        "headline": texts.headline,
        "sentence": texts.sentence,
        "caveat": texts.caveat,
    }


def _public_context(context: Context | None) -> Copy:
    """Return the public fields of a context: product and hazard.

    A reporting duty would name the countries of the cases.
    """
    if context is None:
        return {}
    return {"product_class": context.product_class, "family": context.family}


def _without_units(alert: SafetyAlert, key: bytes) -> SafetyAlert:
    """Return a safety alert without lots, facilities, cases and onsets, and so its texts.

    An alert published before its texts named units keeps its sentence.
    """
    kept = tuple(change for change in alert.changes if change not in _CHANGES_WITHHELD)
    update: dict[str, object] = {
        "case_ids": (),
        "fatal_case_ids": (),
        "lots": (),
        "facilities": (),
        "same_cases": (),
        "n_same_cases": None,
        "n_cases": alert.n_cases or len(alert.case_ids),
        "changes": kept,
        "was": alert.was and alert.was.model_copy(update={"n_lots": None, "n_facilities": None}),
    }
    if alert.category in _NAMES_A_UNIT:
        code = code_of(alert.signal_key, key)
        # The id is a hash of the signal key: it would confirm a guess of the lot.
        update |= {
            "signal_key": f"{alert.category}|{code}",
            "subject": code,
            "changes": tuple(c for c in kept if c is not SafetyChange.SUBJECTS),
            "alert_id": code_of(alert.alert_id, key),
        }
    if alert.category in _OF_CASES:
        update |= {"first_day": None, "last_day": None}
    if alert.category is AlertCategory.FATAL_CASE:
        update["subject_kind"] = None  # so that the text names no case
    copy = _unstated(alert).model_copy(update=update)
    if alert.headline is None:
        return copy
    texts = safety_texts(copy)
    return copy.model_copy(
        update={"headline": texts.headline, "sentence": texts.sentence, "reason": texts.reason}
    )


_CHANGES_WITHHELD = {SafetyChange.LOTS, SafetyChange.FACILITIES, SafetyChange.DAYS}


def public_safety(
    alert: SafetyAlert,
    facts: PublicFacts,
    *,
    signal_key: str,
    revision: int,
    alert_id: str,
    urgent: bool,
) -> Copy:
    """Return the public copy of a safety alert, or of all alerts of a category and product class.

    It has no terms, countries or duties: each new case would reveal its own.

    Parameters
    ----------
    facts
        What the copy and its text say.
    signal_key, revision, alert_id, urgent
        Of the public revision.
    """
    whole = alert.model_dump(mode="json")
    text = public_safety_text(facts)
    return {
        **{name: whole[name] for name in _PUBLIC_SAFETY},
        "alert_id": alert_id,
        "signal_key": signal_key,
        "revision": revision,
        "kind": facts.kind.value,
        "urgent": urgent,
        "product_class": facts.product_class,
        "terms": [],
        "families": list(facts.families),
        "countries": [],
        "verification": facts.verification,
        "duty": [],
        "tier": Tier.PUBLIC.value,
        "evaluated_in": _month(alert.evaluated_on),
        "n_patients": facts.band,
        "headline": text,
        "sentence": f"{text}.",
        "caveat": public_caveat(alert.caveat),
    }


def _month(day: date) -> str:
    return f"{day:%Y-%m}"
