"""The HTTP API: who may do what, what is refused and how, and that nothing else changes."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from schemas.notice import Notice
from schemas.product import Facility, Product
from schemas.report import Patient, Reaction, Report
from schemas.safety_alert import AlertCategory
from schemas.subscription import Tier
from streams.delivery.api.service import Service
from streams.delivery.api.tokens import Scope
from streams.delivery.signing_keys import derived_key
from streams.runtime.operations.audit_log import AuditLog
from tests.support.alerts import safety, signal
from tests.support.api_server import KEY, client_of, feed, service_in, serving, token_of

LOT = safety()
SDR = signal(3)


def reported(case_id: str, version: int = 1, term: str = "Sepsis") -> Report:
    return Report(
        case_id=case_id,
        version=version,
        first_received=date(2019, 10, 7),
        latest_received=date(2019, 10, 7),
        patient=Patient(age_years=44, relationship_to_facility="wife of the owner"),
        products=(
            Product(
                verbatim="exosomes of Dr Who",
                product_class="exosome",
                lot="EX-117",
                facility=Facility(facility_id="C-A"),
            ),
        ),
        reactions=(Reaction(term=term, verbatim="she told me that"),),
    )


@pytest.fixture
def service(tmp_path: Path) -> Service:
    made = service_in(tmp_path)
    feed(made, [SDR, LOT], [reported("NE-1"), reported("NE-2")])
    return made


@pytest.fixture
def open_api(service: Service) -> Iterator[ExitStack]:
    with ExitStack() as opened:
        opened.address = opened.enter_context(serving(service))  # type: ignore[attr-defined]
        yield opened


def client(opened: ExitStack, token: str | None) -> httpx.Client:
    return opened.enter_context(client_of(opened.address, token))  # type: ignore[attr-defined]


def at(key: str, more: str = "") -> str:
    return f"/v1/signals/{quote(key, safe='')}{more}"


def is_problem(answer: httpx.Response, status: int, words: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert words in body["detail"]


def test_signals_alerts_and_cases_as_the_tier_has_them(
    service: Service, open_api: ExitStack
) -> None:
    whole = client(open_api, token_of(service))
    page = whole.get("/v1/signals").json()
    assert [one["signal_key"] for one in page["signals"]] == [LOT.signal_key, SDR.signal_key]
    shown = whole.get(at(SDR.signal_key)).json()
    assert shown["signal"]["counts"]["n_observed"] == 3
    assert shown["assessment"] == "detected"
    assert whole.get(f"/v1/alerts/{quote(LOT.alert_id, safe='')}").json()["lots"] == ["EX117"]
    cases = whole.get(at(LOT.signal_key, "/cases")).json()
    assert [line["case_id"] for line in cases["cases"]] == ["NE-1", "NE-2"]
    assert cases["cases"][0]["products"][0]["facility_id"] == "C-A"
    assert not any(words in json.dumps(cases) for words in ("Dr Who", "told me", "wife", "44"))
    assert whole.get(at(SDR.signal_key, "/cases")).json()["unknown"] == ["NE-0"]

    public = client(open_api, token_of(service, Tier.PUBLIC))
    copy = public.get(at(SDR.signal_key)).json()
    assert copy["signal"]["n_observed"] == "1-10"
    assert copy["assessment"] is None
    assert public.get(at(SDR.signal_key, "/cases")).json() == {
        "n_cases": "1-10", "cases": [], "unknown": [],
    }  # fmt: skip
    # The lot's signal is there under its code, and under its name it is not.
    (code,) = [one["signal_key"] for one in public.get("/v1/signals").json()["signals"][:1]]
    assert public.get(at(code)).status_code == 200
    is_problem(public.get(at(LOT.signal_key)), 404, "no such signal")
    is_problem(public.get(at("LOT_CLUSTER|EX999")), 404, "no such signal")
    is_problem(public.get(f"/v1/alerts/{quote(LOT.alert_id, safe='')}"), 404, "no such alert")


def test_the_latest_revision_is_where_a_signal_stands_in_whatever_order_they_came(
    service: Service, open_api: ExitStack
) -> None:
    feed(service, [signal(9, revision=3), signal(5, revision=2)])
    whole = client(open_api, token_of(service))
    assert whole.get(at(SDR.signal_key)).json()["signal"]["revision"] == 3
    alerts = whole.get(at(SDR.signal_key, "/alerts")).json()["alerts"]
    assert [alert["revision"] for alert in alerts] == [1, 2, 3]
    feed(service, [], [reported("NE-1", 3, "Shock"), reported("NE-1", 2)])
    lines = whole.get(at(LOT.signal_key, "/cases")).json()["cases"]
    assert lines[0]["reactions"][0]["term"] == "Shock"


def test_filters_and_pages(service: Service, open_api: ExitStack) -> None:
    feed(service, [signal(3, drug=f"drug {n:03}", event="Nausea") for n in range(120)])
    whole = client(open_api, token_of(service))
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
    public = client(open_api, token_of(service, Tier.PUBLIC))
    is_problem(public.get("/v1/signals", params={"rule": "ema"}), 422, "may not ask by rules")


def test_who_has_no_token_or_not_the_scope(service: Service, open_api: ExitStack) -> None:
    good = token_of(service, scopes=[Scope.CASES_READ])
    for bad in (None, "", "x", good[:-1], good[:-1] + ("0" if good[-1] != "0" else "1")):
        answer = client(open_api, bad).get("/v1/signals")
        is_problem(answer, 401, "a valid token is needed")
        assert answer.headers["www-authenticate"] == "Bearer"
    is_problem(client(open_api, good).get("/v1/signals"), 403, "alerts:read")
    is_problem(client(open_api, good).get("/v1/subscriptions"), 403, "subscriptions:write")
    assert client(open_api, None).get("/v1/health").json() == {"status": "up"}
    with service.tokens() as store:
        store.revoke(good.split("_")[1], service.now())
    is_problem(client(open_api, good).get(at(LOT.signal_key, "/cases")), 401)
    assert good.split("_")[2].encode() not in service.outbox_path.read_bytes()


def test_rates_by_token_and_by_address(tmp_path: Path) -> None:
    service = service_in(tmp_path, token_rate="3/minute", address_rate="40/minute")
    feed(service, [SDR])
    one, other = token_of(service), token_of(service)
    with serving(service) as address, client_of(address, one) as client:
        assert [client.get("/v1/signals").status_code for _ in range(3)] == [200] * 3
        refused = client.get("/v1/signals")
        is_problem(refused, 429, "too many requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        with client_of(address, other) as another:
            assert another.get("/v1/signals").status_code == 200
        # Guessing costs more: three guesses, and the address has to wait.
        with client_of(address, "tocsin_guess") as guesser:
            statuses = [guesser.get("/v1/signals").status_code for _ in range(5)]
            assert statuses[:3] == [401] * 3
            assert statuses[-1] == 429
    service = service_in(tmp_path, address_rate="5/minute")
    with serving(service) as address, client_of(address, None) as client:
        assert [client.get("/v1/health").status_code for _ in range(5)] == [200] * 5
        assert client.get("/v1/health").status_code == 429
        assert client.get("/v1/nothing").status_code == 429


def test_what_is_too_large_or_no_json_is_refused(service: Service, open_api: ExitStack) -> None:
    whole = client(open_api, token_of(service))
    big = b'{"a": "' + b"x" * service.most_body + b'"}'
    for content in (big, iter([big[:1000], big[1000:]])):
        headers = {"content-type": "application/json"}
        answer = whole.post("/v1/subscriptions", content=content, headers=headers)
        is_problem(answer, 413, "65536 bytes")
    is_problem(whole.post("/v1/subscriptions", content=b"{}"), 415, "application/json")
    is_problem(whole.post("/v1/subscriptions", json={"x": 1}), 422, "subscription_id")
    is_problem(whole.get("/v1/nothing"), 404)
    is_problem(whole.put("/v1/signals"), 405)


def test_every_answer_has_the_headers_that_browsers_need(
    service: Service, open_api: ExitStack
) -> None:
    whole = client(open_api, token_of(service))
    for answer in (whole.get("/v1/signals"), whole.get("/v1/nothing"), whole.get("/v1/health")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert "server" not in answer.headers or "uvicorn" in answer.headers["server"]


def test_decisions_go_into_the_chained_log_and_illegal_ones_do_not(
    service: Service, open_api: ExitStack, tmp_path: Path
) -> None:
    whole = client(open_api, token_of(service))
    there = at(SDR.signal_key, "/decisions")
    done = whole.post(there, json={"to": "under_triage", "alert_id": SDR.alert_id})
    assert done.status_code == 201
    assert done.json()["entry"]["decision"]["by"] == "PMDA"
    is_problem(whole.post(there, json={"to": "closed", "reason": "x"}), 409, "after under_triage")
    is_problem(whole.post(there, json={"to": "monitoring"}), 409, "must have a reason")
    is_problem(whole.post(there, json={"to": "validated", "alert_id": "no"}), 409, "revision of")
    is_problem(whole.post(there, json={"to": "nowhere"}), 422, "to:")
    is_problem(whole.post(there, json={"to": "validated", "by": "me"}), 422, "by")
    is_problem(whole.post(at("a|b|c", "/decisions"), json={"to": "validated"}), 404)
    assert whole.get(at(SDR.signal_key)).json()["assessment"] == "under_triage"
    verified = AuditLog(tmp_path / "audit.jsonl").verify()
    assert [entry.decision.to for entry in verified.entries] == ["under_triage"]
    consumer = client(open_api, token_of(service, Tier.CONSUMER))
    is_problem(consumer.post(there, json={"to": "validated"}), 403, "decisions:write")


def test_a_broken_log_is_not_added_to(service: Service, open_api: ExitStack) -> None:
    whole = client(open_api, token_of(service))
    there = at(SDR.signal_key, "/decisions")
    whole.post(there, json={"to": "under_triage"})
    log = service.audit._path
    log.write_bytes(log.read_bytes().replace(b"PMDA", b"FDA "))
    is_problem(whole.post(there, json={"to": "validated"}), 503, "the log of the server")
    assert len(log.read_bytes().splitlines()) == 1


def test_a_verification_becomes_a_notice_that_a_replay_reads(
    service: Service, open_api: ExitStack, tmp_path: Path
) -> None:
    whole = client(open_api, token_of(service))
    said = {
        "verification_id": "v1", "subject_id": "RUM-1", "source": "ministry",
        "reporter": "authority", "country": "JP", "received": "2023-11-14",
        "verification": {"by": "ministry", "assertion": "source_unknown"},
    }  # fmt: skip
    done = whole.post("/v1/verifications", json=said)
    assert done.status_code == 201, done.text
    whole.post("/v1/verifications", json={**said, "verification_id": "v2", "received": None})
    lines = (tmp_path / "notices.jsonl").read_bytes().splitlines()
    first, second = map(Notice.model_validate_json, lines)
    assert first.subject_id == "RUM-1"
    assert first.notice_id.endswith(":v1")
    assert "RUM" not in first.notice_id  # nobody's own notice can be replaced
    assert second.received == service.now().date()
    is_problem(whole.post("/v1/verifications", json={**said, "received": "2099-01-01"}), 422)
    is_problem(whole.post("/v1/verifications", json={**said, "kind": "media"}), 422, "kind")
    for tier in (Tier.PUBLIC, Tier.CONSUMER):
        other = client(open_api, token_of(service, tier))
        is_problem(other.post("/v1/verifications", json=said), 403)
    assert len((tmp_path / "notices.jsonl").read_bytes().splitlines()) == 2


def test_subscriptions_of_ones_own(service: Service, open_api: ExitStack) -> None:
    mine = client(open_api, token_of(service, Tier.CONSUMER))
    hook = {
        "subscription_id": "hook", "channel": {"kind": "webhook", "url": "https://x.example/"},
        "filters": {"families": ["infection"]}, "digest": "daily",
    }  # fmt: skip
    seen = mine.post("/v1/subscriptions/preview", json=hook).json()
    assert seen == {"days": 90, "alerts": 1, "by_category_and_kind": {"SDR new": 1}}
    made = mine.post("/v1/subscriptions", json=hook)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/v1/subscriptions/hook"
    key = made.json()["signing_key"]
    with service.outbox() as outbox:
        (standing,) = outbox.standing()
    assert standing.subscription.tier is Tier.CONSUMER
    assert standing.subscription.subscriber == "PMDA"
    assert key == derived_key(standing.subscription, 1, key=KEY)
    is_problem(mine.post("/v1/subscriptions", json=hook), 409, "exists")
    shown = mine.get("/v1/subscriptions/hook").json()
    assert shown["signing_key"] is None
    newer = mine.post("/v1/subscriptions/hook/rotate").json()
    assert newer["signing_key"] not in (key, None)
    assert newer["subscription"]["channel"]["generations"] == [2, 1]
    assert mine.post("/v1/subscriptions/hook/pause").json()["resting"]
    assert mine.post("/v1/subscriptions/hook/resume").json()["resting"] is None

    other = client(open_api, token_of(service, Tier.AUTHORITY, subscriber="EMA"))
    lower = client(open_api, token_of(service, Tier.PUBLIC))
    for stranger in (other, lower):
        assert stranger.get("/v1/subscriptions").json() == {"subscriptions": []}
        is_problem(stranger.get("/v1/subscriptions/hook"), 404)
        is_problem(stranger.delete("/v1/subscriptions/hook"), 404)
        for verb in ("pause", "resume", "rotate"):
            is_problem(stranger.post(f"/v1/subscriptions/hook/{verb}"), 404)
        is_problem(stranger.get("/v1/subscriptions/hook/events"), 404)
    is_problem(mine.get("/v1/subscriptions/hook/events"), 409, "another channel")
    assert mine.delete("/v1/subscriptions/hook").status_code == 204
    assert mine.get("/v1/subscriptions").json() == {"subscriptions": []}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"tier": "authority"}, 403),  # the token is of the consumer tier
        ({"channel": {"kind": "folder", "path": "/etc"}}, 422),
        ({"channel": {"kind": "topic", "topic": "pv.reports"}}, 422),
        ({"channel": {"kind": "webhook", "url": "http://x.example/"}}, 422),
        ({"channel": {"kind": "webhook", "url": "https://x/", "secrets": ["TIER_KEY"]}}, 422),
        ({"digest": "daily", "budget_per_day": 3}, 422),
        ({"tier": "public", "filters": {"rules": ["ema"]}}, 422),
        ({"subscriber": "EMA"}, 422),
        ({"subscription_id": "a b"}, 422),
    ],
)
def test_subscriptions_that_nobody_may_make_here(
    service: Service, open_api: ExitStack, change: dict[str, object], status: int
) -> None:
    mine = client(open_api, token_of(service, Tier.CONSUMER))
    is_problem(mine.post("/v1/subscriptions", json={"subscription_id": "s", **change}), status)
    with service.outbox() as outbox:
        assert outbox.standing() == []


def events(client: httpx.Client, most: int, last: str | None = None) -> list[tuple[str, int]]:
    """Read so many events of the stream; each id must be that of its alert."""
    found: list[tuple[str, int]] = []
    headers = {"last-event-id": last} if last else {}
    with client.stream("GET", "/v1/subscriptions/s/events", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            field, _, value = line.partition(": ")
            if field == "id":
                name = value
            elif field == "data":
                body = json.loads(value)
                assert name == body["alert_id"]
                found.append((name, body["revision"]))
                if len(found) == most:
                    return found
    return found


def test_a_stream_goes_on_after_the_last_event(service: Service, open_api: ExitStack) -> None:
    whole = client(open_api, token_of(service))
    whole.post("/v1/subscriptions", json={"subscription_id": "s"})
    feed(service, [signal(revision=n) for n in (2, 3, 4)])
    first = events(whole, 2)
    assert [revision for _, revision in first] == [2, 3]
    assert [revision for _, revision in events(whole, 1, first[-1][0])] == [4]
    assert [revision for _, revision in events(whole, 3)] == [2, 3, 4]  # from the first
    # One that is open hears what comes later.
    heard: list[tuple[str, int]] = []
    listening = threading.Thread(target=lambda: heard.extend(events(whole, 4)))
    listening.start()
    time.sleep(0.3)
    feed(service, [signal(revision=5)])
    listening.join(20)
    assert [revision for _, revision in heard] == [2, 3, 4, 5]


def test_a_stream_ends_with_its_token_and_there_are_not_too_many(
    service: Service, open_api: ExitStack
) -> None:
    token = token_of(service)
    whole = client(open_api, token)
    whole.post("/v1/subscriptions", json={"subscription_id": "s"})
    path = "/v1/subscriptions/s/events"
    with ExitStack() as streams:
        four = [streams.enter_context(whole.stream("GET", path)) for _ in range(4)]
        assert {answer.status_code for answer in four} == {200}
        is_problem(whole.get(path), 429, "4 streams")
        with service.tokens() as store:
            store.revoke(token.split("_")[1], service.now())
        for answer in four:
            answer.read()  # comes to its end


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
def test_a_clinic_is_not_there_below_the_authority(
    service: Service, open_api: ExitStack, tier: Tier
) -> None:
    clinic = safety(AlertCategory.FACILITY_CLUSTER, subject="C-A")
    feed(service, [clinic])
    below = client(open_api, token_of(service, tier))
    is_problem(below.get(at(clinic.signal_key)), 404)
    is_problem(below.get(f"/v1/alerts/{quote(clinic.alert_id, safe='')}"), 404)
    whole = client(open_api, token_of(service))
    assert whole.get(at(clinic.signal_key)).status_code == 200
