"""A worklist of many signals while revisions arrive: nothing moves, and the count is right."""

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from playwright.sync_api import Page, expect

from streams.delivery.api.service import Service
from tests.support.api_server import service_in
from tests.support.browser.axe import axe
from tests.support.browser.hand import row_under, wheel
from tests.support.browser.numbers import numbers
from tests.support.browser.pictures import screenshot
from tests.support.browser.servers import serving_application
from tests.support.browser.views import NARROW, WIDE, View
from tests.support.browser.watched import NewPage
from tests.support.many_signals import desk_app, desk_of, fill, many_signals, next_revision, store

SIGNALS = 5_000
SECONDS = float(os.environ.get("TOCSIN_LIVE_SECONDS", "8"))  # a minute by hand, less in CI
A_SECOND, BATCH = 200, 20  # revisions


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = service_in(tmp_path)
    fill(service, SIGNALS)
    return service


@pytest.fixture
def address(service: Service) -> Iterator[str]:
    with serving_application(desk_app(desk_of(service))) as address:
        yield address


class Arriving:
    """Stores revisions at a steady rate; `n` of them so far."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ended = Event()
        self.n = 0

    def run(self) -> None:
        copies = itertools.cycle(list(many_signals(SIGNALS)))
        begun = time.monotonic()
        with self._service.model() as model:
            for number in itertools.count(1):
                batch = [next_revision(next(copies), number) for _ in range(BATCH)]
                store(model, batch)
                self.n += BATCH
                due = begun + self.n / A_SECOND
                if self._ended.wait(max(0.0, due - time.monotonic())):
                    return

    def end(self) -> None:
        self._ended.set()


@contextmanager
def arriving(service: Service) -> Iterator[Arriving]:
    revisions = Arriving(service)
    thread = Thread(target=revisions.run)
    thread.start()
    try:
        yield revisions
    finally:
        revisions.end()
        thread.join()


def test_the_row_under_the_hand_does_not_move(service: Service, address: str, page: Page) -> None:
    page.goto(f"{address}/desk?tab=on")
    page.wait_for_selector("#rows tr.row")
    with arriving(service) as revisions:
        end = time.monotonic() + SECONDS
        places = set()
        while time.monotonic() < end:
            wheel(page, 700)
            before = row_under(page)
            page.wait_for_timeout(350)
            assert row_under(page) == before
            places.add(before)
        assert len(places) >= 3
    shown = [int(row.get_attribute("data-place") or -1) for row in page.locator("tr.row").all()]
    assert shown == list(range(shown[0], shown[0] + len(shown)))
    assert len(shown) <= 400
    live = page.locator("#live")
    expect(live).to_contain_text(f"{revisions.n:,} newer revisions are there", timeout=10_000)


def test_a_newer_revision_is_marked_and_called_in(
    service: Service, address: str, page: Page
) -> None:
    page.goto(f"{address}/desk?tab=on")
    page.keyboard.press("j")
    page.keyboard.press("j")
    row = page.locator("tr.sel")
    key = row.get_attribute("data-key")
    offset = row.evaluate("row => row.getBoundingClientRect().top")
    shown = numbers(row.inner_text())
    copy = next(one for one in many_signals(SIGNALS) if one["signal_key"] == key)
    with service.model() as model:
        store(model, [next_revision(copy, 1)])
    expect(page.locator("#live")).to_contain_text("1 newer revision is there")
    expect(page.locator("#spoken")).to_contain_text("1 newer revision is there")
    expect(row.locator(".newer")).to_be_visible()
    assert numbers(row.inner_text()) == shown
    assert row.evaluate("row => row.getBoundingClientRect().top") == offset
    axe(page)
    screenshot(page, "worklist-live", full=False)
    time.sleep(1.1)  # the desk reads once a second
    page.keyboard.press("r")
    expect(page.locator("#live")).to_be_hidden()
    row = page.locator("tr.sel")
    assert row.get_attribute("data-key") == key
    cases = numbers(row.locator(".num").first.inner_text())
    assert cases[-1] == copy["counts"]["n_observed"] + 1
    assert row.evaluate("row => row.getBoundingClientRect().top") == pytest.approx(offset, abs=1)


def test_the_end_of_the_list_is_reached_at_once(address: str, page: Page) -> None:
    page.goto(f"{address}/desk?tab=on")
    total = int(page.locator("#list").get_attribute("data-rows") or 0)
    assert page.locator("#list").get_attribute("aria-rowcount") == str(total + 1)
    page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    page.wait_for_function("() => Number(document.querySelector('tr.row').dataset.place) > 1000")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = page.locator(f"tr.row[data-place='{total - 1}']")
    expect(last).to_be_attached(timeout=10_000)
    assert last.get_attribute("aria-rowindex") == str(total + 1)
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator("tr.row[data-place='0']")).to_be_in_viewport(timeout=10_000)


@pytest.mark.parametrize("view", [WIDE, NARROW], ids=str)
def test_long_names_are_folded_and_shown_in_hand(
    service: Service, address: str, new_page: NewPage, view: View
) -> None:
    copy = next(iter(many_signals(1)))
    names = {"event": "Long name " * 30, "drug": "Substance" * 40}
    with service.model() as model:
        store(model, [next_revision(copy, 1) | names])
    time.sleep(1.1)  # the desk reads once a second
    page = new_page(view)
    page.goto(f"{address}/desk?tab=on&q=substance")
    row = page.locator("#rows tr.row")
    sub = row.locator(".sub").first
    assert sub.evaluate("sub => sub.scrollHeight > sub.clientHeight")
    assert sub.inner_text() == names["drug"]
    assert page.evaluate("document.documentElement.scrollWidth") <= view.width
    axe(page)
    screenshot(page, "worklist-long-names")
    row.locator(".what a").focus()
    assert sub.evaluate("sub => sub.scrollHeight <= sub.clientHeight")
