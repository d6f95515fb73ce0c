"""Own subscriptions on pages: state, what waits and why, and each act with its token."""

import html
import re
from pathlib import Path

import pytest

from schemas.subscription import Stream, Subscription, Tier, Webhook
from streams.console.access.visits import VisitKind
from streams.delivery.api.tokens import Scope, reader_token_id
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.sending.signing_keys import derived_key
from tests.support.alerts import KEY, signal
from tests.support.api_server import NOW
from tests.support.desk import Site, token_in

PAGE = "/desk/subscriptions"
ACT = "/desk/subscriptions/act"
OPEN = f"{PAGE}?open=hook"


def hook(
    name: str = "hook", subscriber: str = "M. Okafor", tier: Tier = Tier.AUTHORITY
) -> Subscription:
    return Subscription(
        subscription_id=name,
        subscriber=subscriber,
        tier=tier,
        channel=Webhook(url="https://receiver.example/hook"),
    )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = Site.of(tmp_path, [])
    with found.service.outbox() as outbox:
        outbox.subscribe(hook())
        outbox.subscribe(hook("theirs", subscriber="EMA"))
        outbox.put(signal(drug="A"), source="a", position=0, now=NOW)
    return found


def test_own_ones_are_listed_with_their_state_and_no_others(site: Site) -> None:
    page = site.browser().get(PAGE).text
    assert "You have 1 subscription<" in page
    assert "theirs" not in page
    assert "active" in page


def test_without_a_name_nothing_is_listed_but_who_reads_is_asked(site: Site) -> None:
    browser = site.browser("")
    assert "Who reads?" in browser.get(PAGE).text
    assert "hook" not in browser.get(PAGE).text
    token = token_in(browser.get(PAGE).text)
    for name in ("", " ", "x" * 101, "a\x1b"):
        answer = browser.post(f"{PAGE}/reader", data={"token": token, "reader": name})
        assert answer.status_code == 422, name


def test_what_waits_stands_with_its_reason_and_next_try(site: Site) -> None:
    browser = site.browser()
    assert "Queued: sent at the next round" in browser.get(f"{PAGE}?open=hook").text
    with site.service.outbox() as outbox:
        due = next(one for one in outbox.due(NOW) if one.subscription.subscriber == "M. Okafor")
        outbox.record(due, Attempt(SendOutcome.FAILED, "status 503"), NOW)
    page = browser.get(f"{PAGE}?open=hook").text
    assert "The last attempt failed" in page
    assert page.count("status 503") == 2  # the state's reason, and the last answer
    assert "1 Jun 2024, 12:00" in page  # five seconds after
    assert "tocsin subscriptions --waiting hook" in html.unescape(page)


@pytest.mark.parametrize(
    ("act", "text"),
    [
        ("pause", "hook is paused."),
        ("resume", "hook is resumed."),
        ("rotate", "The key of hook is rotated."),
        ("remove", "hook is removed."),
    ],
)
def test_an_act_needs_its_token_and_is_logged(site: Site, act: str, text: str) -> None:
    browser = site.browser()
    form = {"name": "hook", "act": act}
    for token in ("", "0"):
        assert browser.post(ACT, data=form | {"token": token}).status_code == 403
    assert not [visit for visit in site.visits() if visit.kind is VisitKind.CHANGED]
    answer = browser.post(ACT, data=form | {"token": token_in(browser.get(OPEN).text)})
    assert answer.status_code == 303
    assert text in browser.get(answer.headers["location"]).text
    (changed,) = [visit for visit in site.visits() if visit.kind is VisitKind.CHANGED]
    assert changed.subject == f"{act} subscription 'hook' of 'M. Okafor'"
    with site.service.outbox() as outbox:
        statuses = outbox.statuses("hook")
    assert bool(statuses) == (act != "remove")
    assert all((status.paused is not None) == (act == "pause") for status in statuses)


def test_a_rotated_key_is_shown_once(site: Site) -> None:
    browser = site.browser()
    form = {"name": "hook", "act": "rotate", "token": token_in(browser.get(OPEN).text)}
    answer = browser.post(ACT, data=form)
    with site.service.outbox() as outbox:
        key = derived_key(outbox.statuses("hook")[0].subscription, 2, key=KEY)
    assert key not in answer.headers["location"]
    assert key in html.unescape(browser.get(answer.headers["location"]).text)
    assert key not in html.unescape(browser.get(answer.headers["location"]).text)


@pytest.mark.parametrize("act", ["pause", "resume", "rotate", "remove"])
def test_another_readers_is_none(site: Site, act: str) -> None:
    browser = site.browser()
    form = {"name": "theirs", "act": act, "token": token_in(browser.get(OPEN).text)}
    assert browser.post(ACT, data=form).status_code == 404
    with site.service.outbox() as outbox:
        (status,) = outbox.statuses("theirs")
    assert status.paused is None


def test_a_stream_has_no_key_to_rotate(site: Site) -> None:
    with site.service.outbox() as outbox:
        outbox.subscribe(hook().model_copy(update={"channel": Stream()}))
    browser = site.browser()
    page = browser.get(f"{PAGE}?open=hook").text
    assert 'value="rotate"' not in page
    form = {"name": "hook", "act": "rotate", "token": token_in(page)}
    assert browser.post(ACT, data=form).status_code == 409


def test_commands_do_what_the_buttons_do(site: Site) -> None:
    page = html.unescape(site.browser().get(f"{PAGE}?open=hook").text)
    acts = set(re.findall(r"tocsin subscriptions --(\w+) hook --subscriber 'M. Okafor'", page))
    assert acts == {"pause", "rotate", "remove", "waiting"}


@pytest.fixture
def gated(tmp_path: Path) -> Site:
    return Site.of(tmp_path, [], gated=True)


def test_scopes_decide_where_readers_sign_in(gated: Site) -> None:
    blind = gated.signed_in("A", scopes={Scope.ALERTS_READ})
    page = blind.get(PAGE).text
    assert "Your account may not subscribe" in page
    form = {"name": "hook", "act": "pause", "token": token_in(page)}
    assert blind.post(ACT, data=form).status_code == 403


def test_each_sees_their_own_at_their_tier(gated: Site) -> None:
    with gated.service.outbox() as outbox:
        outbox.subscribe(hook("high", "A", Tier.AUTHORITY))
        outbox.subscribe(hook("low", "A", Tier.CONSUMER))
        outbox.subscribe(hook("other", "B", Tier.CONSUMER))
    page = gated.signed_in("A", Tier.CONSUMER).get(PAGE).text
    assert ("low" in page, "?open=high" in page, "?open=other" in page) == (True, False, False)
    assert gated.service.outbox_path.name in html.unescape(
        gated.signed_in("A").get(f"{PAGE}?open=high").text
    )
    assert str(gated.service.outbox_path.parent) not in page


def test_a_revoked_reader_changes_nothing(gated: Site) -> None:
    browser = gated.signed_in("A")
    page = browser.get(PAGE).text
    with gated.service.tokens() as tokens:
        tokens.revoke(reader_token_id("A"), NOW)
    form = {"name": "hook", "act": "pause", "token": token_in(page)}
    answer = browser.post(ACT, data=form)
    assert answer.status_code == 403
    assert "The operator revoked" in answer.text
