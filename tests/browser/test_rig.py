"""The rig for tests of pages finds what it is there to find, on pages with one fault each."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.support.browser import chromium, debian, pictures
from tests.support.browser.axe import axe
from tests.support.browser.chromium import chromium_path, without
from tests.support.browser.debian import NotInstalled
from tests.support.browser.numbers import numbers
from tests.support.browser.pictures import print_pdf, screenshot
from tests.support.browser.sample_application import application
from tests.support.browser.servers import serving_application, serving_command
from tests.support.browser.views import NARROW, VIEWS, WIDE, View
from tests.support.browser.watched import Faults, NewPage, watched_page

FAULTY = {
    "/p/log": r"console log: left in \(http://127.0.0.1:\d+/log.js:1\)",
    "/p/throw": r"uncaught error: (Error: )?thrown by the page",
    "/p/fetch": r"/broken: response 500",
    "/p/inline-style": r"console error: .*[Ii]nline style",
    "/p/inline-script": r"console error: .*[Ii]nline script",
    "/p/abroad": r"console error: .*http://127.0.0.1:9/x.png",
    "/lax/abroad": r"request leaves the origin: http://127.0.0.1:9/x.png",
    "/nowhere": r"console error: .*status of 404",
}

BREAKS = {
    "faint": r"color-contrast \(serious\).*\n  at p: .*faint.*\n  because .*contrast of 1\.91",
    "unnamed": r"image-alt \(critical\)(.|\n)*label \(critical\)",
    "tiny": r"target-size \(serious\)",
}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving_application(application()) as address:
        yield address


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(pictures, "SCREENS", tmp_path)
    return tmp_path


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_a_page_under_the_strict_policy_passes(site: str, new_page: NewPage, view: View) -> None:
    page = new_page(view)
    page.goto(f"{site}/p/good")
    assert page.locator("#said").inner_text() == "script ran"
    axe(page)


@pytest.mark.parametrize(("path", "fault"), FAULTY.items())
def test_a_fault_of_a_page_fails_its_test(
    site: str, browser: Browser, path: str, fault: str
) -> None:
    with pytest.raises(AssertionError, match=fault):
        _visit(browser, site + path)


def _visit(browser: Browser, address: str) -> None:
    with watched_page(browser, WIDE) as page:
        page.goto(address)
        page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(("name", "finding"), BREAKS.items())
def test_axe_names_rule_element_and_reason(site: str, page: Page, name: str, finding: str) -> None:
    page.goto(f"{site}/p/{name}")
    with pytest.raises(AssertionError, match=finding):
        axe(page)


def test_an_expected_fault_passes_and_an_absent_one_does_not(
    site: str, page: Page, faults: Faults
) -> None:
    faults.expect("status of 404")
    page.goto(f"{site}/nowhere")
    never = Faults()
    never.expect("status of 404")
    with pytest.raises(AssertionError, match="expected and not seen: status of 404"):
        never.require_none()


@pytest.mark.parametrize("host", ["example.com", "192.0.2.1"])
def test_nothing_but_loopback_is_reached(page: Page, host: str) -> None:
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto(f"http://{host}/")


def test_a_view_is_what_the_page_meets(site: str, new_page: NewPage) -> None:
    view = View(390, 844, dark=True, reduced_motion=True, forced_colours=True, locale="ja-JP")
    assert str(view) == "390-dark-still-forced-ja"
    page = new_page(view)
    page.goto(f"{site}/p/good")
    for query in (
        "(width: 390px)",
        "(prefers-color-scheme: dark)",
        "(prefers-reduced-motion: reduce)",
        "(forced-colors: active)",
    ):
        assert page.evaluate("query => matchMedia(query).matches", query), query
    assert page.evaluate("navigator.language") == "ja-JP"
    assert page.evaluate("new Date().getTimezoneOffset()") == 0


def test_a_page_without_scripts_is_seen_too(site: str, new_page: NewPage) -> None:
    page = new_page(View(390, 844, scripts=False))
    page.goto(f"{site}/p/good")
    assert page.locator("#said").inner_text() == "no script"


def test_two_users_share_nothing(site: str, new_page: NewPage) -> None:
    first, second = new_page(), new_page()
    for page in (first, second):
        page.goto(f"{site}/p/good")
    first.evaluate("document.cookie = 'who=first'")
    assert second.evaluate("document.cookie") == ""


def test_a_screenshot_has_a_stable_name_and_bytes(
    site: str, new_page: NewPage, screens: Path
) -> None:
    bytes_of = set()
    for _ in range(2):
        page = new_page(NARROW)
        page.goto(f"{site}/p/good")
        path = screenshot(page, "sample")
        assert path == screens / "sample-390-light.png"
        bytes_of.add(path.read_bytes())
    assert len(bytes_of) == 1
    assert screenshot(page, "part", part=page.locator("h1")).stat().st_size < path.stat().st_size


def test_the_print_is_a_pdf_in_print_media(site: str, page: Page, screens: Path) -> None:
    page.goto(f"{site}/p/numbers")
    assert page.locator(".screen").is_visible()
    path = print_pdf(page, "sample")
    assert path == screens / "sample.pdf"
    assert path.read_bytes().startswith(b"%PDF-")
    assert not page.locator(".screen").is_visible()


def test_numbers_of_a_page_are_read_back(site: str, page: Page) -> None:
    page.goto(f"{site}/p/numbers")
    assert numbers(page.locator(".screen").inner_text()) == [1234, -0.53, -1.2, 0.14]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,234,567 cases", [1234567]),
        ("[1,20]", [1, 20]),
        ("−1.5 to -2 to +3", [-1.5, -2, 3]),
        ("0–10, 12-14", [0, 10, 12, 14]),
        ("p 1.2e-5, 12%", [1.2e-5, 12]),
        ("[0.4, ∞] −∞", [0.4, float("inf"), float("-inf")]),
        ("2019-10-07, 2019-10 and 2019-10-07T12:00:00Z: 3件", [3]),
        ("RUM-1, EX-117, v2, r1, 3rd, H1N1, 1.2.3", []),
        ("n 3.", [3]),
    ],
)
def test_numbers_are_read_as_a_person_reads_them(text: str, values: list[float]) -> None:
    assert numbers(text) == values


def test_a_command_is_served_until_the_test_ends(page: Page) -> None:
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with serving_command(command) as address:
        assert page.request.get(address).ok
    with pytest.raises(Exception, match="ECONNREFUSED"):
        page.request.get(address)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("print('no such option'); raise SystemExit(2)", r"ended:\nno such option"),
        ("import time; print('silent', flush=True); time.sleep(60)", r"in time:\nsilent"),
    ],
)
def test_a_command_that_serves_nothing_says_what_it_printed(program: str, message: str) -> None:
    command = [sys.executable, "-c", program]
    with pytest.raises(AssertionError, match=message), serving_command(command, seconds=1):
        pass


def test_libraries_of_pdf_are_there(pango: None) -> None:
    assert importlib.import_module("weasyprint").HTML(string="<p>a").write_pdf()[:5] == b"%PDF-"


def test_chromium_is_the_first_that_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own, named, machine = (tmp_path / name for name in ("own", "named", "google-chrome"))
    installed: list[str] = []

    def install(*packages: str) -> None:
        installed.extend(packages)
        _program(tmp_path / "chromium")

    monkeypatch.setattr(chromium, "install", install)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TOCSIN_CHROMIUM", raising=False)
    assert chromium_path(str(own)) == str(tmp_path / "chromium")
    assert "fonts-noto-cjk" in installed
    (tmp_path / "chromium").unlink()
    installed.clear()
    for better in (machine, own, named):
        _program(better)
        if better == named:
            monkeypatch.setenv("TOCSIN_CHROMIUM", str(named))
        assert chromium_path(str(own)) == str(better)
    assert not installed
    monkeypatch.setenv("TOCSIN_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(NotInstalled, match=r"must name a program .* got '/nowhere/chromium'"):
        chromium_path(str(own))


def _program(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_packages_are_installed_by_root_only_and_refusals_are_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apt_get = tmp_path / "apt-get"
    apt_get.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    apt_get.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(debian, "LOCK", tmp_path / "lock")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    debian.install("chromium")
    update, added = (tmp_path / "calls").read_text().splitlines()
    assert update.endswith(" update")
    assert added.endswith(" install -y --no-install-recommends chromium")
    apt_get.write_text("#!/bin/sh\necho 'E: no such package' >&2\nexit 100\n")
    with pytest.raises(NotInstalled, match="update: E: no such package"):
        debian.install("chromium")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NotInstalled, match="only root can install chromium"):
        debian.install("chromium")


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), (None, pytest.skip.Exception)]
)
def test_no_chromium_fails_in_ci_and_skips_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str | None, outcome: type[BaseException]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if ci:
        monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=r"(?i)no Chromium: only root"):
        without("Chromium", NotInstalled("only root"))
