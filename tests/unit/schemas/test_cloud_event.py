"""Alerts as CloudEvents: read back with a library that knows nothing of ours."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from schemas.alert import Alert, AlertKind, SignalGrade, SignalLevel
from schemas.cloud_event import (
    EXTENSIONS,
    LEVELS,
    RULES_CHANGED,
    cloud_event_headers,
    event_types,
    rules_change_headers,
)
from schemas.context import Context
from schemas.contracts import CONTRACTS, json_schema
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from tests.support.cloud_events import read_event
from tests.support.rules_changes import changed

SOURCE = "/tocsin/pv.alerts"


def signal(drug: str = "zinc", **fields: Any) -> Alert:
    """Return an alert of a pair, of which only what headers say matters."""
    return Alert.model_construct(
        alert_id="0a1b", signal_key=f"{drug}|Rash|cumulative", revision=2, kind=AlertKind.WEAKENED,
        drug=drug, event="Rash", evaluated_on=date(2024, 2, 29),
        **{"level": SignalLevel.PRODUCT, "urgent": False, "context": None, "countries": None,
           **fields},
    )  # fmt: skip


def safety(category: AlertCategory = AlertCategory.LOT_CLUSTER, **fields: Any) -> SafetyAlert:
    """Return a safety alert."""
    return SafetyAlert(
        category=category, alert_id="0c2d", signal_key=f"{category}|EX117", revision=1,
        kind=SafetyAlertKind.NEW, reason="r", sentence="s", subject="EX117",
        evaluated_on=date(2019, 10, 9), as_of=(), code_version="1",
        **{"urgent": False, **fields},
    )  # fmt: skip


def _read(alert: Alert | SafetyAlert) -> dict[str, Any]:
    headers = cloud_event_headers(alert, source=SOURCE)
    attributes, data = read_event(headers.items(), alert.signal_key.encode(), b'{"drug": "zinc"}')
    assert data == {"drug": "zinc"}
    return attributes


def test_a_signal_is_an_event_that_another_library_reads() -> None:
    assert _read(signal()) == {
        "specversion": "1.0",
        "id": "0a1b",
        "source": SOURCE,
        "type": "tocsin.signal.weakened",
        "subject": "zinc|Rash|cumulative",
        "time": datetime(2024, 2, 29, tzinfo=UTC),
        "dataschema": "urn:tocsin:schema:alert:1.0",
        "datacontenttype": "application/json",
        "partitionkey": "zinc|Rash|cumulative",  # the record's key, by the library
        "category": "SDR",
        "kind": "weakened",
        "revision": "2",
        "urgent": "false",
        "level": "product",
        "grade": "alarm",
    }


@pytest.mark.parametrize("category", AlertCategory)
def test_every_category_has_a_level(category: AlertCategory) -> None:
    assert _read(safety(category))["level"] in LEVELS


def test_a_safety_alert_says_what_one_filters_by() -> None:
    alert = safety(
        urgent=True, product_class="extracellular-vesicles", countries=("US", "JP", "KR")
    )
    found = _read(alert)
    assert found["type"] == "tocsin.safety.lot_cluster.new"
    assert found["dataschema"] == "urn:tocsin:schema:safety-alert:1.0"
    assert {name: found[name] for name in EXTENSIONS if name in found} == {
        "category": "LOT_CLUSTER",
        "kind": "new",
        "revision": "1",
        "urgent": "true",
        "level": "lot",
        "productclasses": "extracellular-vesicles,msc-supernatant-exosome",
        "jurisdictions": "JP,KR,US",
    }


@pytest.mark.parametrize(
    ("drug", "classes"),
    [
        ("A exosomes", "extracellular-vesicles,msc-supernatant-exosome"),
        ("culture-supernatant", "culture-supernatant,msc-supernatant-exosome"),
        ("培養上清 A", "culture-supernatant,msc-supernatant-exosome"),
        ("zinc", None),
    ],
)
def test_the_classes_of_a_drug_are_those_of_the_vocabulary(drug: str, classes: str | None) -> None:
    assert _read(signal(drug)).get("productclasses") == classes


def test_a_signal_of_a_lot_says_its_level_urgency_countries_and_class() -> None:
    context = Context.model_construct(product_class="engineered-ev")
    found = _read(
        signal("lot:EX117", level=SignalLevel.LOT, urgent=True, countries=("US", "JP"),
               context=context)
    )  # fmt: skip
    assert [found[name] for name in ("level", "urgent", "jurisdictions", "productclasses")] == [
        "lot", "true", "JP,US", "engineered-ev,extracellular-vesicles,msc-supernatant-exosome",
    ]  # fmt: skip


@pytest.mark.parametrize("grade", SignalGrade)
def test_a_signal_says_its_grade(grade: SignalGrade) -> None:
    assert _read(signal(grade=grade))["grade"] == grade.value


def test_what_is_not_known_has_no_header() -> None:
    headers = cloud_event_headers(safety(), source=SOURCE)
    assert not {"ce_productclasses", "ce_jurisdictions", "ce_grade"} & set(headers)
    assert all(headers.values())


def test_every_type_and_level_is_listed() -> None:
    of_signals, of_safety = event_types(Alert), event_types(SafetyAlert)
    assert len(set(of_signals) | set(of_safety)) == len(AlertKind) + len(AlertCategory) * len(
        SafetyAlertKind
    )
    for kind in AlertKind:
        alert = signal().model_copy(update={"kind": kind})
        assert _read(alert)["type"] in of_signals
    levels = set()
    for category in AlertCategory:
        found = _read(safety(category))
        assert found["type"] in of_safety
        levels.add(found["level"])
    assert levels | {level.value for level in SignalLevel} == set(LEVELS)


def test_the_headers_of_an_alert_are_always_the_same() -> None:
    first = cloud_event_headers(safety(urgent=True), source=SOURCE)
    again = cloud_event_headers(safety(urgent=True), source=SOURCE)
    assert list(first.items()) == list(again.items())
    first.clear()  # what is given away is not what is kept
    assert cloud_event_headers(safety(urgent=True), source=SOURCE) == again


def test_the_dataschema_is_the_id_of_the_schema() -> None:
    for name, alert in (("alert", signal()), ("safety-alert", safety())):
        assert _read(alert)["dataschema"] == json_schema(CONTRACTS[name])["$id"]


def test_a_change_of_rules_is_an_event_of_its_own_type() -> None:
    change = changed()
    headers = rules_change_headers(change, source="/tocsin/pv.alerts")
    assert headers["ce_type"] == b"tocsin.rules.changed"
    assert headers["ce_id"] == change.change_id.encode()
    assert headers["ce_time"] == b"2024-01-11T00:00:00Z"
    assert headers["ce_dataschema"] == json_schema(CONTRACTS["rules-change"])["$id"].encode()
    assert headers["ce_revision"] == b"2"
    first = change.model_copy(update={"changed_on": None})
    assert "ce_time" not in rules_change_headers(first, source="/x")
    assert RULES_CHANGED not in {*event_types(Alert), *event_types(SafetyAlert)}
