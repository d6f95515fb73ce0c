"""Forms of the worklist: what is recorded, for whom, and what is refused."""

import re

import pytest
from starlette.testclient import TestClient

from tests.support.many_signals import LAST_DAY


def token(client: TestClient) -> str:
    found = re.search(r'name="token" value="([0-9a-f]+)"', client.get("/desk").text)
    assert found is not None
    return found[1]


def seen_ids(html: str) -> list[str]:
    return re.findall(r'data-seen="([^"]+)"', html)


def test_signed_rows_leave_what_changed(client: TestClient) -> None:
    rows = seen_ids(client.get("/desk").text)
    form = {"token": token(client), "seen": rows[:3], "reader": "M.  Okafor", "back": "/desk?q=a"}
    answer = client.post("/desk/sign-off", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/desk?q=a&signed=3"
    page = client.get("/desk?signed=3").text
    assert "3 revisions signed off." in page
    assert '<span class="person">M. Okafor</span>' in page
    assert seen_ids(page) == rows[3:]
    assert f"{len(rows) - 3} alarms changed since you signed off, as of 1 Jun 2024" in page
    assert LAST_DAY.isoformat() == "2024-06-01"


def test_one_row_is_marked_and_the_result_is_said_once(client: TestClient) -> None:
    rows = seen_ids(client.get("/desk").text)
    form = {"token": token(client), "seen": rows[0], "reader": "A. Sato", "back": "/desk?signed=7"}
    assert client.post("/desk/seen", data=form).headers["location"] == "/desk?signed=1"
    assert seen_ids(client.get("/desk").text) == rows[1:]


def test_an_id_that_the_tier_does_not_know_is_left_out(client: TestClient) -> None:
    form = {"token": token(client), "seen": ["0" * 32, "made up"], "reader": "A. Sato"}
    assert client.post("/desk/sign-off", data=form).headers["location"] == "/desk?signed=0"


@pytest.mark.parametrize("path", ["sign-off", "seen", "views", "views/delete", "keys"])
def test_a_form_of_another_session_records_nothing(client: TestClient, path: str) -> None:
    rows = seen_ids(client.get("/desk").text)
    form = {"token": "0" * 64, "seen": rows, "reader": "A. Sato", "name": "n", "keys": "off"}
    answer = client.post(f"/desk/{path}", data=form)
    assert answer.status_code == 403
    assert "The form was not of this session" in answer.text
    assert seen_ids(client.get("/desk").text) == rows
    assert "tocsin_desk_keys" not in client.cookies


@pytest.mark.parametrize("reader", ["", "   "])
def test_a_name_is_asked_for(client: TestClient, reader: str) -> None:
    form = {"token": token(client), "seen": "x", "reader": reader, "back": "/desk?tab=on"}
    answer = client.post("/desk/sign-off", data=form)
    assert answer.status_code == 422
    assert "A name of 1 to 100 printable characters is needed" in answer.text


@pytest.mark.parametrize("back", ["https://example.com/", "//example.com", "/v1/signals", "x"])
def test_a_form_leads_back_to_the_desk_alone(client: TestClient, back: str) -> None:
    form = {"token": token(client), "keys": "off", "back": back}
    assert client.post("/desk/keys", data=form).headers["location"] == "/desk"


def test_views_are_saved_by_their_reader(client: TestClient) -> None:
    form = {"name": " my  morning ", "back": "/desk?tab=on&q=rv", "reader": "A. Sato"}
    saved = client.post("/desk/views", data={"token": token(client), **form})
    assert saved.headers["location"] == "/desk?tab=on&q=rv"
    assert '<a href="/desk?tab=on&amp;q=rv">my morning</a>' in client.get("/desk").text
    client.post("/desk/views/delete", data={"token": token(client), "name": "my morning"})
    assert "my morning" not in client.get("/desk").text


def test_keys_are_turned_off_for_the_browser(client: TestClient) -> None:
    assert 'data-on="1"' in client.get("/desk").text
    client.post("/desk/keys", data={"token": token(client), "keys": "off"})
    assert 'data-on="1"' not in client.get("/desk").text
    client.post("/desk/keys", data={"token": token(client), "keys": "on"})
    assert 'data-on="1"' in client.get("/desk").text
