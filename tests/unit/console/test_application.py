"""Which application answers an address: `/` and `/desk` the desk, all else the API."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from streams.console.application import with_desk

BOTH = TestClient(with_desk(PlainTextResponse("API"), PlainTextResponse("desk")))


@pytest.mark.parametrize("path", ["/", "/desk", "/desk/", "/desk/static/desk.css"])
def test_addresses_of_the_desk(path: str) -> None:
    assert BOTH.get(path).text == "desk"


@pytest.mark.parametrize("path", ["/v1/signals", "/desks", "/v1/desk", "/DESK"])
def test_other_addresses_are_the_apis(path: str) -> None:
    assert BOTH.get(path).text == "API"
