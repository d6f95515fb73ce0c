"""The audit: every view of an authority page is a row, and so is every decision."""

import html
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from schemas.subscription import Tier
from streams.console.access.visits import VisitKind, VisitLog
from streams.delivery.api.tokens import Scope
from tests.support.alerts import signal
from tests.support.api_server import NOW
from tests.support.assessments import LOT, SDR, decided
from tests.support.desk import Site

PAGE = "/desk/audit"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = Site.of(tmp_path, [SDR, LOT])
    decided(tmp_path / "audit.jsonl")
    return found


def rows(browser: TestClient, **query: str) -> list[list[str]]:
    answer = browser.get(PAGE, params=query)
    assert answer.status_code == 200
    table = answer.text.partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.findall(r"<t[hd].*?</t[hd]>", row) for row in table.split("<tr>")[1:]]
    return [[html.unescape(re.sub("<[^>]+>", "", cell)) for cell in row] for row in cells]


def test_each_view_is_one_row_with_its_address_and_the_page_says_so(site: Site) -> None:
    browser = site.browser("A. Reader")
    before = len(site.visits())
    page = browser.get("/desk/operations?done=pause&of=x")
    (viewed,) = site.visits()[before:]
    assert (viewed.kind, viewed.reader, viewed.tier) == (VisitKind.VIEWED, "A. Reader", "authority")
    assert viewed.subject == "/desk/operations?done=pause&of=x"
    assert viewed.at == NOW
    assert "Opening this page was logged." in page.text


SIGNAL = f"/desk/signals/{quote(SDR.signal_key, safe='')}"
PAGES = [
    "/desk",
    "/desk?tab=on",
    "/desk/rows?n=10",
    f"/desk/inside?key={quote(SDR.signal_key, safe='')}",
    SIGNAL,
    f"{SIGNAL}/cases",
    f"{SIGNAL}/dossier.html",
    f"{SIGNAL}/dossier.pdf",
    "/desk/map",
    "/desk/rumours",
    "/desk/operations",
    "/desk/operations/rejected",
    "/desk/subscriptions",
    "/desk/subscriptions/new",
    PAGE,
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_and_part_of_one_is_logged_once(site: Site, path: str) -> None:
    browser = site.browser()
    before = len(site.visits())
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    assert [visit.subject for visit in site.visits()[before:]] == [path]


def test_views_below_the_authority_tier_and_refusals_are_not_restricted(tmp_path: Path) -> None:
    site = Site.of(tmp_path, [SDR], gated=True)
    page = site.signed_in("C", Tier.CONSUMER).get("/desk/operations").text
    assert "was logged" not in page
    site.signed_in("C", Tier.PUBLIC).get("/desk/operations")
    assert site.visits() == []


def test_views_and_decisions_are_one_list_the_latest_first(site: Site) -> None:
    browser = site.browser()
    browser.get("/desk/operations")
    found = rows(browser)
    kinds = [row[2] for row in found]
    assert kinds.count("decided") == 3
    assert kinds[0] == "viewed"  # of June; decisions of January
    assert kinds[-3:] == ["decided"] * 3
    assert [row[1] for row in found[-3:]] == ["dee", "cy", "bo"]
    assert "under_triage → validated: read the reports" in found[-3][4]


def test_rows_are_filtered_by_person_kind_and_signal(site: Site) -> None:
    browser = site.browser("A. Reader")
    address = f"/desk/signals/{quote(SDR.signal_key, safe='')}"
    with VisitLog(site.service.model_path.parent / "visits.db") as visits:
        for reader in ("A. Reader", "B"):
            more = {"at": NOW, "tier": "authority", "subject": address, "client": ""}
            visits.add(VisitKind.VIEWED, reader=reader, **more)
    assert {row[1] for row in rows(browser, reader="B")} == {"B"}
    assert [row[1] for row in rows(browser, kind="decided")] == ["dee", "cy", "bo"]
    about = rows(browser, signal=SDR.signal_key)
    # The pages of the audit that asked for the signal name it too.
    assert [row[1] for row in about if row[2] == "decided"] == ["dee", "bo"]
    assert [row[1] for row in about if row[3] == address] == ["B", "A. Reader"]
    assert rows(browser, reader="nobody") == []


def test_the_chain_is_verified(site: Site, tmp_path: Path) -> None:
    browser = site.browser()
    log = tmp_path / "audit.jsonl"
    page = browser.get(PAGE).text
    assert "The log of decisions is whole: 3 entries" in page
    assert site.service.audit.verify().last_hash in page
    whole = log.read_bytes()
    log.write_bytes(whole + b"torn")
    assert "a torn line of 4 bytes" in browser.get(PAGE).text
    log.write_bytes(whole.replace(b"read the reports", b"read no reports."))
    page = browser.get(PAGE).text
    assert "The log of decisions is broken" in page
    assert "audit.jsonl, line" in page
    assert not [row for row in rows(browser) if row[2] == "decided"]


def test_without_a_decision_it_says_so(tmp_path: Path) -> None:
    assert "No decision was logged yet." in Site.of(tmp_path, [signal()]).browser().get(PAGE).text


def test_visits_of_others_need_the_scope_of_operations(tmp_path: Path) -> None:
    site = Site.of(tmp_path, [SDR], gated=True)
    decided(tmp_path / "audit.jsonl")
    operator = site.signed_in("Op")
    reader = site.signed_in("A", scopes={Scope.ALERTS_READ})
    operator.get("/desk/operations")
    reader.get("/desk/operations")
    assert {row[1] for row in rows(operator) if row[2] == "viewed"} == {"A", "Op"}
    own = rows(reader)
    assert {row[1] for row in own if row[2] == "viewed"} == {"A"}
    assert len([row for row in own if row[2] == "decided"]) == 3
    assert rows(reader, reader="Op") == []
    for tier in (Tier.CONSUMER, Tier.PUBLIC):
        assert site.signed_in("C", tier).get(PAGE).status_code == 404


def test_pages_of_rows_hold_each_row_once(site: Site) -> None:
    with VisitLog(site.service.model_path.parent / "visits.db") as visits:
        for number in range(250):
            visits.add(
                VisitKind.VIEWED, at=NOW, reader="A", tier="authority", subject=f"/desk/{number}",
                client="",
            )  # fmt: skip
    browser = site.browser("Op")
    seen: list[str] = []
    page = browser.get(PAGE, params={"reader": "A"}).text
    for _ in range(9):
        seen += re.findall(r'<a href="(/desk/\d+)"', page)
        following = re.search(r'<a href="([^"]+)">Earlier rows', page)
        if following is None:
            break
        page = browser.get(html.unescape(following[1])).text
    assert seen == [f"/desk/{number}" for number in reversed(range(250))]
