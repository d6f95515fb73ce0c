"""Pages whose every fault fails the test: console, errors, foreign requests, status 500."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Error, Page

from tests.support.browser.views import View, context_of

__all__ = ["Faults", "NewContext", "NewPage", "watched_context", "watched_page"]

# Addresses that name no host: nothing is requested for them.
WITHOUT_HOST = ("about:", "blob:", "data:")


class NewContext(Protocol):
    """The fixture `new_context`."""

    def __call__(self, view: View = ..., **options: Any) -> BrowserContext: ...


class NewPage(Protocol):
    """The fixture `new_page`."""

    def __call__(self, view: View = ..., **options: Any) -> Page: ...


class Faults:
    """Faults of the pages of one test, each a line that says which page and what happened."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._expected: list[str] = []

    def add(self, page: str, fault: str) -> None:
        self._seen.append(f"{page}: {fault}")

    def expect(self, pattern: str) -> None:
        """Allow faults that match a regular expression; it is an error if none does.

        A page of an error is requested on purpose, and Chromium writes its status to the console.
        """
        self._expected.append(pattern)

    def require_none(self) -> None:
        """Raise AssertionError with every fault that is not expected."""
        unexpected = [
            fault
            for fault in self._seen
            if not any(re.search(pattern, fault) for pattern in self._expected)
        ]
        missing = [
            f"expected and not seen: {pattern}"
            for pattern in self._expected
            if not any(re.search(pattern, fault) for fault in self._seen)
        ]
        assert not unexpected + missing, "faults of the page:\n" + "\n".join(unexpected + missing)


class _Watch:
    """Listens to a context; the first request of it says which origin is its own."""

    def __init__(self, context: BrowserContext, faults: Faults) -> None:
        self._origin: str | None = None
        self._add = faults.add
        context.on("console", lambda message: self._console(message.page, message))
        context.on("weberror", lambda error: self._error(error.page, error.error))
        context.on("request", lambda request: self._request(request.url))
        context.on("response", lambda response: self._response(response.status, response.url))
        context.on("page", lambda page: page.on("crash", lambda it: self._add(it.url, "crashed")))

    def _console(self, page: Page | None, message: Any) -> None:
        at = message.location
        where = f"{at.get('url', '')}:{at.get('lineNumber', 0) + 1}"
        self._add(page.url if page else "?", f"console {message.type}: {message.text} ({where})")

    def _error(self, page: Page | None, error: Any) -> None:
        self._add(page.url if page else "?", f"uncaught error: {error}")

    def _request(self, url: str) -> None:
        if url.startswith(WITHOUT_HOST):
            return
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        self._origin = self._origin or origin
        if origin != self._origin:
            self._add(self._origin, f"request leaves the origin: {url}")

    def _response(self, status: int, url: str) -> None:
        if status >= 500:
            self._add(url, f"response {status}")


@contextmanager
def watched_context(
    browser: Browser, view: View, faults: Faults, **options: Any
) -> Iterator[BrowserContext]:
    """Open a context whose pages add their faults. A violation of the CSP is on the console."""
    with context_of(browser, view, **options) as context:
        _Watch(context, faults)
        yield context
        for page in context.pages:
            with suppress(Error):  # closed, or on its way to another page
                page.wait_for_load_state()
                page.evaluate("0")  # returns after what the page has sent before


@contextmanager
def watched_page(browser: Browser, view: View, **options: Any) -> Iterator[Page]:
    """Open one page; at the end, raise AssertionError if it had a fault."""
    faults = Faults()
    with watched_context(browser, view, faults, **options) as context:
        yield context.new_page()
    faults.require_none()
