"""What a token below the authority can fetch, on every route, of the whole scenario: no secret."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from detectors.rules import load_rules
from schemas.notice import Notice
from schemas.report import Report
from schemas.subscription import DigestPeriod, Stream, Subscription, Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.api.application import make_application
from streams.delivery.api.service import Service
from streams.demo import background, story
from tests.support.api_server import client_of, feed, service_in, serving, token_of
from tests.support.replays import replayed

# Pseudonyms and words that nothing else contains, in place of the scenario's own.
FACILITIES = {
    "C-A": "fac-one-3b1",
    "C-B": "fac-two-9c4",
    "C-C": "fac-three-1d",
    "C-T": "fac-four-77",
}
LOTS = ("QX-931", "QX931")
# The OpenAPI document shows examples of the scenario itself, with its own lot and cases.
RENAMED = {"EX-117": "QX-931", "EX117": "QX931", '"NE-': '"ZE-'}
NARRATIVE = "narrativeword"
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def told() -> tuple[list[Report], list[Notice]]:
    reports, notices = [], []
    for entry in story():
        text = entry.item.model_dump_json()
        for name, pseudonym in FACILITIES.items():
            text = text.replace(f'"{name}"', f'"{pseudonym}"')
        for name, other in RENAMED.items():
            text = text.replace(name, other)
        if isinstance(entry.item, Notice):
            notices.append(Notice.model_validate_json(text))
            continue
        body = json.loads(text)
        body["patient"]["relationship_to_facility"] = f"relative, {NARRATIVE}"
        for reaction in body["reactions"]:
            reaction["verbatim"] = f"she said {NARRATIVE}"
        for product in body["products"]:
            product["indication_verbatim"] = f"because of {NARRATIVE}"
        reports.append(Report.model_validate_json(json.dumps(body)))
    return reports, notices


@pytest.fixture(scope="module")
def alerts() -> list[AnyAlert]:
    reports, notices = told()
    rules = load_rules(["mhra", "ic"])
    return replayed([*background(), *reports], rules=rules, notices=notices).published


@pytest.fixture(scope="module")
def service(alerts: list[AnyAlert], tmp_path_factory: pytest.TempPathFactory) -> Service:
    made = service_in(tmp_path_factory.mktemp("api"))
    with made.outbox() as outbox:
        for tier in (Tier.PUBLIC, Tier.CONSUMER):
            for digest in (None, DigestPeriod.DAILY):
                outbox.subscribe(
                    Subscription(
                        subscription_id=f"{tier}-{digest}",
                        subscriber="newspaper",
                        tier=tier,
                        channel=Stream(),
                        digest=digest,
                    )
                )
    feed(made, alerts, told()[0])
    return made


@pytest.fixture(scope="module")
def address(service: Service) -> Iterator[str]:
    with serving(service) as at:
        yield at


Call = tuple[str, str, object]


def calls(client: httpx2.Client, alerts: list[AnyAlert]) -> Iterator[tuple[str, Call]]:
    """Yield every call that can be made of every route, by the route."""
    names = {alert.signal_key for alert in alerts} | {"LOT_CLUSTER|QX931"}
    ids = {alert.alert_id for alert in alerts}
    after: str | None = ""
    while after is not None:
        yield "GET /v1/signals", ("GET", f"/v1/signals?limit=1&after={quote(after, safe='')}", None)
        page = client.get("/v1/signals", params={"limit": 1, "after": after}).json()
        names |= {one["signal_key"] for one in page["signals"]}
        after = page["next"]
    for filters in (
        "active=true", "active=false", "category=LOT_CLUSTER", "category=FACILITY_CLUSTER",
        "kind=new", "jurisdiction=JP", "class=exosome", "product=msc-supernatant-exosome",
        "term=Sepsis", "family=infection", "window=cumulative", "urgent=true", "rule=mhra",
    ):  # fmt: skip
        yield "GET /v1/signals", ("GET", f"/v1/signals?limit=200&{filters}", None)
    for name in sorted(names):
        at = f"/v1/signals/{quote(name, safe='')}"
        shown = client.get(f"{at}/alerts")
        ids |= {one["alert_id"] for one in shown.json().get("alerts", ())}
        yield "GET /v1/signals/{signal_key}", ("GET", at, None)
        yield "GET /v1/signals/{signal_key}/alerts", ("GET", f"{at}/alerts", None)
        yield "GET /v1/signals/{signal_key}/cases", ("GET", f"{at}/cases", None)
        decision = {"to": "under_triage"}
        yield (
            "POST /v1/signals/{signal_key}/decisions", ("POST", f"{at}/decisions", decision),
        )  # fmt: skip
    for name in sorted(ids):
        yield "GET /v1/alerts/{alert_id}", ("GET", f"/v1/alerts/{quote(name, safe='')}", None)
    asked = {"subscription_id": "s", "filters": {"families": ["infection"]}}
    yield "POST /v1/subscriptions/preview", ("POST", "/v1/subscriptions/preview", asked)
    yield "POST /v1/subscriptions", ("POST", "/v1/subscriptions", asked)
    yield "GET /v1/subscriptions", ("GET", "/v1/subscriptions", None)
    for verb in ("pause", "resume", "rotate"):
        yield (
            f"POST /v1/subscriptions/{{name}}/{verb}",
            ("POST", f"/v1/subscriptions/s/{verb}", None),
        )
    for tier in (Tier.PUBLIC, Tier.CONSUMER):
        for digest in (None, DigestPeriod.DAILY):
            one = f"/v1/subscriptions/{tier}-{digest}"
            yield "GET /v1/subscriptions/{name}", ("GET", one, None)
            yield "GET /v1/subscriptions/{name}/events", ("GET", f"{one}/events", None)
    yield "DELETE /v1/subscriptions/{name}", ("DELETE", "/v1/subscriptions/s", None)
    said = {
        "verification_id": "v", "subject_id": "RUM-1", "source": "me",
        "verification": {"by": "me", "assertion": "denies"},
    }  # fmt: skip
    yield "POST /v1/verifications", ("POST", "/v1/verifications", said)
    yield "GET /v1/health", ("GET", "/v1/health", None)
    yield "GET /v1/openapi.json", ("GET", "/v1/openapi.json", None)


def answer_to(client: httpx2.Client, call: Call) -> tuple[int, str]:
    """Make a call; return its status, and all of the answer that anybody sees."""
    method, path, body = call
    # A stream never ends: it is read until it has been silent for a while.
    wait = httpx2.Timeout(30, read=1.5 if path.endswith("/events") else 30)
    with client.stream(method, path, json=body, timeout=wait) as answer:
        head = json.dumps(dict(answer.headers))
        if "event-stream" not in answer.headers.get("content-type", ""):
            return answer.status_code, head + answer.read().decode()
        lines = []
        try:
            for line in answer.iter_lines():
                lines.append(line)
        except httpx2.ReadTimeout:
            pass
        return answer.status_code, head + "\n".join(lines)


def walk(service: Service, address: str, alerts: list[AnyAlert], tier: Tier) -> dict[str, str]:
    """Make every call with a token of a tier; return all that was said, by route."""
    said: dict[str, str] = {}
    succeeded: set[str] = set()
    with client_of(address, token_of(service, tier, subscriber="newspaper")) as client:
        for route, call in calls(client, alerts):
            status, text = answer_to(client, call)
            said[route] = said.get(route, "") + text
            if status < 400:
                succeeded.add(route)
    described = make_application(service).openapi()["paths"]
    routes = {
        f"{method.upper()} {path}" for path, methods in described.items() for method in methods
    }
    assert len(routes) == 17
    assert routes <= set(said), "a route that nobody walks"
    writing = {"POST /v1/signals/{signal_key}/decisions", "POST /v1/verifications"}
    unusable = {"POST /v1/subscriptions/{name}/rotate"}  # a stream has no key
    if tier is not Tier.AUTHORITY:
        assert routes - succeeded == writing | unusable
    return said


def case_names() -> re.Pattern[str]:
    names = sorted({report.case_id for report in told()[0]})
    assert {"ZE-1", "LC-4", "RUM-1-ICSR"} <= set(names)
    return re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in names))


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
def test_below_the_authority_nobody_fetches_a_facility_lot_case_or_narrative(
    service: Service, address: str, alerts: list[AnyAlert], tier: Tier
) -> None:
    cases = case_names()
    for route, text in walk(service, address, alerts, tier).items():
        for secret in (*FACILITIES.values(), *LOTS, NARRATIVE):
            assert secret not in text, (route, secret)
        assert not cases.search(text), (route, cases.search(text))


def test_the_public_fetches_no_day_and_no_exact_count(
    service: Service, address: str, alerts: list[AnyAlert]
) -> None:
    for route, text in walk(service, address, alerts, Tier.PUBLIC).items():
        if route != "GET /v1/openapi.json":
            assert not ISO_DAY.search(text), (route, ISO_DAY.search(text))


def test_the_search_would_find_them(
    service: Service, address: str, alerts: list[AnyAlert], tmp_path: Path
) -> None:
    """With an authority's token the same walk meets every secret but the narratives."""
    whole = "".join(walk(service, address, alerts, Tier.AUTHORITY).values())
    # C-B and C-C gave the lot's product; their pseudonyms are in lines and clusters.
    assert all(pseudonym in whole for pseudonym in FACILITIES.values())
    assert all(lot in whole for lot in LOTS[1:])
    assert case_names().search(whole)
    assert ISO_DAY.search(whole)
    assert NARRATIVE not in whole
