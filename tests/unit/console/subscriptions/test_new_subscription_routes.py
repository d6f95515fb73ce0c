"""A new subscription: the preview counts what the API counts, and saving needs its preview."""

import html
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from schemas.subscription import Filters, Stream, Subscription, Tier, Webhook
from streams.console.access.visits import VisitKind
from streams.console.subscriptions.filters_form import canonical
from streams.console.subscriptions.new_subscription_routes import calendar_of
from streams.delivery.api.subscriptions.previews import PreviewedAlerts, preview_of
from streams.delivery.api.tokens import Scope
from streams.delivery.sending.signing_keys import derived_key
from tests.support.alerts import KEY, safety, signal
from tests.support.desk import Site, token_in

PAGE = "/desk/subscriptions/new"
LATEST = date(2024, 1, 1)


def _alerts() -> list[Any]:
    lot = safety().model_copy(update={"evaluated_on": LATEST - timedelta(days=9)})
    old = signal(drug="old").model_copy(update={"evaluated_on": LATEST - timedelta(days=91)})
    return [old, lot, *(signal(drug=f"drug {number}") for number in range(12))]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.of(tmp_path, _alerts())


def hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of the form that saves."""
    form = page[page.index('aria-labelledby="h-save"') :]
    return {
        name: html.unescape(value)
        for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
    }


def drawn(browser: TestClient, query: str = "") -> dict[str, str]:
    answer = browser.get(f"{PAGE}?preview=1{query}")
    assert answer.status_code == 200, answer.text
    return hidden(answer.text)


def wanted(tier: Tier = Tier.AUTHORITY, **filters: Any) -> Subscription:
    return Subscription(
        subscription_id="s",
        subscriber="M. Okafor",
        tier=tier,
        channel=Stream(),
        filters=Filters(**filters),
    )


@pytest.mark.parametrize(
    ("query", "filters", "number"),
    [
        ("", {}, 13),
        ("&categories=SDR", {"categories": ("SDR",)}, 12),
        ("&products=drug+1%0D%0ADrug+2", {"products": ("drug 1", "Drug 2")}, 2),
        ("&urgent_only=1", {"urgent_only": True}, 1),
    ],
)
def test_the_preview_counts_what_the_api_counts(
    site: Site, query: str, filters: dict[str, Any], number: int
) -> None:
    page = site.browser().get(f"{PAGE}?preview=1{query}").text
    found = preview_of(site.service, wanted(**filters))
    assert len(found.copies) == number
    assert re.search(rf"\b{number} alerts? in 90 days", page)
    cells = re.findall(r'<td class="q\d">(\d+)</td>', page)
    assert sum(map(int, cells)) == number
    assert len(cells) == 90
    examples = page[page.index('id="h-examples"') :]
    assert examples.count("<li>") == min(10, number - sum(c["urgent"] for c in found.copies))


def test_urgent_ones_stand_apart(site: Site) -> None:
    page = site.browser().get(f"{PAGE}?preview=1").text
    urgent = page[page.index('id="h-urgent"') : page.index('id="h-examples"')]
    assert "1 urgent alert<" in urgent
    assert "LOT_CLUSTER%7CEX117" in urgent
    assert "LOT_CLUSTER%7CEX117" not in page[page.index('id="h-examples"') :]


def test_there_is_nothing_to_save_before_the_preview(site: Site) -> None:
    page = site.browser().get(f"{PAGE}?products=drug+1").text
    assert "h-save" not in page
    assert "drug 1</textarea>" in page


def test_it_is_saved_with_the_filters_of_its_preview(site: Site) -> None:
    browser = site.browser()
    fields = drawn(browser, "&products=drug+1") | {"name": "mine", "channel": "stream"}
    answer = browser.post(PAGE, data=fields)
    assert answer.status_code == 303, answer.text
    with site.service.outbox() as outbox:
        (status,) = outbox.statuses()
    assert status.subscription == wanted(products=("drug 1",)).model_copy(
        update={"subscription_id": "mine"}
    )
    assert status.waiting == 0
    assert "mine is saved." in browser.get(answer.headers["location"]).text
    assert site.visits()[-2].kind is VisitKind.CHANGED
    assert browser.post(PAGE, data=fields).status_code == 409


def test_it_may_begin_with_what_the_preview_shows(site: Site) -> None:
    browser = site.browser()
    fields = drawn(browser, "&categories=SDR") | {"name": "mine", "begin": "preview"}
    assert browser.post(PAGE, data=fields).status_code == 303
    with site.service.outbox() as outbox:
        (status,) = outbox.statuses()
    assert status.waiting == 12


def test_other_filters_or_another_session_need_their_own_preview(site: Site) -> None:
    browser = site.browser()
    fields = drawn(browser, "&products=drug+1") | {"name": "mine"}
    other = fields | {"filters": canonical(Filters(products=("drug 2",)))}
    unsealed = fields | {"seal": "0"}
    forged = fields | {"token": "0"}
    for changed in (other, unsealed, forged):
        assert browser.post(PAGE, data=changed).status_code == 403
    stranger = site.browser()
    token = token_in(stranger.get("/desk/subscriptions/new?preview=1").text)
    assert stranger.post(PAGE, data=fields | {"token": token}).status_code == 403
    with site.service.outbox() as outbox:
        assert outbox.statuses() == []


def test_the_key_of_a_webhook_is_shown_once(site: Site) -> None:
    browser = site.browser()
    form = {"name": "hook", "channel": "webhook", "url": "https://receiver.example/hook"}
    answer = browser.post(PAGE, data=drawn(browser) | form)
    with site.service.outbox() as outbox:
        (status,) = outbox.statuses()
    assert isinstance(status.subscription.channel, Webhook)
    key = derived_key(status.subscription, 1, key=KEY)
    assert key in html.unescape(browser.get(answer.headers["location"]).text)
    assert key not in html.unescape(browser.get(answer.headers["location"]).text)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": "a b"}, "subscription_id"),
        ({"name": "x", "channel": "webhook", "url": "http://receiver.example/"}, "url: "),
        ({"name": "x", "channel": "webhook", "url": "https://127.0.0.1/"}, "public address"),
        ({"name": "x", "begin": "preview", "before_first": "0" * 32}, "after: must be a cursor"),
        ({"name": "x", "digest": "hourly"}, "hourly"),
    ],
)
def test_what_could_never_be_sent_is_refused(site: Site, form: dict[str, str], words: str) -> None:
    browser = site.browser()
    answer = browser.post(PAGE, data=drawn(browser) | form)
    assert answer.status_code == 422
    assert words in html.unescape(answer.text)
    assert "Nothing was changed." in answer.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("&kinds=newer", "kinds"),
        ("&jurisdictions=Japan", "jurisdictions"),
        ("&families=infektion", "families"),
        ("&grades=red", "grades"),
        ("&min_priority=top", ""),
        (f"&products={'x' * 30_000}", ""),
    ],
)
def test_filters_that_no_alert_passes_are_refused_at_their_field(
    site: Site, query: str, field: str
) -> None:
    answer = site.browser().get(f"{PAGE}?preview=1{query}")
    assert answer.status_code == 422
    assert "These filters are refused" in answer.text
    assert field in answer.text[answer.text.index("filter-error") :]
    assert "h-save" not in answer.text


def test_each_tier_previews_its_own_copies(tmp_path: Path) -> None:
    site = Site.of(tmp_path, _alerts(), gated=True)
    public = site.signed_in("A", Tier.PUBLIC)
    page = public.get(f"{PAGE}?preview=1").text
    assert "Days are withheld at the public tier." in page
    assert "EX117" not in page
    assert "2024-01-01" not in page
    for name in ("grades", "rules", "min_priority"):
        assert f'name="{name}"' not in page
        assert f'name="{name}"' in site.signed_in("B").get(f"{PAGE}?preview=1").text
    assert public.get(f"{PAGE}?preview=1&rules=ema").status_code == 422
    fields = drawn(public) | {"name": "mine"}
    fields["filters"] = json.dumps(json.loads(fields["filters"]) | {"rules": ["ema"]})
    assert public.post(PAGE, data=fields).status_code == 403
    consumer = site.signed_in("C", Tier.CONSUMER).get(f"{PAGE}?preview=1").text
    assert "EX117" not in consumer
    with site.service.outbox() as outbox:
        assert outbox.statuses() == []


def test_what_a_reader_saves_is_of_the_readers_token(tmp_path: Path) -> None:
    site = Site.of(tmp_path, _alerts(), gated=True)
    browser = site.signed_in("A", Tier.CONSUMER)
    assert browser.post(PAGE, data=drawn(browser) | {"name": "mine"}).status_code == 303
    with site.service.tokens() as tokens:
        tokens.of_reader("A", Tier.PUBLIC, frozenset({Scope.ALERTS_READ}), site.service.now())
    with site.service.outbox() as outbox:
        (status,) = outbox.statuses()
    assert status.subscription.tier is Tier.CONSUMER
    assert status.paused is not None
    assert "is of the public tier now" in status.paused


def test_without_the_right_to_read_there_is_no_preview(tmp_path: Path) -> None:
    site = Site.of(tmp_path, _alerts(), gated=True)
    blind = site.signed_in("A", scopes={Scope.SUBSCRIPTIONS_WRITE})
    answer = blind.get(f"{PAGE}?preview=1")
    assert (answer.status_code, "h-save" in answer.text) == (422, False)
    no_right = site.signed_in("B", scopes={Scope.ALERTS_READ})
    assert no_right.get(f"{PAGE}?preview=1").status_code == 303


def test_webhooks_need_the_installations_key(tmp_path: Path) -> None:
    site = Site.of(tmp_path, _alerts(), keeps_key=False)
    page = site.browser().get(f"{PAGE}?preview=1").text
    assert 'value="webhook"' not in page
    assert "TIER_KEY" in page


def test_a_calendar_has_whole_weeks_and_no_number_outside_the_preview() -> None:
    copies = ({"evaluated_on": "2024-01-01"}, {"evaluated_on": "2024-01-01"})
    found = PreviewedAlerts(date(2023, 12, 28), date(2024, 1, 2), copies, "", "")
    weeks = calendar_of(found)
    assert [week[0].day for week in weeks] == [date(2023, 12, 25), date(2024, 1, 1)]
    numbers = [[one.n for one in week] for week in weeks]
    assert numbers == [[None, None, None, None, 0, 0, 0], [2, 0, None, None, None, None, None]]
    assert [one.step for one in weeks[1]][:2] == [4, 0]
