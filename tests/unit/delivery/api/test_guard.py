"""Access control of the API: tokens, scopes, rates, sizes and headers."""

from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.delivery.api.guard import Limiter
from streams.delivery.api.service import Service
from streams.delivery.api.tokens import Scope
from tests.support.api_server import (
    Connect,
    client_of,
    feed,
    is_problem,
    service_in,
    serving,
    signal_path,
    token_of,
)
from tests.support.assessments import LOT, SDR


def test_requests_without_token_or_scope_are_refused(service: Service, connect: Connect) -> None:
    good = token_of(service, scopes=[Scope.CASES_READ])
    for bad in (None, "", "x", good[:-1], good[:-1] + ("0" if good[-1] != "0" else "1")):
        answer = connect(bad).get("/v1/signals")
        is_problem(answer, 401, "a valid token is needed")
        assert answer.headers["www-authenticate"] == "Bearer"
    is_problem(connect(good).get("/v1/signals"), 403, "alerts:read")
    is_problem(connect(good).get("/v1/subscriptions"), 403, "subscriptions:write")
    assert connect(None).get("/v1/health").json() == {"status": "up"}
    with service.tokens() as store:
        store.revoke(good.split("_")[1], service.now())
    is_problem(connect(good).get(signal_path(LOT.signal_key, "/cases")), 401)
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
        # A refused token costs more: after three the address is limited.
        with client_of(address, "tocsin_guess") as guesser:
            statuses = [guesser.get("/v1/signals").status_code for _ in range(5)]
            assert statuses[:3] == [401] * 3
            assert statuses[-1] == 429
    service = service_in(tmp_path, address_rate="5/minute")
    with serving(service) as address, client_of(address, None) as client:
        assert [client.get("/v1/health").status_code for _ in range(5)] == [200] * 5
        assert client.get("/v1/health").status_code == 429
        assert client.get("/v1/nothing").status_code == 429


def test_a_body_that_is_too_large_or_not_json_is_refused(
    service: Service, connect: Connect
) -> None:
    whole = connect(token_of(service))
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
    service: Service, connect: Connect
) -> None:
    whole = connect(token_of(service))
    for answer in (whole.get("/v1/signals"), whole.get("/v1/nothing"), whole.get("/v1/health")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert "server" not in answer.headers or "uvicorn" in answer.headers["server"]


def test_a_rate_is_counted_per_client_and_a_request_may_cost_more() -> None:
    limiter = Limiter("3/minute")
    assert [limiter.wait_for("a"), limiter.wait_for("a", 2)] == [None, None]
    wait = limiter.wait_for("a")
    assert wait is not None
    assert 1 <= wait <= 60
    assert limiter.wait_for("b") is None
    with pytest.raises(InputError, match="rate: must be such as 120/minute; got 'often'"):
        Limiter("often")
