"""Request bodies: accepted values, and the refusals of invalid ones."""

import asyncio
from typing import Any

import pytest
from fastapi import Request

from streams.delivery.api.bodies import BODIES, AskedSubscription, NewDecision, body_of, described
from streams.delivery.api.problems import Problem


def posted(content: bytes, kind: str = "application/json") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    headers = [(b"content-type", kind.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def read(content: bytes, kind: str = "application/json") -> NewDecision:
    return asyncio.run(body_of(NewDecision)(posted(content, kind)))


def test_a_body_is_read_whatever_the_charset_parameter() -> None:
    decision = read(b'{"to": "validated"}', "Application/JSON; charset=utf-8")
    assert (decision.to, decision.reason) == ("validated", "")


@pytest.mark.parametrize(
    ("content", "kind", "status", "words"),
    [
        (b"{}", "text/plain", 415, "the body must be application/json"),
        (b"{}", "", 415, "the body must be application/json"),
        (b"{", "application/json", 422, "the body: Invalid JSON"),
        (b"{}", "application/json", 422, "to: Field required"),
        (b'{"to": "validated", "by": "me"}', "application/json", 422, "by: Extra inputs"),
        (b'{"to": "validated", "assignee": ""}', "application/json", 422, "assignee: String"),
    ],
)
def test_a_broken_body_is_refused_with_its_place(
    content: bytes, kind: str, status: int, words: str
) -> None:
    with pytest.raises(Problem, match=f"^{words}") as refusal:
        read(content, kind)
    assert refusal.value.status == status


def test_every_body_is_described_by_its_own_schema() -> None:
    assert AskedSubscription in BODIES
    for model in BODIES:
        content = described(model)["requestBody"]["content"]
        schema = content["application/json"]["schema"]
        assert schema == {"$ref": f"#/components/schemas/{model.__name__}"}
