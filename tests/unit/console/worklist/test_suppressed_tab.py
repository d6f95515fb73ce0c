"""The tab of suppressed changes: every reason has words, counts are by reason."""

from datetime import date

import pytest
from starlette.testclient import TestClient

from schemas.suppressed import Suppressed, SuppressionReason
from streams.console.frame.texts import texts_in
from streams.console.suppressed_changes import SuppressedChanges
from streams.core.wording.catalogue import Language
from streams.delivery.api.service import Service
from tests.support.many_signals import desk_app, desk_of, many_signals

KEYS = [copy["signal_key"] for copy in many_signals(130)]
LOT = "lot:ex117|event 1|cumulative"


def change(key: str, reason: SuppressionReason, told_as: str | None = None) -> Suppressed:
    return Suppressed(
        signal_key=key,
        told_as=told_as,
        evaluated_on=date(2024, 5, 30),
        reason=reason,
        revision=1,
        n_observed=1_234,
        n_published=1_200,
    )


@pytest.fixture
def client(service: Service) -> TestClient:
    changes = SuppressedChanges()
    for key in KEYS:
        changes.add(change(key, SuppressionReason.FEW_MORE_CASES))
    changes.add(change(LOT, SuppressionReason.SAME_CASES, told_as=KEYS[7]))
    return TestClient(desk_app(desk_of(service, suppressed=changes)))


def test_counts_by_reason_stand_on_top(client: TestClient) -> None:
    page = client.get("/desk?tab=suppressed").text
    assert "131 changes were suppressed" in page
    assert "<span>too few more cases</span><strong>130</strong>" in page
    assert "<span>same cases as a published signal</span><strong>1</strong>" in page
    assert "aged" not in page


def test_a_change_names_the_published_signal(client: TestClient) -> None:
    page = client.get("/desk", params={"tab": "suppressed", "q": "ex117"}).text
    assert "1 change was suppressed" in page
    assert "products of lot ex117" in page
    assert "Event 1, product 1-2" in page
    assert f'/desk/signals/{KEYS[7].replace("|", "%7C").replace(" ", "%20")}"' in page
    assert "1,234 / 1,200" in page


def test_a_hundred_are_shown_at_a_time(client: TestClient) -> None:
    first = client.get("/desk?tab=suppressed").text
    assert first.count('<tr class="row">') == 100
    assert "first=100" in first
    assert client.get("/desk?tab=suppressed&first=100").text.count('<tr class="row">') == 31


@pytest.mark.parametrize("language", list(Language))
def test_every_reason_has_words(language: Language) -> None:
    t = texts_in(language)
    words = {t(f"worklist.suppressed_{reason}") for reason in SuppressionReason}
    assert len(words) == len(SuppressionReason)
