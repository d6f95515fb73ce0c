"""Rejects on a page: first lines by scope, and a redrive only after its dry run and count."""

import html
import re
from collections import Counter
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from schemas.errors import BrokerError
from schemas.subscription import Tier
from streams.console.access.visits import VisitKind
from streams.console.operations.rejects import KeptRejects
from streams.delivery.api.tokens import Scope
from streams.runtime.operations.redrive import Redrive
from tests.support.desk import Site
from tests.support.operations import REJECTS, replayed_site

PAGE = "/desk/operations/rejected"
DAY = "DAY must be a day"


class Redriven(KeptRejects):
    """Rejects of a topic of which some can be redriven, as they are."""

    def __init__(self, n: int = 2) -> None:
        super().__init__()
        self.n = n
        self.asked: list[tuple[str, bool]] = []
        self.error: str | None = None
        for reject in REJECTS:
            self.add(reject)

    def redrive(self, rule: str, *, dry_run: bool) -> Redrive:
        if self.error:
            raise BrokerError(self.error)
        self.asked.append((rule, dry_run))
        found = {"as it was": self.n} if self.n else {}
        return Redrive(Counter(found), Counter({"still no day": 1}))


def fields(browser: TestClient, rule: str = DAY) -> dict[str, str]:
    page = browser.get(PAGE, params={"rule": rule}).text
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


@pytest.fixture
def rejects() -> Redriven:
    return Redriven()


@pytest.fixture
def site(tmp_path: Path, rejects: Redriven) -> Site:
    return replayed_site(tmp_path, rejects=rejects)


def test_they_are_listed_by_rule_with_the_first_line_and_source(site: Site) -> None:
    page = html.unescape(site.browser().get(PAGE).text)
    assert "3 messages could not be read</h1>" in page
    assert page.index(DAY) < page.index("must be UTF-8")
    assert ("jane doe" in page, "john doe" in page) == (True, False)
    assert "a.csv@4" in page
    assert f"tocsin rejected redrive --rule '{DAY}' --dry-run" in page


def test_a_dry_run_publishes_nothing(site: Site, rejects: Redriven) -> None:
    page = html.unescape(site.browser().get(PAGE, params={"rule": DAY}).text)
    assert rejects.asked == [(DAY, True)]
    assert "Dry run: 2 messages would be redriven" in page
    assert "still no day" in page


def test_the_typed_count_of_the_dry_run_redrives(site: Site, rejects: Redriven) -> None:
    browser = site.browser()
    answer = browser.post(PAGE, data=fields(browser) | {"typed": " 2 "})
    assert answer.status_code == 303, answer.text
    assert rejects.asked == [(DAY, True), (DAY, True), (DAY, False)]
    assert "2 messages were redriven." in browser.get(answer.headers["location"]).text
    (changed,) = [visit for visit in site.visits() if visit.kind is VisitKind.CHANGED]
    assert changed.subject == f"redrove 2 rejects of {DAY!r}"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"typed": "3"}, 422),
        ({"typed": ""}, 422),
        ({"typed": "2", "n": "3"}, 403),
        ({"typed": "3", "n": "3"}, 403),
        ({"typed": "2", "rule": "must be UTF-8"}, 403),
        ({"typed": "2", "seal": "0"}, 403),
        ({"typed": "2", "token": "0"}, 403),
    ],
)
def test_anything_else_redrives_nothing(
    site: Site, rejects: Redriven, changed: dict[str, str], status: int
) -> None:
    browser = site.browser()
    assert browser.post(PAGE, data=fields(browser) | changed).status_code == status
    assert all(dry_run for _, dry_run in rejects.asked)


def test_more_than_in_the_dry_run_redrives_nothing(site: Site, rejects: Redriven) -> None:
    browser = site.browser()
    form = fields(browser) | {"typed": "2"}
    rejects.n = 3
    assert browser.post(PAGE, data=form).status_code == 409
    assert all(dry_run for _, dry_run in rejects.asked)


def test_a_broker_that_does_not_answer_is_said(site: Site, rejects: Redriven) -> None:
    browser = site.browser()
    form = fields(browser) | {"typed": "2"}
    rejects.error = "kafka1:9092: no answer"
    for answer in (browser.get(PAGE, params={"rule": DAY}), browser.post(PAGE, data=form)):
        assert answer.status_code == 502
        assert "kafka1:9092: no answer" in answer.text


def test_nothing_to_redrive_has_no_form(site: Site, rejects: Redriven) -> None:
    rejects.n = 0
    assert "seal" not in fields(site.browser())


def test_those_of_files_are_listed_and_need_a_broker(tmp_path: Path) -> None:
    site = replayed_site(tmp_path)
    page = html.unescape(site.browser().get(PAGE, params={"rule": DAY}).text)
    assert "A redrive needs Kafka" in page
    assert "tocsin rejected redrive" in page
    assert 'method="post" action="/desk/operations/rejected"' not in page
    browser = site.browser()
    token = fields(browser, "")
    form = {"rule": DAY, "n": "2", "seal": "0", "typed": "2", **token}
    assert browser.post(PAGE, data=form).status_code in (403, 409)


def test_a_server_of_alerts_does_not_know_them(tmp_path: Path) -> None:
    page = replayed_site(tmp_path, rejects=None).browser().get(PAGE).text
    assert "Rejects are not read by this server" in page


def test_none_is_a_sentence(tmp_path: Path) -> None:
    page = replayed_site(tmp_path, rejects=KeptRejects()).browser().get(PAGE).text
    assert "Nothing was rejected." in page


def test_bytes_of_rejects_need_the_right_to_read_cases(tmp_path: Path, rejects: Redriven) -> None:
    site = replayed_site(tmp_path, gated=True, rejects=rejects)
    blind = site.signed_in("A", scopes={Scope.ALERTS_READ})
    page = blind.get(PAGE, params={"rule": DAY}).text
    assert ("jane doe" in page, "Withheld: reading it needs cases:read" in page) == (False, True)
    assert rejects.asked == []
    operator = site.signed_in("B")
    form = fields(operator) | {"typed": "2"} | {"token": fields(blind, "")["token"]}
    assert blind.post(PAGE, data=form).status_code == 403
    for tier in (Tier.CONSUMER, Tier.PUBLIC):
        assert site.signed_in("C", tier).get(PAGE).status_code == 404
