"""Signals, alerts and cases over HTTP: copies for the tier, filters and pages."""

import json
from urllib.parse import quote

import httpx2
import pytest

from schemas.alert import AlertKind, SignalGrade
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


def test_the_signal_status_is_no_assessment_state(service: Service, connect: Connect) -> None:
    """A correction of a signal that is off does not turn it on, whatever was decided on it."""
    corrected = signal(0, drug="gold", revision=3).model_copy(
        update={"kind": AlertKind.UPDATE, "rules_fired": ()}
    )
    feed(service, [corrected])
    whole = connect(token_of(service))
    found = whole.get(signal_path(corrected.signal_key)).json()
    assert (found["signal_status"], found["assessment"]) == ("off", "detected")
    on = whole.get(signal_path(SDR.signal_key)).json()
    assert (on["signal_status"], on["assessment"]) == ("on", "detected")
    listed = whole.get("/v1/signals", params={"active": False}).json()["signals"]
    assert [one["signal_key"] for one in listed] == [corrected.signal_key]


def test_signals_are_filtered_by_grade_and_the_public_may_not(
    service: Service, connect: Connect
) -> None:
    wider, was_alarm, now_alarm = (
        [signal(drug=drug, revision=n, grade=grade) for n, grade in enumerate(grades, start=1)]
        for drug, grades in (
            ("iron", [SignalGrade.SCREENING]),
            ("lead", [SignalGrade.ALARM, SignalGrade.SCREENING]),
            ("zinc", [SignalGrade.SCREENING, SignalGrade.ALARM]),
        )
    )
    feed(service, [*wider, *was_alarm, *now_alarm])
    whole, public = (connect(token_of(service, tier)) for tier in (Tier.AUTHORITY, Tier.PUBLIC))

    def drugs(client: httpx2.Client, **params: str | list[str]) -> set[str]:
        asked = {"term": "Sepsis", "category": "SDR", **params}
        found = client.get("/v1/signals", params=asked).json()["signals"]
        return {one["drug"] for one in found} - {SDR.drug}

    assert drugs(whole) == drugs(whole, grade=["alarm", "screening"]) == {"iron", "lead", "zinc"}
    assert drugs(whole, grade="screening") == {"iron", "lead"}
    assert drugs(whole, grade="alarm") == {"zinc"}
    assert drugs(public) == {"lead", "zinc"}
    for grade in ("alarm", "screening"):
        refused = public.get("/v1/signals", params={"grade": grade})
        is_problem(refused, 422, "may not ask by grades")
    is_problem(whole.get("/v1/signals", params={"grade": "red"}), 422, "grade")
    is_problem(public.get(signal_path(wider[0].signal_key)), 404, "no such signal")
    shown = public.get(signal_path(now_alarm[0].signal_key, "/alerts")).json()["alerts"]
    assert [(one["revision"], "grade" in one) for one in shown] == [(1, False)]


def test_signals_are_sorted_and_the_public_may_sort_by_change_only(
    service: Service, connect: Connect
) -> None:
    feed(service, [signal(drug=drug) for drug in ("zinc", "iron", "lead")])
    whole, public = (connect(token_of(service, tier)) for tier in (Tier.AUTHORITY, Tier.PUBLIC))
    for client in (whole, public):
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            asked = {"sort": "changed", "after": after, "limit": "2", "category": "SDR"}
            page = client.get("/v1/signals", params=asked).json()
            found += [one["drug"] for one in page["signals"]]
            after = page["next"]
        assert found == ["lead", "iron", "zinc", SDR.drug]
    for sort in ("priority", "due"):
        assert whole.get("/v1/signals", params={"sort": sort}).status_code == 200
        refused = public.get("/v1/signals", params={"sort": sort})
        is_problem(refused, 422, f"may not ask for {sort}")
    is_problem(whole.get("/v1/signals", params={"sort": "size"}), 422, "sort")
    unknown = whole.get("/v1/signals", params={"sort": "due", "after": "zinc"})
    is_problem(unknown, 422, "after: must be `next`")


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
