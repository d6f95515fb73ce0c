"""Operations, subscriptions and audit in a browser: every state, without a finding of axe."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from starlette.types import Receive, Scope, Send

from schemas.subscription import DigestPeriod
from streams.console.application import desk_application
from streams.console.operations.rejects import KeptRejects
from streams.console.operations.workers import StageState, Workers
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.runtime.observability.readiness import Phase
from streams.runtime.operations.redrive import Redrive
from tests.support.alerts import safety, signal, subscription
from tests.support.api_server import NOW, feed
from tests.support.assessments import decided
from tests.support.browser.axe import axe
from tests.support.browser.pictures import screenshot
from tests.support.browser.servers import serving_application
from tests.support.browser.views import MIDDLE, NARROW, WIDE, View
from tests.support.browser.watched import NewPage
from tests.support.desk import HOST, Site
from tests.support.operations import REJECTS, replayed_site

PAGES = {
    "operations": "/desk/operations",
    "rejected": "/desk/operations/rejected?rule=DAY+must+be+a+day",
    "subscriptions": "/desk/subscriptions?open=mine",
    "new-subscription": "/desk/subscriptions/new?preview=1",
    "refused-filters": "/desk/subscriptions/new?preview=1&jurisdictions=Japan",
    "audit": "/desk/audit",
}
VIEWS = [
    View(size.width, size.height, dark=dark) for size in (WIDE, NARROW) for dark in (False, True)
]


class Rejected(KeptRejects):
    """Rejects that can be redriven."""

    def redrive(self, rule: str, *, dry_run: bool) -> Redrive:
        return Redrive(Counter({"as it was": 2}), Counter({"DAY must be a day": 1}))


class Restoring(Workers):
    """Workers of which one restores its state, and one does not answer."""

    def stages(self) -> list[StageState]:
        one, other = "http://worker1:9100", "http://worker2:9100"
        return [
            StageState(one, "cases", Phase.ACTIVE),
            StageState(one, "detector", Phase.RESTORING, 0.634),
            StageState(other, "", None, why="no answer: timed out"),
        ]


def served(site: Site) -> Any:
    """Return the application of a site for a browser, which asks another host of it."""
    application = desk_application(site.desk)

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", HOST.encode()), *others]
        await application(scope, receive, send)

    return asked


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    folder: Path = tmp_path_factory.mktemp("operations")
    rejects = Rejected()
    for reject in REJECTS:
        rejects.add(reject)
    found = replayed_site(folder, rejects=rejects, workers=Restoring([]))
    days = [(n, NOW.date() - timedelta(days=n * n // 4)) for n in range(3, 17)]
    rash = [signal(drug=f"drug {n}", event="Rash", n=n) for n, _ in days]
    feed(
        found.service,
        [
            one.model_copy(update={"evaluated_on": day})
            for one, (_, day) in zip(rash, days, strict=True)
        ],
    )
    feed(found.service, [safety(subject="EX118").model_copy(update={"evaluated_on": NOW.date()})])
    decided(folder / "audit.jsonl")
    with found.service.outbox() as outbox:
        weekly = subscription(name="weekly").model_copy(
            update={"subscriber": "M. Okafor", "digest": DigestPeriod.WEEKLY}
        )
        outbox.subscribe(weekly)
        outbox.put(signal(drug="C"), source="b", position=1, now=NOW)
        for due in outbox.due(NOW):
            outbox.record(due, Attempt(SendOutcome.FAILED, "status 503"), NOW)
        outbox.pause("theirs", "gone: status 410", "PMDA")
    with serving_application(served(found)) as address:
        yield found, address


def named(page: Page, address: str) -> None:
    """State a name, as a reader of loopback does once."""
    page.goto(f"{address}/desk/subscriptions")
    page.get_by_label("Your name").fill("M. Okafor")
    page.get_by_role("button", name="Use this name").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("subscription")


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_every_page_is_without_a_finding_and_does_not_pan(
    site: tuple[Site, str], new_page: NewPage, view: View, faults: Any
) -> None:
    _, address = site
    faults.expect(r"status of 422")  # of the refused filters
    page = new_page(view)
    page.goto(f"{address}/desk/subscriptions")
    axe(page)
    screenshot(page, "subscriptions-who")
    named(page, address)
    for name, path in PAGES.items():
        page.goto(address + path)
        axe(page)
        screenshot(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= view.width, name


def test_pages_are_japanese_without_a_finding(site: tuple[Site, str], new_page: NewPage) -> None:
    _, address = site
    page = new_page(MIDDLE)
    named(page, address)
    for name, path in PAGES.items():
        if name == "refused-filters":
            continue
        page.goto(f"{address}{path}{'&' if '?' in path else '?'}lang=ja")
        assert page.locator("html").get_attribute("lang") == "ja"
        axe(page)
        screenshot(page, f"{name}-ja")
        assert page.evaluate("document.documentElement.scrollWidth") <= MIDDLE.width, name


def test_a_subscription_is_made_in_four_clicks_after_its_preview(
    site: tuple[Site, str], new_page: NewPage
) -> None:
    found, address = site
    page = new_page(WIDE)
    named(page, address)
    page.get_by_role("link", name="New subscription").click()
    assert page.get_by_role("button", name="Save the subscription").count() == 0
    page.get_by_label("Event terms, one a line").fill("Rash")
    page.get_by_role("button", name="Draw the preview").click()
    lede = page.locator(".brought .lede").inner_text()
    assert re.match(r"14 alerts in 90 days", lede), lede
    page.get_by_label("Name: letters, digits, - and _").fill("rash")
    page.get_by_label("Webhook, signed").check()
    page.get_by_label("Address of the webhook (https)").fill("https://receiver.example/hook")
    page.get_by_role("button", name="Save the subscription").click()
    expect(page.get_by_role("status")).to_contain_text("rash is saved.")
    expect(page.locator(".once code")).to_contain_text("whsec_")
    screenshot(page, "subscriptions-key")
    page.reload()
    assert page.locator(".once").count() == 0
    page.get_by_role("button", name="Pause rash").click()
    expect(page.get_by_role("status")).to_contain_text("rash is paused.")
    page.get_by_role("button", name="Remove rash").click()
    expect(page.get_by_role("status")).to_contain_text("rash is removed.")
    with found.service.outbox() as outbox:
        assert outbox.statuses("rash") == []


def test_a_redrive_is_three_steps(site: tuple[Site, str], new_page: NewPage) -> None:
    _, address = site
    page = new_page(WIDE)
    page.goto(f"{address}/desk/operations")
    page.get_by_role("link", name="Open the rejects").click()
    page.get_by_role("link", name="Dry run DAY must be a day").click()
    page.get_by_label("To confirm, type the number 2").fill("2")
    page.get_by_role("button", name="Redrive 2 messages").click()
    expect(page.get_by_role("status")).to_contain_text("2 messages were redriven.")
    axe(page)


def test_a_delivery_is_resumed_and_paused(site: tuple[Site, str], new_page: NewPage) -> None:
    _, address = site
    page = new_page(WIDE)
    page.goto(f"{address}/desk/operations")
    page.get_by_role("button", name="Resume theirs").click()
    expect(page.get_by_role("status")).to_contain_text("theirs is resumed.")
    page.get_by_role("button", name="Pause theirs").click()
    expect(page.get_by_role("status")).to_contain_text("theirs is paused by the operator.")
    screenshot(page, "operations-paused")


def test_a_broken_log_says_so(tmp_path: Path, new_page: NewPage) -> None:
    found = Site.of(tmp_path, [signal()])
    decided(tmp_path / "audit.jsonl")
    log = tmp_path / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b"read the reports", b"read no reports."))
    with serving_application(served(found)) as address:
        page = new_page(WIDE)
        page.goto(f"{address}/desk/audit")
        expect(page.get_by_role("alert")).to_contain_text("The log of decisions is broken")
        axe(page)
        screenshot(page, "audit-broken")


def test_what_is_empty_says_what_would_be_there(tmp_path: Path, new_page: NewPage) -> None:
    found = replayed_site(tmp_path, rejects=KeptRejects(), suppressed=None)
    with found.service.outbox() as outbox:
        outbox.unsubscribe("mine", "M. Okafor")
        outbox.unsubscribe("theirs", "PMDA")
    with serving_application(served(found)) as address:
        page = new_page(WIDE)
        named(page, address)
        for name in ("operations", "operations/rejected", "subscriptions"):
            page.goto(f"{address}/desk/{name}")
            axe(page)
            screenshot(page, f"empty-{name.replace('/', '-')}")
