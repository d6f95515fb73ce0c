"""The page of a signal as an assessor uses it: what it shows is what the API and the alert say."""

import csv
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from playwright.sync_api import Page, expect

from schemas.subscription import Tier
from tests.support.amended_cases import amended_reports
from tests.support.api_server import client_of, service_in, token_of
from tests.support.browser.axe import axe
from tests.support.browser.numbers import numbers
from tests.support.browser.pictures import print_pdf, screenshot
from tests.support.browser.servers import serving_command
from tests.support.browser.views import MIDDLE, NARROW, VIEWS, WIDE, View
from tests.support.browser.watched import Faults, NewContext, NewPage
from tests.support.replays import founding_case

RV = "rv|intussusception|cumulative"
AMENDED = "zinc|rash|cumulative"
TOCSIN = "import sys; from streams.cli import main; sys.exit(main())"
REASON = "Eight infants within a month, all in hospital."


@dataclass(frozen=True)
class Site:
    """A desk of replayed files, and what its API says."""

    address: str
    client: httpx2.Client

    def revisions(self, key: str) -> list[dict[str, Any]]:
        answer = self.client.get(f"/v1/signals/{quote(key, safe='')}/alerts")
        alerts: list[dict[str, Any]] = answer.json()["alerts"]
        return alerts

    def signal_keys(self) -> list[str]:
        found, after = [], ""
        while after is not None:
            page = self.client.get("/v1/signals", params={"after": after, "limit": "200"}).json()
            found += [one["signal_key"] for one in page["signals"]]
            after = page["next"]
        return found

    def page(self, key: str, rest: str = "") -> str:
        return f"{self.address.rstrip('/')}/desk/signals/{quote(key, safe='')}{rest}"


def _site(folder: Path, *arguments: str) -> Iterator[Site]:
    command = [sys.executable, "-c", TOCSIN, "desk", *arguments]
    command += ["--port", "0", "--no-open", "--folder", str(folder)]
    with serving_command(command, seconds=240) as address:
        token = token_of(service_in(folder), Tier.AUTHORITY)
        with client_of(address, token) as client:
            yield Site(address, client)


@pytest.fixture(scope="module")
def vaers(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    year = real_data / "vaers" / "1999VAERSData.zip"
    yield from _site(tmp_path_factory.mktemp("vaers"), str(year), "--until", "1999-06-15")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The founding case, then the pair whose cases were amended."""
    folder = tmp_path_factory.mktemp("story")
    reports, notices = founding_case()
    both = sorted([*reports, *amended_reports()], key=lambda one: one.latest_received)
    for name, items in (("reports.jsonl", both), ("notices.jsonl", notices)):
        lines = [one.model_dump_json(exclude_defaults=True) for one in items]
        (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    yield from _site(
        folder / "desk",
        str(folder / "reports.jsonl"),
        "--notices",
        str(folder / "notices.jsonl"),
    )


def fact(page: Page, name: str) -> str:
    return page.locator(f'[data-fact="{name}"]').first.inner_text()


def shown(value: float) -> float:
    """Return a ratio as the page rounds it: three digits."""
    return float(f"{value:.3g}")


def require_numbers_of(page: Page, alert: dict[str, Any]) -> None:
    """Raise AssertionError unless the facts and measures of a page are those of an alert."""
    counts, statistics = alert["counts"], alert["statistics"]
    assert numbers(fact(page, "n_observed")) == [counts["n_observed"]]
    assert numbers(fact(page, "expected")) == [shown(statistics["expected"])]
    assert numbers(fact(page, "ic")) == [round(statistics["ic"], 2)]
    assert numbers(fact(page, "n_serious")) == [alert["n_serious"]]
    row = page.locator('[data-measure="measure_ror"]')
    if statistics["ror"] is not None and row.count():
        cells = row.locator("td").all_inner_texts()
        assert numbers(cells[0]) == [shown(statistics["ror"])]
        assert numbers(cells[1]) == [shown(statistics[f"ror_{end}"]) for end in ("lower", "upper")]
    hit = page.locator(".twoby .hit")
    if hit.count():
        assert numbers(hit.inner_text()) == [counts["n_observed"]]
    fatal = page.locator('[data-fact="n_fatal"]').inner_text()
    assert numbers(fatal) == [alert["n_fatal"]]


def test_judge_in_two_minutes(vaers: Site, page: Page) -> None:
    """From the worklist by one link; what matters is on the first screen."""
    page.goto(f"{vaers.address}/desk?tab=on&q=intussusception")
    page.locator(f'a[href^="/desk/signals/{quote(RV, safe="")}"]').first.click()
    expect(page).to_have_url(re.compile("/desk/signals/rv"))
    alert = vaers.revisions(RV)[-1]
    require_numbers_of(page, alert)
    first_screen = {
        "how many": page.locator('[data-fact="n_observed"]'),
        "what changed": page.locator("#h-changed"),
        "the interval": page.locator('[data-fact="ic"]'),
        "what speaks against": page.locator("#h-gaps"),
        "whose duty": page.locator("#h-duty"),
        "the caveat": page.locator("p.caveat"),
    }
    for what, part in first_screen.items():
        box = part.bounding_box()
        assert box is not None, what
        assert box["y"] + box["height"] <= WIDE.height, what
    came = set(alert["case_ids"]) - set(vaers.revisions(RV)[-2]["case_ids"])
    assert all(name in page.locator(".names.came").inner_text() for name in came)
    assert page.locator("tr.added").count() == len(came)
    assert page.locator("tr[data-case]").count() == alert["counts"]["n_observed"]
    forest = page.locator("svg:has(> title[id^=forest]) > desc").text_content() or ""
    adjusted = alert["statistics"]
    assert f"Within strata: {alert['counts']['n_observed']} cases" in forest
    bounds = [round(adjusted[f"ic{end}_adjusted"], 2) for end in ("", "_lower", "_upper")]
    within = next(line for line in forest.splitlines() if line.startswith("Within strata"))
    assert numbers(within.partition("IC")[2]) == bounds
    assert str(alert["n_comparators"]) in page.locator("#strata figcaption").first.inner_text()
    screenshot(page, "signal")


def test_the_comparators_are_tabs_in_the_address(vaers: Site, page: Page) -> None:
    alert = vaers.revisions(RV)[-1]
    page.goto(vaers.page(RV))
    page.get_by_role("link", name="By stratum").click()
    expect(page).to_have_url(re.compile("comparator=strata"))
    cells = page.locator('[data-measure="measure_ic_adjusted"] td').all_inner_texts()
    statistics = alert["statistics"]
    assert numbers(cells[0]) == [round(statistics["ic_adjusted"], 2)]
    assert numbers(cells[1]) == [
        round(statistics["ic_lower_adjusted"], 2),
        round(statistics["ic_upper_adjusted"], 2),
    ]
    assert numbers(fact(page, "n_comparators"))[0] == alert["n_comparators"]


def test_confounded_by_indication(story: Site, page: Page) -> None:
    key, alert = next(
        (key, found[-1])
        for key in story.signal_keys()
        if "counts" in (found := story.revisions(key))[-1] and found[-1]["restricted"]
    )
    page.goto(story.page(key))
    assert alert["sentence"] in page.locator(".lede").inner_text()
    page.get_by_role("link", name="Within the indication").click()
    restricted = alert["restricted"]
    assert numbers(page.locator(".twoby .hit").inner_text()) == [restricted["counts"]["n_observed"]]
    said = page.locator("#table").inner_text()
    assert f"{restricted['counts']['n_total']:,}" in said
    assert restricted["indication"] in said
    cells = page.locator('[data-measure="measure_ic"] td').all_inner_texts()
    assert numbers(cells[0]) == [round(restricted["statistics"]["ic"], 2)]
    screenshot(page, "signal-indication")


def test_a_case_and_its_versions(story: Site, page: Page) -> None:
    page.goto(story.page(AMENDED))
    page.locator('tr[data-case="Z004"]').get_by_role("link", name="v2").click()
    changed = page.locator("tr.changed").evaluate_all("rows => rows.map(r => r.dataset.field)")
    assert changed == ["version", "latest_received", "seriousness"]
    row = page.locator('tr[data-field="seriousness"]')
    assert row.locator("ins").inner_text() == "death, hospitalisation"
    screenshot(page, "case-versions")
    axe(page)


def test_an_earlier_alert_is_as_it_was_published(story: Site, page: Page) -> None:
    """Z003 was amended, Z005 nullified and Z004 turned fatal after 19 January."""
    revisions = story.revisions(AMENDED)
    earlier = [one for one in revisions if one["evaluated_on"] < "2024-01-20"][-1]
    number = earlier["revision"]
    page.goto(story.page(AMENDED))
    page.locator(".revs a", has_text=f"r{number} ").click()
    require_numbers_of(page, earlier)
    day = date.fromisoformat(earlier["evaluated_on"])
    expect(page.get_by_role("note")).to_contain_text(f"known on {day.day} Jan 2024")
    listed = page.locator("tr[data-case]").evaluate_all("rows => rows.map(r => r.dataset.case)")
    assert set(listed) == set(earlier["case_ids"])
    assert "death" not in page.locator("#lines").inner_text()
    assert "Known on this day: none" in page.locator("#ledger").inner_text()
    answer = page.request.get(story.page(AMENDED, f"/r/{number}/alert.json"))
    assert json.loads(answer.body()) == {**earlier, "assessment": None}
    by_day = page.request.get(story.page(AMENDED, f"/alert.json?as_of={day}"))
    assert by_day.body() == answer.body()
    screenshot(page, "signal-earlier")
    page.get_by_role("link", name="To the latest revision").first.click()
    require_numbers_of(page, revisions[-1])


def test_two_revisions_beside_each_other(story: Site, page: Page) -> None:
    page.goto(story.page(AMENDED))
    page.get_by_role("link", name="All that changed").click()
    before, now = story.revisions(AMENDED)[-2:]
    cells = page.locator('tr[data-count="count_n_observed"] td').all_inner_texts()
    assert [numbers(cell)[0] for cell in cells] == [
        one["counts"]["n_observed"] for one in (before, now)
    ]
    screenshot(page, "signal-difference")
    axe(page)


def test_export(vaers: Site, page: Page, tmp_path: Path) -> None:
    alert = vaers.revisions(RV)[-1]
    page.goto(vaers.page(RV))
    for name, suffix in (("Dossier as PDF", "pdf"), ("Cases as CSV", "csv")):
        with page.expect_download() as waited:
            page.locator(".aside").get_by_role("link", name=name).click()
        waited.value.save_as(tmp_path / f"x.{suffix}")
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF-")
    text = (tmp_path / "x.csv").read_text("utf-8-sig")
    assert {row["case_id"] for row in csv.DictReader(StringIO(text))} == set(alert["case_ids"])
    href = page.get_by_role("link", name="The alert as JSON").get_attribute("href")
    answer = page.request.get(f"{vaers.address.rstrip('/')}{href}")
    assert json.loads(answer.body()) == {**alert, "assessment": None}
    page.locator(".aside").get_by_role("link", name="Dossier as HTML").click()
    require_numbers_of(page, alert)
    screenshot(page, "dossier")
    axe(page)


def test_decide_and_sign(story: Site, new_context: NewContext, faults: Faults) -> None:
    """Two assessors open the page; the second signature is stale, and its reason is kept."""
    first, second = (new_context().new_page() for _ in range(2))
    key = next(key for key in story.signal_keys() if "counts" in story.revisions(key)[-1])
    for page, name in ((first, "A. Assessor"), (second, "B. Other")):
        page.goto(story.page(key))
        page.get_by_label("Take under triage").check()
        page.get_by_label("Reason, kept for ever").fill(f"{REASON} {name}")
        page.get_by_label("I sign as").select_option("assessed")
        page.get_by_label("Your name").fill(name)
    first.get_by_role("button", name="Sign and record").click()
    expect(first.get_by_role("status")).to_contain_text("Recorded as entry")
    answer = story.client.get(f"/v1/signals/{quote(key, safe='')}").json()
    assert answer["assessment"] == "under_triage"
    (decision,) = answer["decisions"]
    assert decision["decision"]["by"] == "A. Assessor"
    assert decision["decision"]["meaning"] == "assessed"
    assert decision["hash"] in first.get_by_role("status").inner_text()
    assert first.get_by_label("Your name").count() == 0  # it is asked once
    screenshot(first, "signal-signed", full=False)
    faults.expect("status of 409")
    second.get_by_role("button", name="Sign and record").click()
    alert_box = second.get_by_role("alert")
    expect(alert_box).to_contain_text("something came first")
    expect(alert_box).to_contain_text("A. Assessor")
    assert second.get_by_label("Reason, kept for ever").input_value() == f"{REASON} B. Other"
    screenshot(second, "signal-stale", full=False)
    axe(second)
    second.get_by_label("Validate", exact=True).check()
    second.get_by_role("button", name="Sign and record").click()
    expect(second.get_by_role("status")).to_contain_text("Recorded as entry 2")


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_the_page_has_no_finding(vaers: Site, new_page: NewPage, view: View) -> None:
    page = new_page(view)
    for name, rest in (("signal", ""), ("signal-strata", "?comparator=strata")):
        require_sound(page, name, vaers.page(RV, rest), view)


@pytest.mark.parametrize("view", [MIDDLE, NARROW], ids=str)
def test_cases_and_safety_alerts_have_no_finding(
    story: Site, new_page: NewPage, view: View
) -> None:
    page = new_page(view)
    safety = next(key for key in story.signal_keys() if "category" in story.revisions(key)[-1])
    require_sound(page, "cases", story.page(AMENDED, "/cases"), view)
    require_sound(page, "safety", story.page(safety), view)


def require_sound(page: Page, name: str, address: str, view: View) -> None:
    """Raise AssertionError if axe finds anything, or a page scrolls sideways."""
    page.goto(address)
    screenshot(page, name)
    axe(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= view.width, (name, width)


def test_japanese(vaers: Site, new_page: NewPage) -> None:
    page = new_page(MIDDLE)
    page.goto(vaers.page(RV, "?lang=ja"))
    assert page.locator("html").get_attribute("lang") == "ja"
    require_numbers_of(page, vaers.revisions(RV)[-1])
    screenshot(page, "signal-ja")
    axe(page)


def test_without_scripts_and_in_forced_colours(vaers: Site, new_page: NewPage) -> None:
    bare = new_page(View(1440, 900, scripts=False))
    bare.goto(vaers.page(RV))
    require_numbers_of(bare, vaers.revisions(RV)[-1])
    forced = new_page(View(1280, 800, forced_colours=True))
    forced.goto(vaers.page(RV))
    screenshot(forced, "signal")


def test_print_has_no_form_and_no_navigation(vaers: Site, page: Page) -> None:
    page.goto(vaers.page(RV))
    path = print_pdf(page, "signal-print")
    assert path.read_bytes().startswith(b"%PDF-")
    for part in ("form.decide", "nav.toc", "header.bar", ".revs"):
        assert not page.locator(part).first.is_visible(), part
    assert page.locator("p.caveat").is_visible()
