"""Addresses of the worklist that read: pages, windows of rows, the inside of a row."""

import re

import pytest
from starlette.testclient import TestClient

from schemas.subscription import Tier
from streams.delivery.api.service import Service
from tests.support.alerts import safety, signal
from tests.support.api_server import service_in
from tests.support.many_signals import LAST_DAY, desk_app, desk_of, many_signals

WEEK = "25 May 2024"
COPIES = {copy["signal_key"]: copy for copy in many_signals(300)}


def keys(html: str) -> list[str]:
    return re.findall(r'data-key="([^"]+)"', html)


def test_the_page_opens_on_the_alarms_of_the_last_week(client: TestClient) -> None:
    page = client.get("/desk")
    assert page.status_code == 200
    found = keys(page.text)
    expected = {
        key
        for key, copy in COPIES.items()
        if copy["evaluated_on"] > "2024-05-25" and copy["grade"] == "alarm"
    }
    assert set(found) == expected
    assert f"{len(expected)} alarms changed since {WEEK}" in page.text
    assert "You have not signed off yet" in page.text


def test_the_day_of_the_address_overrides_it(client: TestClient) -> None:
    page = client.get("/desk?since=2024-06-01")
    assert not keys(page.text)
    assert "No alarm changed after 1 Jun 2024." in page.text
    assert "You have not signed off yet" not in page.text
    assert LAST_DAY.isoformat() == "2024-06-01"


def test_windows_of_rows_join_without_gap_or_overlap(client: TestClient) -> None:
    first = keys(client.get("/desk?tab=on").text)
    assert len(first) == 100
    second = keys(client.get("/desk/rows", params={"tab": "on", "after": first[-1]}).text)
    third = keys(client.get("/desk/rows", params={"tab": "on", "after": second[-1]}).text)
    whole = first + second + third
    assert set(whole) == COPIES.keys()
    assert len(whole) == len(COPIES)
    before = client.get("/desk/rows", params={"tab": "on", "before": third[0], "n": 30})
    assert keys(before.text) == second[-30:]
    assert keys(client.get("/desk/rows?tab=on&first=120&n=5").text) == whole[120:125]
    assert keys(client.get("/desk/rows", params={"tab": "on", "before": first[0]}).text) == []
    page = client.get("/desk", params={"tab": "on", "after": first[-1]})
    assert keys(page.text) == second


def test_rows_have_their_place_in_the_whole(client: TestClient) -> None:
    html = client.get("/desk?tab=on").text
    assert 'aria-rowcount="301"' in html
    places = re.findall(r'data-place="(\d+)" aria-rowindex="(\d+)"', html)
    assert places == [(str(place), str(place + 2)) for place in range(100)]


@pytest.mark.parametrize("n", ["0", "101", "all"])
def test_a_window_has_at_most_a_hundred_rows(client: TestClient, n: str) -> None:
    assert client.get(f"/desk/rows?n={n}").status_code == 422


def test_the_inside_of_a_row_is_a_part_of_a_page(client: TestClient) -> None:
    key, copy = next(iter(COPIES.items()))
    part = client.get("/desk/inside", params={"key": key})
    assert part.text.startswith('<div class="peekgrid">')
    assert copy["caveat"] in part.text
    assert client.get("/desk/inside?key=none").status_code == 404
    page = client.get("/desk", params={"tab": "on", "q": copy["drug"], "open": key})
    assert page.text.count('<div class="peekgrid">') == 1
    assert 'aria-expanded="true"' in page.text


def test_suppressed_changes_of_another_server_are_said_to_be_elsewhere(client: TestClient) -> None:
    page = client.get("/desk?tab=suppressed")
    assert "This server reads published alerts alone." in page.text
    assert "tocsin replay --suppressed FILE.jsonl" in page.text


@pytest.mark.parametrize("tier", list(Tier))
def test_a_page_of_a_tier_shows_its_copies_alone(service: Service, tier: Tier) -> None:
    folder = service.model_path.parent / "other"
    folder.mkdir()
    other = service_in(folder)
    alerts = [
        signal(23, fatal=1).model_copy(update={"reason": "more cases of facility C-A"}),
        safety(subject="EX117"),
    ]
    with other.model() as model:
        for position, alert in enumerate(alerts):
            model.put(alert, source="test", position=position)
        hidden = [key for key in model.keys(Tier.AUTHORITY) if key not in model.keys(tier)]
    client = TestClient(desk_app(desk_of(other, tier=tier)))
    for address in ("/desk?tab=on", "/desk/rows?tab=on", "/desk?tab=on&lang=ja"):
        html = client.get(address).text
        assert keys(html)
        assert ("EX117" in html) == (tier is Tier.AUTHORITY)
        for key in hidden:
            assert key not in html
    html = client.get("/desk?tab=on&lang=en").text
    exact = re.search(r">23<", html) is not None
    assert exact == (tier is not Tier.PUBLIC)
    assert ("11-50" in html) == (tier is Tier.PUBLIC)
    assert ("IC [95%]" in html) == (tier is not Tier.PUBLIC)
    assert ("sort=ic" in html) == (tier is not Tier.PUBLIC)
    assert ("Decided" in html) == (tier is Tier.AUTHORITY)
    for key in hidden:
        assert client.get("/desk/inside", params={"key": key}).status_code == 404


def test_the_script_is_under_ten_kilobytes(client: TestClient) -> None:
    script = client.get("/desk/static/worklist.js")
    assert 1_000 < len(script.content) < 10_000
