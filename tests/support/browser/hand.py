"""The row of a list under the pointer, and a wheel that waits until the page stands still."""

from playwright.sync_api import Page

__all__ = ["AT", "row_under", "wheel"]

AT = [600, 500]
"""Place of the pointer in the window [px]."""
_UNDER = """([x, y]) => {
    const row = document.elementFromPoint(x, y)?.closest('tr.row');
    return row && [row.dataset.key, row.getBoundingClientRect().top];
}"""
_STILL = """() => new Promise((resolve) => {
    let last = scrollY, since = performance.now();
    function look() {
        if (scrollY !== last) [last, since] = [scrollY, performance.now()];
        if (performance.now() - since > 200) resolve(true);
        else requestAnimationFrame(look);
    }
    look();
})"""


def row_under(page: Page) -> tuple[str, float] | None:
    """Return key of the row under the pointer, and its offset in the window [px]."""
    found = page.evaluate(_UNDER, AT)
    return None if found is None else (found[0], found[1])


def wheel(page: Page, pixels: int) -> None:
    """Turn the wheel, and wait until the page has scrolled and stands still for 200 ms."""
    page.mouse.move(*AT)
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, pixels)
    page.wait_for_function("before => scrollY !== before", arg=before)
    page.evaluate(_STILL)
