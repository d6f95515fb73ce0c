"""Signals, alerts and cases over HTTP: copies for the tier, filters and pages."""

import json
from urllib.parse import quote

import pytest

from schemas.safety_alert import AlertCategory
from schemas.subscription import Tier
from streams.delivery.api.service import Service
from tests.support.alerts import safety, signal
from tests.support.api_server import Connect, feed, is_problem, reported, signal_path, token_of
from tests.support.assessments import LOT, SDR


def test_signals_alerts_and_cases_are_copies_for_the_tier(
    service: Service, connect: Connect
) -> None:
    whole = connect(token_of(service))
    page = whole.get("/v1/signals").json()
    assert [one["signal_key"] for one in page["signals"]] == [LOT.signal_key, SDR.signal_key]
    shown = whole.get(signal_path(SDR.signal_key)).json()
    assert shown["signal"]["counts"]["n_observed"] == 3
    assert shown["assessment"] == "detected"
    assert whole.get(f"/v1/alerts/{quote(LOT.alert_id, safe='')}").json()["lots"] == ["EX117"]
    cases = whole.get(signal_path(LOT.signal_key, "/cases")).json()
    assert [line["case_id"] for line in cases["cases"]] == ["NE-1", "NE-2"]
    assert cases["cases"][0]["products"][0]["facility_id"] == "C-A"
    assert not any(words in json.dumps(cases) for words in ("Dr Who", "told me", "wife", "44"))
    assert whole.get(signal_path(SDR.signal_key, "/cases")).json()["unknown"] == ["NE-0"]

    public = connect(token_of(service, Tier.PUBLIC))
    copy = public.get(signal_path(SDR.signal_key)).json()
    assert copy["signal"]["n_observed"] == "1-10"
    assert copy["assessment"] is None
    assert public.get(signal_path(SDR.signal_key, "/cases")).json() == {
        "n_cases": "1-10", "cases": [], "unknown": [],
    }  # fmt: skip
    # The lot's signal is found by its code, and not by its true name.
    (code,) = [one["signal_key"] for one in public.get("/v1/signals").json()["signals"][:1]]
    assert public.get(signal_path(code)).status_code == 200
    is_problem(public.get(signal_path(LOT.signal_key)), 404, "no such signal")
    is_problem(public.get(signal_path("LOT_CLUSTER|EX999")), 404, "no such signal")
    is_problem(public.get(f"/v1/alerts/{quote(LOT.alert_id, safe='')}"), 404, "no such alert")


def test_the_latest_revision_is_shown_whatever_the_order_of_arrival(
    service: Service, connect: Connect
) -> None:
    feed(service, [signal(9, revision=3), signal(5, revision=2)])
    whole = connect(token_of(service))
    assert whole.get(signal_path(SDR.signal_key)).json()["signal"]["revision"] == 3
    alerts = whole.get(signal_path(SDR.signal_key, "/alerts")).json()["alerts"]
    assert [alert["revision"] for alert in alerts] == [1, 2, 3]
    feed(service, [], [reported("NE-1", 3, "Shock"), reported("NE-1", 2)])
    lines = whole.get(signal_path(LOT.signal_key, "/cases")).json()["cases"]
    assert lines[0]["reactions"][0]["term"] == "Shock"


def test_filters_and_pages(service: Service, connect: Connect) -> None:
    feed(service, [signal(3, drug=f"drug {n:03}", event="Nausea") for n in range(120)])
    whole = connect(token_of(service))
    found, after, pages = [], "", 0
    while after is not None:
        page = whole.get("/v1/signals", params={"after": after, "limit": 50}).json()
        found += [one["signal_key"] for one in page["signals"]]
        after, pages = page["next"], pages + 1
    assert len(found) == len(set(found)) == 122
    assert found == sorted(found)
    assert pages == 3

    def keys(**params: object) -> int:
        return len(whole.get("/v1/signals", params=params).json()["signals"])  # type: ignore[arg-type]

    assert keys(term="Nausea", limit=200) == 120
    assert keys(family="infection") == 2
    assert keys(category="LOT_CLUSTER") == keys(urgent=True) == 1
    assert keys(product="drug 007") == keys(level="lot") == 1
    assert keys(active=False) == 0
    is_problem(whole.get("/v1/signals", params={"limit": 1000}), 422, "limit")
    is_problem(whole.get("/v1/signals", params={"jurisdiction": "Japan"}), 422, "two capitals")
    public = connect(token_of(service, Tier.PUBLIC))
    is_problem(public.get("/v1/signals", params={"rule": "ema"}), 422, "may not ask by rules")


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
def test_a_facility_cluster_is_hidden_below_authority(
    service: Service, connect: Connect, tier: Tier
) -> None:
    clinic = safety(AlertCategory.FACILITY_CLUSTER, subject="C-A")
    feed(service, [clinic])
    below = connect(token_of(service, tier))
    is_problem(below.get(signal_path(clinic.signal_key)), 404)
    is_problem(below.get(f"/v1/alerts/{quote(clinic.alert_id, safe='')}"), 404)
    whole = connect(token_of(service))
    assert whole.get(signal_path(clinic.signal_key)).status_code == 200
