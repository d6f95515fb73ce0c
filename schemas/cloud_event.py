"""Alerts as CloudEvents 1.0, binary mode: the headers of their records on Kafka.

The record's value is the alert itself, so a consumer without CloudEvents support loses nothing.
Attributes to filter by are headers, so a consumer can skip a record without parsing its value.

References
----------
.. [1] CloudEvents 1.0.2, and its Kafka Protocol Binding 1.0.2, sections 3.1 and 3.2. CNCF.
"""

from functools import lru_cache

from schemas.alert import Alert, SignalLevel
from schemas.contracts import contract_of
from schemas.domain import domain_vocabulary
from schemas.rules_change import RulesChange
from schemas.safety_alert import AlertCategory, SafetyAlert
from schemas.subscription import SDR

__all__ = [
    "EXTENSIONS",
    "LEVELS",
    "RULES_CHANGED",
    "cloud_event_headers",
    "event_types",
    "rules_change_headers",
]

RULES_CHANGED = "tocsin.rules.changed"
"""`ce_type` of a change of the rules that signals are made with."""

EXTENSIONS = {
    "category": "`SDR`, or the category of a safety alert.",
    "kind": "What happened, such as `new`.",
    "revision": "Revision number within the signal.",
    "urgent": "`true` if it goes past every digest, else `false`.",
    "grade": "`alarm` or `screening`; absent of safety alerts, which have none.",
    "level": "What the signal is of: a product, a class, a lot and so on.",
    "productclasses": "Class of the product in the domain's vocabulary and those above it, the "
    "narrowest first, joined by `,`; absent if it has none.",
    "jurisdictions": "Countries, ISO 3166-1 alpha-2, sorted, joined by `,`; absent if not known.",
}
"""Attributes beyond those of CloudEvents, each in a header `ce_` + name, with their meaning."""

LEVELS = (
    *(level.value for level in SignalLevel), "manufacturer", "distributor", "case", "subject"
)  # fmt: skip
"""Values of `level`. A subject is a rumour, a series of patients or a person."""

_LEVEL_OF = {
    AlertCategory.LOT_CLUSTER: "lot",
    AlertCategory.FACILITY_CLUSTER: "facility",
    AlertCategory.MANUFACTURER_CLUSTER: "manufacturer",
    AlertCategory.DISTRIBUTOR_CLUSTER: "distributor",
    AlertCategory.CASE_SERIES: "subject",
    AlertCategory.UNVERIFIED_FATAL: "subject",
    AlertCategory.FATAL_CASE: "case",
    AlertCategory.ONGOING_EXPOSURE: "subject",
    AlertCategory.USAGE_RULE: "subject",
    AlertCategory.FOLLOW_UP_OVERDUE: "subject",
}


def cloud_event_headers(alert: Alert | SafetyAlert, *, source: str) -> dict[str, bytes]:
    """Return the Kafka headers of an alert's record, a function of the alert alone.

    Parameters
    ----------
    source
        Who publishes: a URI reference, such as `/tocsin/pv.alerts`. `ce_source` and `ce_id`
        together are unique; a repeat has the same.

    Returns
    -------
    dict
        In lower case: `content-type`, `ce_specversion`, `ce_id`, `ce_source`, `ce_type`,
        `ce_subject`, `ce_time`, `ce_dataschema`, and those of `EXTENSIONS`. `ce_time` is the start
        of the event-time day of the evaluation (UTC), no clock reading, so a replay reproduces it.
    """
    countries: tuple[str, ...] = ()
    if isinstance(alert, Alert):
        category, urgent, level = SDR, alert.urgent, alert.level.value
        countries = alert.countries or ()
        known = alert.context.product_class if alert.context else None
        classes = _with_those_above(known) if known else _of_drug(alert.drug)
    else:
        category, urgent, countries = alert.category.value, alert.urgent, alert.countries
        classes = _with_those_above(alert.product_class) if alert.product_class else b""
        level = _LEVEL_OF[alert.category]
    headers = {
        **_constant(type(alert), category, alert.kind.value),
        "ce_id": alert.alert_id.encode(),
        "ce_source": source.encode(),
        "ce_subject": alert.signal_key.encode(),
        "ce_time": f"{alert.evaluated_on.isoformat()}T00:00:00Z".encode(),
        "ce_revision": b"%d" % alert.revision,
        "ce_urgent": b"true" if urgent else b"false",
        "ce_level": level.encode(),
    }
    if isinstance(alert, Alert):
        headers["ce_grade"] = alert.grade.value.encode()
    if classes:
        headers["ce_productclasses"] = classes
    if countries:
        headers["ce_jurisdictions"] = ",".join(sorted(countries)).encode()
    return headers


def rules_change_headers(change: RulesChange, *, source: str) -> dict[str, bytes]:
    """Return the Kafka headers of a change of rules: those of a CloudEvent, with its number.

    Parameters
    ----------
    source
        As in `cloud_event_headers`.
    """
    headers = {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_type": RULES_CHANGED.encode(),
        "ce_dataschema": contract_of(RulesChange).uri.encode(),
        "ce_id": change.change_id.encode(),
        "ce_source": source.encode(),
        "ce_subject": b"rules",
        "ce_revision": b"%d" % change.number,
    }
    if change.changed_on is not None:
        headers["ce_time"] = f"{change.changed_on.isoformat()}T00:00:00Z".encode()
    return headers


def event_types(model: type[Alert | SafetyAlert]) -> tuple[str, ...]:
    """Return every `ce_type` that alerts of a model can have.

    >>> event_types(Alert)[0], event_types(SafetyAlert)[0]
    ('tocsin.signal.new', 'tocsin.safety.lot_cluster.new')
    """
    kinds = [kind.value for kind in model.model_fields["kind"].annotation or ()]
    categories = [SDR] if model is Alert else [category.value for category in AlertCategory]
    return tuple(_event_type(category, kind) for category in categories for kind in kinds)


def _event_type(category: str, kind: str) -> str:
    return (
        f"tocsin.signal.{kind}" if category == SDR else f"tocsin.safety.{category.lower()}.{kind}"
    )


@lru_cache(maxsize=1024)
def _constant(model: type[Alert | SafetyAlert], category: str, kind: str) -> dict[str, bytes]:
    return {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_type": _event_type(category, kind).encode(),
        "ce_dataschema": contract_of(model).uri.encode(),
        "ce_category": category.encode(),
        "ce_kind": kind.encode(),
    }


@lru_cache(maxsize=100_000)
def _of_drug(drug: str) -> bytes:
    code = domain_vocabulary().product_class(drug)
    return _with_those_above(code) if code else b""


@lru_cache(maxsize=1024)
def _with_those_above(code: str) -> bytes:
    return ",".join(domain_vocabulary().classes_of(code)).encode()
