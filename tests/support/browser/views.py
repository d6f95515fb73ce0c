"""Sizes, colours and preferences in which pages are checked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext

__all__ = ["MIDDLE", "NARROW", "VIEWS", "WIDE", "View", "context_of"]


@dataclass(frozen=True)
class View:
    """A window and what its user prefers. `str(view)` names it in tests and pictures."""

    width: int
    height: int
    dark: bool = False
    reduced_motion: bool = False
    forced_colours: bool = False
    locale: str = "en-GB"
    scripts: bool = True

    def __str__(self) -> str:
        words = [str(self.width), "dark" if self.dark else "light"]
        words += ["still"] if self.reduced_motion else []
        words += ["forced"] if self.forced_colours else []
        words += ["no-script"] if not self.scripts else []
        words += [self.locale[:2]] if not self.locale.startswith("en") else []
        return "-".join(words)

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `Browser.new_context`."""
        colours: Literal["dark", "light"] = "dark" if self.dark else "light"
        return {
            "viewport": {"width": self.width, "height": self.height},
            "color_scheme": colours,
            "reduced_motion": "reduce" if self.reduced_motion else "no-preference",
            "forced_colors": "active" if self.forced_colours else "none",
            "locale": self.locale,
            "timezone_id": "UTC",
            "java_script_enabled": self.scripts,
        }


WIDE = View(1440, 900)
MIDDLE = View(1280, 800)
NARROW = View(390, 844)

VIEWS = [
    View(size.width, size.height, dark=dark)
    for size in (WIDE, MIDDLE, NARROW)
    for dark in (False, True)
]
"""Every size, light and dark."""


@contextmanager
def context_of(browser: Browser, view: View, **options: Any) -> Iterator[BrowserContext]:
    """Open a context, which shares no cookie, cache or storage with another; close it."""
    context = browser.new_context(**view.options, **options)
    try:
        yield context
    finally:
        context.close()
