"""Each operation sends the errors that it declares, and declares every error that it sends."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from schemas.subscription import Stream, Subscription, Tier, Webhook
from streams.delivery.api.application import make_application
from streams.delivery.api.declared_problems import problems
from streams.delivery.api.service import Service, ServiceHealth
from streams.delivery.api.tokens import Scope
from tests.support.api_server import (
    client_of,
    feed,
    reported,
    service_in,
    serving,
    signal_path,
    token_of,
)
from tests.support.assessments import LOT, SDR

DOCUMENT = make_application().openapi()
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
SAID = {
    "verification_id": "v", "subject_id": "RUM-1", "source": "s",
    "verification": {"by": "ministry", "assertion": "denies"},
}  # fmt: skip
BODIES = {
    "create_subscription": {"subscription_id": "new"},
    "preview_subscription": {"subscription_id": "new"},
    "decide_signal": {"to": "under_triage"},
    "add_verification": SAID,
}
NAMES = {"signal_key": SDR.signal_key, "alert_id": SDR.alert_id, "name": "own"}
CONFLICTS: dict[str, dict[str, Any]] = {
    "create_subscription": {"json": {"subscription_id": "own"}},
    "decide_signal": {"json": {"to": "confirmed"}},
    "rotate_signing_key": {},
    "stream_alerts": {"name": "hook"},
}


@dataclass(frozen=True)
class Client:
    """A client of the application in this process."""

    transport: httpx2.ASGITransport
    headers: dict[str, str]

    def request(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = self.headers | more.pop("headers", {})

        async def ask() -> httpx2.Response:
            async with httpx2.AsyncClient(
                transport=self.transport, base_url="http://test", headers=headers
            ) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())


Make = Callable[..., Client]


def asked(client: Client, operation_id: str, **changes: Any) -> httpx2.Response:
    """Make a call of an operation: its path, and its body if it has one."""
    method, path, _ = OPERATIONS[operation_id]
    names = NAMES | {name: changes.pop(name) for name in list(changes) if name in NAMES}
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", signal_path(value).rpartition("/")[2])
    if operation_id in BODIES and not {"json", "content"} & changes.keys():
        changes["json"] = BODIES[operation_id]
    return client.request(method, path, **changes)


def check(operation_id: str, answer: httpx2.Response) -> int:
    """Compare an error with the declaration of its operation: status, headers, type and schema."""
    declared = OPERATIONS[operation_id][2]["responses"].get(str(answer.status_code))
    assert declared is not None, f"{operation_id} does not declare {answer.status_code}"
    (media_type, content), *others = declared["content"].items()
    assert not others
    assert answer.headers["content-type"].partition(";")[0] == media_type
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(answer.json())
    if media_type == "application/problem+json":
        assert answer.json()["status"] == answer.status_code
    for name in declared.get("headers", {}):
        assert name in answer.headers
    return answer.status_code


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service that knows two signals, and two subscriptions of one subscriber."""
    service = service_in(tmp_path)
    feed(service, [SDR, LOT], [reported("NE-1")])
    with service.outbox() as outbox:
        for name, channel in (("own", Stream()), ("hook", Webhook(url="https://x.example/"))):
            outbox.subscribe(
                Subscription(
                    subscription_id=name,
                    subscriber="PMDA",
                    tier=Tier.PUBLIC,
                    channel=channel,
                )
            )
    return service


@pytest.fixture
def made(service: Service) -> Make:
    """Return a function that makes a client of the service, some of it changed."""

    def make(
        token: bool = True,
        tier: Tier = Tier.AUTHORITY,
        scopes: Iterable[Scope] | None = None,
        **changes: Any,
    ) -> Client:
        bearer = {"authorization": f"Bearer {token_of(service, tier, scopes)}"} if token else {}
        application = make_application(replace(service, **changes))
        return Client(httpx2.ASGITransport(application, raise_app_exceptions=False), bearer)

    return make


def refused(made: Make, name: str, tmp_path: Path) -> Iterator[int]:
    """Make every kind of request that an operation refuses; yield the status of each error."""
    method, path, operation = OPERATIONS[name]
    client, has_token = made(), "security" in operation
    yield check(name, asked(client, name, content=b" " * 70_000))
    limited = made(address_rate="1/minute", token_rate="1/minute")
    limited.request("GET", "/v1/health")
    yield check(name, asked(limited, name))
    if has_token:
        yield check(name, asked(made(token=False), name))
        yield check(name, asked(made(scopes=[another_scope(path)]), name))
        broken = tmp_path / "broken.db"
        broken.write_bytes(b"no database" * 100)
        yield check(name, asked(made(outbox_path=broken), name))
    else:
        yield check(name, asked(made(health=ServiceHealth("not read yet")), name))
    for parameter in NAMES:
        if f"{{{parameter}}}" in path:
            yield check(name, asked(client, name, **{parameter: "nobody"}))
    if name in CONFLICTS:
        yield check(name, asked(client, name, **CONFLICTS[name]))
    if name in BODIES:
        yield check(name, asked(client, name, content=b"{}"))
        yield check(name, asked(client, name, json={"no": "field"}))
    if method == "GET" and path == "/v1/signals":
        yield check(name, asked(client, name, params={"limit": "many"}))
        yield check(name, asked(client, name, params={"jurisdiction": "Japan"}))
    if name == "add_verification":
        yield check(name, asked(made(notices=None), name))


def another_scope(path: str) -> Scope:
    """Return a scope that is not the one for a path."""
    reads_alerts = "/cases" not in path and ("subscriptions" not in path or "/events" in path)
    return Scope.CASES_READ if reads_alerts else Scope.ALERTS_READ


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_sends_the_errors_that_it_declares(
    made: Make, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set(refused(made, name, tmp_path))

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    client = made()
    monkeypatch.setattr(Service, "tokens", fail)
    monkeypatch.setattr(ServiceHealth, "problem", property(fail, lambda *_: None))
    found.add(check(name, asked(client, name)))
    declared = {int(status) for status in OPERATIONS[name][2]["responses"] if int(status) >= 400}
    assert found == declared


def test_a_fifth_stream_is_refused_as_declared(service: Service) -> None:
    path = "/v1/subscriptions/own/events"
    with (
        serving(service) as address,
        client_of(address, token_of(service)) as client,
        ExitStack() as opened,
    ):
        for _ in range(4):
            opened.enter_context(client.stream("GET", path))
        assert check("stream_alerts", client.get(path)) == 429


def test_a_higher_tier_is_refused_as_declared(made: Make) -> None:
    client = made(tier=Tier.PUBLIC)
    body = {"subscription_id": "new", "tier": "authority"}
    for name in ("create_subscription", "preview_subscription"):
        assert check(name, asked(client, name, json=body)) == 403
    filtered = {"subscription_id": "new", "filters": {"min_priority": "high"}}
    for name in ("create_subscription", "preview_subscription"):
        assert check(name, asked(client, name, json=filtered)) == 422


def test_no_other_schema_of_an_error_is_declared() -> None:
    assert not [name for name in DOCUMENT["components"]["schemas"] if "ValidationError" in name]
    wanted = problems([HTTPStatus.NOT_FOUND])[404]["content"]
    assert wanted == OPERATIONS["show_alert"][2]["responses"]["404"]["content"]
