"""The desk with many signals: first paint, interactions, memory, and rows that keep their place.

    python -m benchmarks.desk --signals 50000 --seconds 60

A server process holds generated signals of the shape of real alerts. A Chromium opens the worklist
and does what a reader does: tabs, filters, orders, windows of rows, keys and look inside. Then
revisions are stored at a fixed pace while the page scrolls: the row under the pointer must keep its
place on the screen, and the live line must count every revision.
"""

import argparse
import itertools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles

from playwright.sync_api import Page, sync_playwright

from tests.support.api_server import service_in
from tests.support.browser.chromium import launched
from tests.support.browser.hand import row_under, wheel
from tests.support.browser.numbers import numbers
from tests.support.browser.servers import serving_application
from tests.support.many_signals import desk_app, desk_of, fill, many_signals, next_revision, store

A_SECOND, BATCH = 200, 20  # revisions
REPEATS = 12  # of each interaction
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def serve(folder: Path, pipe: Connection) -> None:
    """Serve a desk until the pipe says so; then send the most memory it took [MB]."""
    begun = time.perf_counter()
    with serving_application(desk_app(desk_of(service_in(folder)))) as address:
        pipe.send((address, time.perf_counter() - begun))
        pipe.recv()
        status = Path("/proc/self/status").read_text("utf-8")
        sizes = dict(line.split(":", 1) for line in status.splitlines())
        pipe.send({name: int(sizes[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS")})


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Connection]]:
    """Run the server in a process of its own; yield its address and the pipe to it."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(folder, theirs))
    process.start()
    address, seconds = ours.recv()
    print(f"ready after {seconds:.1f} s")
    try:
        yield address, ours
    finally:
        process.join(30)


def interactions(page: Page, address: str) -> dict[str, list[float]]:
    """Return the times of each interaction [ms], from the act to its result on the screen."""
    found: dict[str, list[float]] = {}

    def timed(name: str, act: Callable[[], object]) -> None:
        begun = time.perf_counter()
        act()
        found.setdefault(name, []).append(1000 * (time.perf_counter() - begun))

    for number in range(REPEATS):
        page.goto(f"{address}/desk?tab=on")
        timed("next row", lambda: page.keyboard.press("j"))
        timed("look inside", lambda: _look_inside(page))
        window = f"{address}/desk/rows?tab=on&first={number * 3_000}"
        timed("100 rows anywhere", partial(_get, page, window))
        asked = f"q=event+{number + 10}", f"sort=ic&up={number % 2}", "tab=overdue", "kind=new"
        for name, query in zip(("find", "sort", "tab", "filter"), asked, strict=True):
            with_tab = query if "tab=" in query else f"tab=on&{query}"
            timed(name, partial(_get, page, f"{address}/desk?{with_tab}"))
    return found


def _get(page: Page, address: str) -> str:
    return page.request.get(address).text()


def _look_inside(page: Page) -> None:
    page.keyboard.press("Space")
    page.wait_for_selector("tr.peek")


def first_paints(page: Page, address: str) -> list[float]:
    """Return the times to the first contentful paint of the opening page [ms]."""
    found = []
    for _ in range(REPEATS):
        page.goto(f"{address}/desk")
        page.wait_for_function(f"{PAINT} > 0")
        found.append(float(page.evaluate(PAINT)))
    return found


def revise(folder: Path, signals: int, pipe: Connection) -> None:
    """Store revisions at a fixed pace until the pipe says so; then send their number."""
    copies = itertools.cycle(list(many_signals(min(signals, 5_000))))
    pipe.send("ready")
    begun, n = time.monotonic(), 0
    with service_in(folder).model() as model:
        for number in itertools.count(1):
            store(model, [next_revision(next(copies), number) for _ in range(BATCH)])
            n += BATCH
            if pipe.poll(max(0.0, begun + n / A_SECOND - time.monotonic())):
                break
    pipe.send(n)


def stillness(page: Page, address: str, folder: Path, signals: int, seconds: float) -> None:
    """Scroll while revisions arrive; print how often the row under the pointer moved."""
    page.goto(f"{address}/desk?tab=on")
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=revise, args=(folder, signals, theirs)
    )
    process.start()
    ours.recv()
    moved, looks, end = 0, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        wheel(page, 700)
        before = row_under(page)
        page.wait_for_timeout(350)
        moved += row_under(page) != before
        looks += 1
    ours.send("end")
    n = ours.recv()
    process.join(30)
    time.sleep(3)  # the line says it a second later
    counted = numbers(page.locator("#live").inner_text())[0]
    print(f"{n:,} revisions in {seconds:.0f} s: the line counted {counted:,.0f}")
    print(f"the row under the pointer moved {moved} of {looks} times")


def main() -> None:
    """Print first paint, interactions, memory and stillness."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        fill(service_in(folder), given.signals)
        print(f"{given.signals:,} signals, {os.cpu_count()} cores")
        with served(folder) as (address, pipe):
            page = launched(playwright).new_page(viewport={"width": 1440, "height": 900})
            paints = first_paints(page, address)
            print(f"first contentful paint: {paints[0]:.0f} ms, then at most {max(paints[1:]):.0f}")
            for name, times in interactions(page, address).items():
                p95 = quantiles(times, n=20)[-1]
                print(f"{name}: p50 {quantiles(times, n=2)[0]:.0f} ms, p95 {p95:.0f} ms")
            stillness(page, address, folder, given.signals, given.seconds)
            page.close()  # its live line would hold the server
            pipe.send("end")
            sizes = pipe.recv()
            print(f"server memory: {sizes['VmRSS']:.0f} MB, at most {sizes['VmHWM']:.0f} MB")


if __name__ == "__main__":
    main()
