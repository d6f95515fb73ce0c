"""A Chromium for tests of pages, and Pango for PDF: found on the machine, else installed."""

import ctypes
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, Playwright

from tests.support.browser.debian import NotInstalled, install

__all__ = ["chromium_path", "launched", "load_pango", "without"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("chromium", "fonts-noto-cjk", "fonts-dejavu-core")
PANGO = ("libpango-1.0-0", "libpangoft2-1.0-0")
PANGO_LIBRARIES = ("libpango-1.0.so.0", "libpangoft2-1.0.so.0")

# Nothing but loopback has an address, so no request of a page can leave the machine.
NO_NAMES = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"


def chromium_path(playwrights_own: str) -> str:
    """Return the first Chromium: TOCSIN_CHROMIUM, Playwright's own, the machine's, Debian's.

    Raises
    ------
    NotInstalled
        If TOCSIN_CHROMIUM names no program, or none is found and none can be installed.
    """
    if chosen := os.environ.get("TOCSIN_CHROMIUM"):
        if found := shutil.which(chosen):
            return found
        msg = f"TOCSIN_CHROMIUM must name a program that can be run; got {chosen!r}"
        raise NotInstalled(msg)
    if Path(playwrights_own).is_file():
        return playwrights_own
    if found := _on_the_machine():
        return found
    install(*PACKAGES)
    if found := _on_the_machine():
        return found
    msg = f"installed {' '.join(PACKAGES)}, and none of {', '.join(NAMES)} is on the path"
    raise NotInstalled(msg)


def _on_the_machine() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def launched(playwright: Playwright) -> Browser:
    """Start the Chromium of `chromium_path`, which reaches only loopback."""
    path = chromium_path(playwright.chromium.executable_path)
    return playwright.chromium.launch(executable_path=path, args=[NO_NAMES])


def load_pango() -> None:
    """Load the libraries that WeasyPrint needs; install Debian's where they are missing.

    Raises
    ------
    NotInstalled
        If they are missing and cannot be installed.
    """
    with suppress(OSError):
        return _load(PANGO_LIBRARIES)
    install(*PANGO)
    try:
        _load(PANGO_LIBRARIES)
    except OSError as missing:
        msg = f"installed {' '.join(PANGO)}: {missing}"
        raise NotInstalled(msg) from missing


def _load(libraries: tuple[str, ...]) -> None:
    for library in libraries:
        ctypes.CDLL(library)


def without(thing: str, why: NotInstalled) -> NoReturn:
    """Fail in CI, skip elsewhere: an unseen page must not count as passed."""
    if os.environ.get("CI"):
        pytest.fail(f"CI is set and there is no {thing}: {why}", pytrace=False)
    pytest.skip(f"PAGES NOT CHECKED, NO {thing.upper()}: {why}")
