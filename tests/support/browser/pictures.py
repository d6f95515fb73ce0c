"""Screenshots of pages, and their print as PDF."""

import os
from pathlib import Path

from playwright.sync_api import Locator, Page

__all__ = ["SCREENS", "print_pdf", "screenshot"]

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SCREENS = Path(os.environ.get("TOCSIN_SCREENS", ROOT / "build" / "screens"))
"""Folder of the screenshots; git ignores it."""

PREFERS = "query => matchMedia(query).matches"
FONTS = "() => document.fonts.ready.then(() => document.fonts.status)"


def screenshot(page: Page, name: str, *, part: Locator | None = None, full: bool = True) -> Path:
    """Save a picture of a page, or of a part, as `NAME-WIDTH-COLOURS.png`; return its path.

    Animations are ended and the text cursor is hidden, so that the same page gives the same bytes.
    """
    page.evaluate(FONTS)
    words = [name, str((page.viewport_size or {"width": 0})["width"])]
    words += ["dark" if page.evaluate(PREFERS, "(prefers-color-scheme: dark)") else "light"]
    words += ["forced"] if page.evaluate(PREFERS, "(forced-colors: active)") else []
    words += ["print"] if page.evaluate(PREFERS, "print") else []
    path = SCREENS / f"{'-'.join(words)}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    if part is None:
        page.screenshot(path=path, full_page=full, animations="disabled", caret="hide")
    else:
        part.screenshot(path=path, animations="disabled", caret="hide")
    return path


def print_pdf(page: Page, name: str, paper: str = "A4") -> Path:
    """Save what the browser would print as `NAME.pdf`, with the page's own margins if it has any.

    The page stays in print media until the test opens another.
    """
    page.emulate_media(media="print")
    path = SCREENS / f"{name}.pdf"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.pdf(path=path, format=paper, print_background=True, prefer_css_page_size=True)
    return path
