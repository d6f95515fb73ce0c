"""Fixtures of tests of pages: one Chromium a process, a new context and a clean page a test."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.browser.chromium import launched, load_pango, without
from tests.support.browser.debian import NotInstalled
from tests.support.browser.views import WIDE, View
from tests.support.browser.watched import Faults, NewContext, NewPage, watched_context


# Not of the session: while Playwright runs, its event loop is that of the thread, and no later
# test of the process could run one.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A Chromium; where there is none and none can be installed, CI fails and others skip."""
    with sync_playwright() as playwright:
        try:
            browser = launched(playwright)
        except NotInstalled as why:
            without("Chromium", why)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pango() -> None:
    """The libraries that WeasyPrint needs for PDF."""
    try:
        load_pango()
    except NotInstalled as why:
        without("Pango", why)


@pytest.fixture
def faults() -> Faults:
    """Faults of all pages of the test, to allow those that it means to cause."""
    return Faults()


@pytest.fixture
def new_context(browser: Browser, faults: Faults) -> Iterator[NewContext]:
    """Open a context for another user: `new_context(VIEW)`; none of its pages may have a fault."""
    with ExitStack() as opened:

        def new_context(view: View = WIDE, **options: Any) -> BrowserContext:
            return opened.enter_context(watched_context(browser, view, faults, **options))

        yield new_context
    faults.require_none()


@pytest.fixture
def new_page(new_context: NewContext) -> NewPage:
    """Open a page in a context of its own: `new_page(VIEW)`."""

    def new_page(view: View = WIDE, **options: Any) -> Page:
        return new_context(view, **options).new_page()

    return new_page


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page of 1440 x 900, light; any fault of it fails the test."""
    return new_page()
