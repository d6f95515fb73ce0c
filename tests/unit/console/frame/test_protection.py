"""Hosts, sizes and headers, on an application that answers everything."""

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from streams.console.frame.protection import PAGE_HEADERS, Protection


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"read {len(body)}")(scope, receive, send)


def _client(host: str = "127.0.0.1:8765") -> TestClient:
    return TestClient(Protection(_answer, hosts={"127.0.0.1:8765"}), base_url=f"http://{host}")


def test_every_answer_has_the_headers() -> None:
    for answer in (_client().get("/desk"), _client("evil.example").get("/desk")):
        assert {name: answer.headers[name] for name in PAGE_HEADERS} == PAGE_HEADERS


def test_the_policy_allows_nothing_inline_and_no_other_origin() -> None:
    policy = PAGE_HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    for unwanted in ("unsafe", "data:", "blob:", "http", "*", "nonce"):
        assert unwanted not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", "localhost.evil.example:8765"])
def test_another_host_is_refused(host: str) -> None:
    assert _client(host).get("/desk").status_code == 421
    assert _client().get("/desk").text == "read 0"


def test_a_large_body_is_refused_unread() -> None:
    assert _client().post("/desk", content=b"x" * 65_536).text == "read 65536"
    assert _client().post("/desk", content=b"x" * 65_537).status_code == 413
    chunks = iter([b"x" * 10])
    assert _client().post("/desk", content=chunks).status_code == 413


@pytest.mark.parametrize("stated", ["-1", "many", "1_000", ""])
def test_a_length_that_is_no_number_is_refused(stated: str) -> None:
    answer = _client().post("/desk", headers={"content-length": stated}, content=b"")
    assert answer.status_code == 400
