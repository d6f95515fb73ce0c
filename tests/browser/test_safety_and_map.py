"""Safety pages and the map in a real Chromium: axe, sideways scrolling, and a statement by keys."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from schemas.alert import Alert
from schemas.subscription import Tier
from streams.core.signals.signal_key import signal_key
from tests.support.browser.axe import axe
from tests.support.browser.pictures import screenshot
from tests.support.browser.servers import serving_application
from tests.support.browser.views import NARROW, WIDE, View
from tests.support.browser.watched import NewPage
from tests.support.safety_desk import StoryDesk, desk_of_story, story

PAGES = {
    "rumours": "/desk/rumours?tab=confirmed",
    "rumours-none": "/desk/rumours?tab=refuted",
    "rumour": "/desk/rumours/RUM-1",
    "rumour-contested": "/desk/rumours/RUM-1?as_of=2024-01-31",
    "lot": "/desk/safety/EX117",
    "series": "/desk/rumours/LC-0",
    "fatal": "/desk/safety/RUM-1-ICSR",
    "sport": "/desk/safety/ATH-1",
    "map": "/desk/map",
    "map-empty": "/desk/map?as_of=2019-01-01",
    "map-found": "/desk/map?q=exo&low=-1&high=3",
    "product": "/desk/map/products/msc-supernatant-exosome",
    "event": "/desk/map/events/sepsis",
}
TIERS = {
    "rumours": "/desk/rumours",
    "class": "/desk/safety/msc-supernatant-exosome",
}
DRUGS = [f"VACCINE{i}" if i % 2 else f"V{i}" for i in range(14)]
EVENTS = [
    f"Mental retardation severity unspecified, grade {i}" if i % 3 else f"Rash {i}"
    for i in range(20)
]
SIZES = [View(size.width, size.height, dark=dark) for size in (WIDE, NARROW) for dark in (0, 1)]


def with_host(application: Any) -> Any:
    """Return an application whose requests have the host that the desk answers."""

    async def answered(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [item for item in scope["headers"] if item[0] != b"host"]
            scope = {**scope, "headers": [*headers, (b"host", b"desk")]}
        await application(scope, receive, send)

    return answered


def served(desk: StoryDesk) -> Any:
    return serving_application(with_host(desk.client.app))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(desk_of_story(tmp_path_factory.mktemp("desk"), with_background=True)) as address:
        yield address


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A desk with a signal of 14 products with each of 20 events."""
    desk = desk_of_story(tmp_path_factory.mktemp("desk"), with_background=True)
    alert = next(one for one in story(with_background=True).published if isinstance(one, Alert))
    day = date(2024, 5, 18)
    with desk.desk.service.model() as model, model.batch():
        for number, (drug, event) in enumerate(product(DRUGS, EVENTS)):
            statistics = alert.statistics.model_copy(
                update={
                    "ic_lower": (number % 9 - 2) / 2,
                    "ic_adjusted": number % 13 / 3 - 1,
                    "log_e_value_blocked": float(number % 17),
                }
            )
            copy = alert.model_copy(
                update={
                    "signal_key": signal_key(drug, event, "cumulative"),
                    "alert_id": f"crowded{number}",
                    "drug": drug,
                    "event": event,
                    "evaluated_on": day - timedelta(days=number % 120),
                    "statistics": statistics,
                    "n_serious": alert.counts.n_observed,
                }
            )
            model.put(copy, source="alerts", position=1_000 + number)
    with served(desk) as address:
        yield address


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("desk")
    with served(desk_of_story(folder, tier=Tier.PUBLIC, with_background=True)) as address:
        yield address


def checked(page: Page, address: str, name: str) -> None:
    """Require that a page has no finding of axe and does not scroll sideways; take its picture."""
    page.goto(address)
    screenshot(page, name)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{address}: scrolls sideways by {wide} px"
    axe(page)


@pytest.mark.parametrize("view", SIZES, ids=str)
def test_pages_have_no_finding(authority: str, new_page: NewPage, view: View) -> None:
    page = new_page(view)
    for name, path in PAGES.items():
        checked(page, authority + path, name)


@pytest.mark.parametrize("view", SIZES, ids=str)
def test_a_crowded_map_has_no_finding(crowded: str, new_page: NewPage, view: View) -> None:
    page = new_page(view)
    checked(page, f"{crowded}/desk/map", "map-crowded")
    checked(page, f"{crowded}/desk/map/events/{EVENTS[0]}?as_of=2024-05-19", "event-crowded")


def test_pages_have_no_finding_in_japanese(authority: str, new_page: NewPage) -> None:
    page = new_page(WIDE)
    for name in ("rumours", "rumour", "lot", "series", "map", "product"):
        address = PAGES[name]
        checked(page, f"{authority}{address}{'&' if '?' in address else '?'}lang=ja", f"{name}-ja")


@pytest.mark.parametrize("view", SIZES[:1] + SIZES[-1:], ids=str)
def test_public_pages_have_no_finding(public: str, new_page: NewPage, view: View) -> None:
    page = new_page(view)
    for name, path in TIERS.items():
        checked(page, public + path, f"public-{name}")


def test_a_statement_is_added_by_keyboard_alone(
    tmp_path_factory: pytest.TempPathFactory, new_page: NewPage
) -> None:
    with served(desk_of_story(tmp_path_factory.mktemp("desk"))) as address:
        page = new_page(WIDE)
        page.goto(f"{address}/desk/rumours/LC-0")
        page.locator("#reporter").focus()
        for typed in ("So", "", "Den", "society's letter"):  # each in its field; the role is empty
            page.keyboard.type(typed)
            page.keyboard.press("Tab")
        page.get_by_role("button", name="Name the state that would follow").press("Enter")
        expect(page.locator(".follows")).to_contain_text("the state would be: contested.")
        screenshot(page, "statement-named")
        axe(page)
        page.get_by_role("button", name="Add to the ledger").press("Enter")
        expect(page.locator(".done")).to_contain_text("was added to the ledger")
        expect(page.locator(".ledger > li").last).to_contain_text("Denies it.")
        screenshot(page, "statement-added")
        axe(page)
