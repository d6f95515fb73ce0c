"""Pages of problems: one sentence, an id where the log has more, the strict headers."""

import re

import pytest
from starlette.testclient import TestClient

from streams.console.frame.protection import PAGE_HEADERS
from streams.console.worklist.worklist import Worklist
from streams.delivery.api.service import Service
from tests.support.many_signals import desk_app, desk_of


def test_a_wrong_address_says_what_it_must_be(client: TestClient) -> None:
    page = client.get("/desk?due=soon")
    assert page.status_code == 400
    assert "address: due must be overdue or week; got &#39;soon&#39;" in page.text
    assert 'href="/desk">Try again' in page.text


def test_a_failure_names_its_entry_of_the_log(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        msg = "a secret of the code"
        raise RuntimeError(msg)

    client = TestClient(desk_app(desk_of(service)), raise_server_exceptions=False)
    monkeypatch.setattr(Worklist, "ask", fail)
    page = client.get("/desk")
    assert page.status_code == 500
    found = re.search(r"The log has the reason under ([0-9a-f]{12})", page.text)
    assert found is not None
    assert f"request {found[1]} of the desk failed" in caplog.text
    assert "a secret of the code" not in page.text
    for name, value in PAGE_HEADERS.items():
        assert page.headers[name] == value
