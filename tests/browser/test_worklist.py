"""The worklist as an assessor uses it, on a year of VAERS: what it shows is what the API says."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from schemas.alert import Alert
from schemas.subscription import Tier
from streams.core.alerts.priority import priority_on
from tests.support.api_server import client_of, service_in, token_of
from tests.support.browser.axe import axe
from tests.support.browser.numbers import numbers
from tests.support.browser.pictures import print_pdf, screenshot
from tests.support.browser.servers import serving_command
from tests.support.browser.views import MIDDLE, NARROW, VIEWS, WIDE, View
from tests.support.browser.watched import Faults, NewPage

DAY, SINCE = date(1999, 6, 15), date(1999, 6, 8)
KEY = "rv|intussusception|cumulative"
TOCSIN = "import sys; from streams.cli import main; sys.exit(main())"
COLUMNS = (
    "priority", "change", "what", "cases", "expected", "interval", "ic", "serious", "verified",
    "rules", "duty", "due",
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A desk that replayed 1999 up to the middle of June, and what its API says."""

    address: str
    client: httpx2.Client

    def revisions(self, key: str) -> list[dict[str, Any]]:
        answer = self.client.get(f"/v1/signals/{quote(key, safe='')}/alerts")
        alerts: list[dict[str, Any]] = answer.json()["alerts"]
        return alerts

    def signals(self, **asked: str) -> list[dict[str, Any]]:
        """Return the latest revisions that the API lists."""
        found, after = [], ""
        while after is not None:
            page = self.client.get("/v1/signals", params={"after": after, "limit": "200", **asked})
            found += page.json()["signals"]
            after = page.json()["next"]
        return found


@pytest.fixture(scope="module")
def site(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("desk")
    year = real_data / "vaers" / "1999VAERSData.zip"
    command = [sys.executable, "-c", TOCSIN, "desk", str(year), "--until", DAY.isoformat()]
    command += ["--port", "0", "--no-open", "--folder", str(folder)]
    with serving_command(command, seconds=240) as address:
        token = token_of(service_in(folder), Tier.AUTHORITY)
        with client_of(address, token) as client:
            yield Site(address, client)


def cell(row: Locator, column: str) -> Locator:
    return row.locator("> *").nth(COLUMNS.index(column))


def rows_of(page: Page) -> list[Locator]:
    page.wait_for_load_state("load")
    return page.locator("#rows tr.row").all()


def key_of(row: Locator) -> str:
    return str(row.get_attribute("data-key"))


def known_before(revisions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the revision of a signal that counts as known before the first sign-off."""
    known = [one for one in revisions if one["evaluated_on"] <= SINCE.isoformat()]
    return known[-1] if known else None


def test_what_changed_is_what_the_api_says(site: Site, page: Page) -> None:
    page.goto(site.address)
    expect(page).to_have_url(f"{site.address}/desk")
    changed = {
        alert["signal_key"]: alert
        for alert in site.signals(grade="alarm")
        if alert["evaluated_on"] > SINCE.isoformat()
    }
    assert len(changed) > 5
    rows = {key_of(row): row for row in rows_of(page)}
    assert rows.keys() == changed.keys()
    assert numbers(page.locator("h1").inner_text())[0] == len(changed)
    expect(page.locator(".note").first).to_contain_text("You have not signed off yet")
    for key, row in rows.items():
        _says_what_the_alert_says(row, site.revisions(key))


def _says_what_the_alert_says(row: Locator, revisions: list[dict[str, Any]]) -> None:
    alert, before = revisions[-1], known_before(revisions)
    n, statistics = alert["counts"]["n_observed"], alert["statistics"]
    new = n - (before["counts"]["n_observed"] if before else 0)
    assert numbers(cell(row, "cases").inner_text()) == [new, n]
    ic, lower, upper = numbers(cell(row, "ic").inner_text())
    stated = [statistics[name] for name in ("ic", "ic_lower", "ic_upper")]
    assert [ic, lower, upper] == pytest.approx(stated, abs=0.0051)
    expected = [statistics["expected"], statistics["expected_adjusted"]]
    assert numbers(cell(row, "expected").inner_text()) == pytest.approx(expected, rel=0.0051)
    assert numbers(cell(row, "serious").inner_text()) == [alert["n_serious"], alert["n_fatal"]]
    on = cell(row, "rules").locator("li.on").count()
    assert on == len(alert["rules_fired"])
    assert cell(row, "rules").locator("li").count() == len(alert["rules"])
    assert alert["event"] in cell(row, "what").inner_text()
    due = date.fromisoformat(alert["due"])
    assert ("overdue" in cell(row, "due").inner_text()) == (due < DAY)
    total = priority_on(Alert.model_validate_json(json.dumps(alert)), DAY).total
    assert numbers(cell(row, "priority").inner_text())[0] == pytest.approx(total, abs=0.0051)
    if before is not None and before["statistics"]["ic_lower"] is not None:
        rose = statistics["ic_lower"] - before["statistics"]["ic_lower"]
        said = re.search(r"IC025 ([+−][\d.]+)", cell(row, "change").inner_text())
        assert (numbers(said[1])[0] if said else 0.0) == pytest.approx(rose, abs=0.0051)


def test_urgent_rows_come_first_then_the_highest_priority(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/desk?tab=screening")
    stories = [row for row in rows_of(page) if "kin" not in str(row.get_attribute("class"))]
    levels = {"high": 0, "medium": 1, "low": 2}
    places = []
    for row in stories:
        members = [row, *_kin_below(row)]
        places.append(
            min(
                (
                    cell(one, "change").locator(".urgent").count() == 0,
                    levels[cell(one, "priority").locator(".soft").inner_text()],
                    -numbers(cell(one, "priority").inner_text())[0],
                )
                for one in members
            )
        )
    assert len(places) > 10
    assert places == sorted(places)


def _kin_below(row: Locator) -> list[Locator]:
    """Return the folded rows below a row."""
    after = row.locator("xpath=following-sibling::tr[contains(@class, 'row')]").all()
    found = []
    for one in after:
        if "kin" not in str(one.get_attribute("class")):
            break
        found.append(one)
    return found


def test_kin_are_folded_under_the_signal_whose_cases_they_share(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/desk?tab=on&q=intussusception")
    leader = rows_of(page)[0]
    assert key_of(leader) == KEY
    folded = _kin_below(leader)
    assert folded
    cases = set(site.revisions(KEY)[-1]["case_ids"])
    for row in folded:
        alert = site.revisions(key_of(row))[-1]
        said = re.search(r"(\d+) of (\d+) cases? names? RV too", row.inner_text())
        assert said is not None
        shared = len(cases & set(alert["case_ids"]))
        by_alert = [one["n_shared"] for one in alert["explained_by"] if one["product"] == "RV"]
        assert int(said[1]) in {shared, *by_alert}
        assert int(said[2]) == alert["counts"]["n_observed"]
        assert 2 * shared >= len(alert["case_ids"]) or by_alert


def test_tabs_count_what_the_api_lists(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/desk")
    tabs = {link.inner_text().split()[0]: link for link in page.locator(".tabs a").all()}
    assert list(tabs) == ["Changed", "Screening", "Overdue", "On", "Decided", "Suppressed"]
    every = site.signals()
    overdue = sum(1 for one in every if one["due"] and one["due"] < DAY.isoformat())
    assert numbers(tabs["On"].inner_text()) == [len(site.signals(active="true"))]
    assert numbers(tabs["Overdue"].inner_text()) == [overdue]
    tabs["Suppressed"].click()
    expect(page.locator("h1")).to_contain_text("suppressed")
    by_reason = [numbers(one.inner_text())[-1] for one in page.locator(".reasons li").all()]
    assert sum(by_reason) == numbers(page.locator("h1").inner_text())[0] > 0


def test_keys_go_from_row_to_row_and_look_inside(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/desk")
    keys = [key_of(row) for row in rows_of(page)]
    for key in ("j", "j", "k"):
        page.keyboard.press(key)
    in_hand = page.locator("tr.sel")
    assert key_of(in_hand) == keys[0]
    expect(in_hand.locator(".what a")).to_be_focused()
    page.keyboard.press("Space")
    inside = page.locator("tr.peek")
    alert = site.revisions(keys[0])[-1]
    expect(inside).to_contain_text(alert["sentence"])
    expect(inside).to_contain_text(alert["caveat"])
    counts = alert["counts"]
    n, drug, event, total = (counts[f"n_{name}"] for name in ("observed", "drug", "event", "total"))
    shown = [numbers(one.inner_text())[0] for one in inside.locator(".twoby tbody td").all()]
    assert shown == [n, drug - n, event - n, total - drug - event + n]
    points = inside.locator("svg desc").text_content() or ""
    for revision in site.revisions(keys[0]):
        assert revision["evaluated_on"] in points
    assert f"open={quote(keys[0], safe='')}" in page.url
    page.keyboard.press("Space")
    expect(inside).to_have_count(0)
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("jk?")
    expect(page.locator("#find")).to_have_value("jk?")


def test_keys_can_be_turned_off(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/desk")
    page.get_by_role("button", name="Turn keys off").click()
    expect(page.get_by_role("button", name="Turn keys on")).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("tr.sel")).to_have_count(0)
    page.get_by_role("button", name="Turn keys on").click()
    expect(page.get_by_role("button", name="Turn keys off")).to_be_visible()
    page.wait_for_load_state("load")  # the script has run
    page.keyboard.press("j")
    expect(page.locator("tr.sel")).to_have_count(1)


def test_a_reader_signs_off_what_was_on_screen(site: Site, new_page: NewPage) -> None:
    page = new_page(View(1440, 620))  # so that some rows are below the window
    page.goto(f"{site.address}/desk")
    before = [key_of(row) for row in rows_of(page)]
    page.wait_for_timeout(2_400)
    page.locator("#signer").fill("M. Okafor")
    page.get_by_role("button", name="Sign off what I have seen").click()
    expect(page.locator(".person")).to_have_text("M. Okafor")
    expect(page.locator(".said")).to_contain_text("signed off")
    signed = int(numbers(page.locator(".said").inner_text())[0])
    left = [key_of(row) for row in rows_of(page)]
    assert 0 < signed < len(before)
    assert left == before[signed:]
    expect(page.locator("h1")).to_contain_text("since you signed off")
    expect(page.get_by_label("Your name")).to_have_count(0)
    # One row, from inside it.
    page.keyboard.press("j")
    page.keyboard.press("s")
    expect(page.locator("#rows tr.row")).to_have_count(len(left) - 1)
    expect(page.locator(".said")).to_contain_text("1 revision signed off")
    assert [key_of(row) for row in rows_of(page)] == left[1:]
    # Another reader still has them all.
    other = new_page(WIDE)
    other.goto(f"{site.address}/desk")
    assert [key_of(row) for row in rows_of(other)] == before


def test_the_ghost_is_the_interval_at_the_day_of_the_address(site: Site, page: Page) -> None:
    revisions = site.revisions(KEY)
    page.goto(f"{site.address}/desk?tab=on&q=intussusception&since={revisions[0]['evaluated_on']}")
    row = rows_of(page)[0]
    new = revisions[-1]["counts"]["n_observed"] - revisions[0]["counts"]["n_observed"]
    assert numbers(cell(row, "cases").inner_text())[0] == new
    now, ghost = (row.locator(f".iv .{name}").get_attribute("cx") for name in ("est", "ghostdot"))
    rose = revisions[-1]["statistics"]["ic"] - revisions[0]["statistics"]["ic"]
    pixels = (172 - 12) / 9  # of one log2 unit
    assert float(str(now)) - float(str(ghost)) == pytest.approx(rose * pixels, abs=0.2)


def test_the_address_holds_filters_order_and_columns(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/desk?tab=on")
    page.get_by_label("Change").select_option("weakened")
    page.get_by_label("Find a product or an event").fill("vaccine")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="New / all cases").click()
    head = page.locator("th", has=page.get_by_role("link", name="New / all cases"))
    expect(head).to_have_attribute("aria-sort", "descending")
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("link", name="Hide Duty").click()
    mailed = page.url
    again = page.context.new_page()
    again.goto(mailed)
    found = {key_of(row): row for row in rows_of(again)}
    wanted = {
        one["signal_key"]: one["counts"]["n_observed"]
        for one in site.signals(active="true", kind="weakened")
    }
    assert found.keys() <= wanted.keys()
    assert len(found) > 3
    alone = [wanted[key] for key, row in found.items() if not _is_grouped(row)]
    assert alone == sorted(alone, reverse=True)
    assert "Duty" not in again.locator("thead").inner_text()
    # Saved under a name, chosen and deleted.
    again.locator("summary", has_text="Views").click()
    if again.locator("#view-reader").count():
        again.locator("#view-reader").fill("A. Sato")
    again.get_by_label("Name of this view").fill("weaker")
    again.get_by_role("button", name="Save this view").click()
    again.goto(f"{site.address}/desk")
    again.locator("summary", has_text="Views").click()
    again.get_by_role("link", name="weaker", exact=True).click()
    assert [key_of(row) for row in rows_of(again)] == list(found)
    again.locator("summary", has_text="Views").click()
    again.get_by_role("button", name="Delete weaker").click()
    again.locator("summary", has_text="Views").click()
    expect(again.get_by_role("link", name="weaker", exact=True)).to_have_count(0)


def _is_grouped(row: Locator) -> bool:
    return "kin" in str(row.get_attribute("class")) or bool(_kin_below(row))


def test_a_wrong_address_says_what_it_must_be(site: Site, page: Page, faults: Faults) -> None:
    faults.expect("status of 400")
    page.goto(f"{site.address}/desk?tab=nowhere")
    expect(page.locator("main")).to_contain_text("tab must be changed or screening")
    axe(page)
    screenshot(page, "worklist-error")


def test_without_scripts_all_is_links_and_forms(site: Site, new_page: NewPage) -> None:
    page = new_page(View(1440, 900, scripts=False))
    page.goto(f"{site.address}/desk?tab=on")
    first = [key_of(row) for row in rows_of(page)]
    assert len(first) == 100
    page.get_by_role("link", name="Next rows").click()
    expect(page).to_have_url(re.compile("after="))
    after = [key_of(row) for row in rows_of(page)]
    assert len(after) == 100
    assert not set(first) & set(after)
    rows_of(page)[0].locator("[data-look]").click()
    expect(page.locator("tr.peek")).to_contain_text(site.revisions(after[0])[-1]["sentence"])
    page.goto(f"{site.address}/desk")
    n = len(rows_of(page))
    page.locator("#signer").fill("No Script")
    page.get_by_role("button", name="Sign off what I have seen").click()
    expect(page.locator(".said")).to_contain_text(f"{n} revisions signed off")
    expect(page.locator(".empty")).to_contain_text("No alarm changed")


INSIDE = """table => table.getBoundingClientRect().right
    <= table.parentElement.getBoundingClientRect().right + 1"""
STATES = {
    "changed": "/desk",
    "on": "/desk?tab=on&q=rotavirus",
    "open": f"/desk?tab=on&q=rotavirus&open={quote(KEY, safe='')}",
    "suppressed": "/desk?tab=suppressed",
    "empty": "/desk?tab=decided",
    "none-found": "/desk?q=nothing+of+this+name",
    "one-line": "/desk?tab=on&q=rotavirus&density=one",
    "japanese": f"/desk?lang=ja&tab=on&q=rotavirus&open={quote(KEY, safe='')}",
}


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(site: Site, new_page: NewPage, view: View, state: str) -> None:
    page = new_page(view)
    page.goto(site.address + STATES[state])
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= view.width
    for table in page.locator(".sheet > table").all():
        assert view.width < 820 or table.evaluate(INSIDE), "the table is wider than its sheet"
    screenshot(page, f"worklist-{state}")


@pytest.mark.parametrize("view", [WIDE, NARROW, MIDDLE], ids=str)
def test_menus_pass_axe_too(site: Site, new_page: NewPage, view: View) -> None:
    page = new_page(view)
    page.goto(f"{site.address}/desk")
    for name in ("Columns", "Views"):
        menu = page.locator("summary", has_text=name)
        if menu.is_visible():
            menu.click()
            axe(page)
            screenshot(page, f"worklist-{name.lower()}", full=False)
            menu.click()


def test_print_has_every_row_and_no_form(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/desk")
    print_pdf(page, "worklist")
    screenshot(page, "worklist")
    for unwanted in (".filters", ".tools", ".tabs", "#live", ".keys"):
        assert not any(one.is_visible() for one in page.locator(unwanted).all()), unwanted
    assert all(row.is_visible() for row in rows_of(page))
