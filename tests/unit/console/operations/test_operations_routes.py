"""The operations page: numbers of the stores, reasons where it cannot know, and who may act."""

import html
import re
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from detectors.false_alarms import ever_alert_rate
from schemas.subscription import Tier
from streams.console.access.visits import VisitKind
from streams.console.desk import Intake
from streams.console.frame.formats import percent
from streams.console.operations.workers import Workers
from streams.delivery.api.tokens import Scope
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.runtime.observability.health import HealthServer, serving
from streams.runtime.observability.readiness import Phase, Readiness
from tests.support.api_server import NOW
from tests.support.desk import Site, token_in
from tests.support.operations import replayed_site

PAGE = "/desk/operations"
ACT = "/desk/operations/deliveries"
READS = {Scope.ALERTS_READ, Scope.SUBSCRIPTIONS_WRITE}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return replayed_site(tmp_path)


def fact(page: str, name: str) -> tuple[str, str]:
    """Return value and note of a fact."""
    found = re.search(rf"<dt>{name}</dt><dd>(.*?)<small>(.*?)</small>", page)
    assert found is not None, name
    return re.sub("<[^>]+>", "", found[1]), html.unescape(found[2])


def section(page: str, heading: str) -> str:
    start = page.index(f'id="{heading}"')
    return html.unescape(page[start : page.index("</section>", start)])


def test_facts_of_a_replay_are_those_of_its_stores(site: Site) -> None:
    page = site.browser().get(PAGE).text
    with site.service.model() as model:
        n = model.numbers()["alerts"]
    assert fact(page, "Alert revisions") == (str(n), "25 for 10,000 counted reports")
    assert fact(page, "Rejected") == ("3", "of 1,234 messages")
    assert fact(page, "Lag") == ("0", "1,234 messages of the files were read, all of them")
    assert fact(page, "Watermark")[0] == "3 Feb 2024"
    assert fact(page, "Stages") == ("ended", "the replay of the files ended")
    assert fact(page, "Restore")[0] == "none"
    assert "3 messages were rejected; no delivery is paused</h1>" in page


def test_what_a_server_of_alerts_cannot_know_says_why(tmp_path: Path) -> None:
    site = replayed_site(tmp_path, intake=Intake(), rejects=None, suppressed=None)
    page = site.browser().get(PAGE).text
    for name in ("Stages", "Lag", "Watermark", "Rejected", "Restore"):
        assert fact(page, name)[0] == "unknown", name
    for name in ("Stages", "Rejected", "Restore"):
        assert "ot read by this server" in fact(page, name)[1], name
    assert fact(page, "Alert revisions") == ("3", "Not read by this server.")
    assert "ot read by this server" in section(page, "h-suppressed")
    assert "ot read by this server" in section(page, "h-rejected")
    controls = section(page, "h-controls")
    assert "The promise of the rules is not read by this server." in controls
    assert "How many ever were an alarm is not read by this server" in controls
    assert ">0<" not in re.sub(r"<(table|svg).*?</\1>", "", page, flags=re.S)


def test_months_are_counted_by_kind(site: Site) -> None:
    page = site.browser().get(PAGE).text
    table = page[page.index("<details>") : page.index("</details>")]
    kinds = re.findall(r'<th scope="col" class="num">([a-z]+)</th>', table)
    found = {
        month: {
            kind: int(n)
            for kind, n in zip(kinds, re.findall(r"<td>(\d+)</td>", cells), strict=True)
            if n != "0"
        }
        for month, cells in re.findall(r'<tr><th scope="row">(\d{4}-\d\d)</th>(.*?)</tr>', table)
    }
    assert found == {"2024-02": {"strengthened": 1}, "2024-01": {"new": 1}, "2019-10": {"new": 1}}
    assert 'role="img"' in section(page, "h-months")


def test_controls_stand_beside_the_promise(site: Site) -> None:
    controls = section(site.browser().get(PAGE).text, "h-controls")
    rate, lower, upper = (percent(share) for share in ever_alert_rate(3, 50))
    assert f"<td>3 / 50</td><td>{rate}</td><td>[{lower}, {upper}]</td>" in controls
    assert "<td>1 / 2</td><td>50%</td>" in controls
    assert "at most 12.5%" in controls


def test_suppressed_changes_are_counted_by_reason(site: Site) -> None:
    suppressed = section(site.browser().get(PAGE).text, "h-suppressed")
    assert suppressed.startswith('id="h-suppressed">7 changes were suppressed')
    for words in ("few more cases", "within the band"):
        assert words in suppressed


def test_versions_have_their_first_day(site: Site) -> None:
    versions = section(site.browser().get(PAGE).text, "h-versions")
    with site.service.model() as model:
        copy = next(model.between(Tier.AUTHORITY, 0, 99, since=NOW.date() - timedelta(9_999)))
    assert f">{copy['rules_hash']}</td><td>1 Jan 2024</td>" in versions
    assert "<td>9 Oct 2019</td>" in versions  # of the code, which safety alerts state as well
    assert "no alert states one" in versions  # of dictionaries


def test_latency_is_that_of_the_outbox(site: Site) -> None:
    assert "No delivery was acknowledged yet" in site.browser().get(PAGE).text
    with site.service.outbox() as outbox:
        outbox.record(outbox.due(NOW)[0], Attempt(SendOutcome.DELIVERED, "200"), NOW)
        outbox.pause("theirs", "x", "PMDA")
    page = site.browser().get(PAGE).text
    assert "Of the latest 1 delivery" in section(page, "h-latency")
    assert "1 delivery is paused</h1>" in page


def test_workers_are_asked_for_their_stages(tmp_path: Path) -> None:
    health = HealthServer(["cases", "detector"])
    health.stage_status("cases", Readiness(Phase.ACTIVE), {})
    health.stage_status("detector", Readiness(Phase.RESTORING, 0.5), {})
    with serving(("127.0.0.1", 0), CollectorRegistry(), health) as (host, port):
        workers = Workers([f"http://{host}:{port}"])
        page = replayed_site(tmp_path, intake=Intake(), workers=workers).browser().get(PAGE).text
    assert fact(page, "Stages") == ("not all up", "1 of 2 ready")
    assert fact(page, "Restore")[0] == "50%"
    assert '<progress max="1" value="0.5"' in page


@pytest.mark.parametrize(("act", "paused"), [("pause", True), ("resume", False)])
def test_an_operator_pauses_and_resumes_any_delivery(site: Site, act: str, paused: bool) -> None:
    browser = site.browser()
    form = {"act": act, "name": "theirs", "subscriber": "PMDA"}
    assert browser.post(ACT, data=form | {"token": "0"}).status_code == 403
    token = {"token": token_in(browser.get(PAGE).text)}
    answer = browser.post(ACT, data=form | token)
    assert answer.status_code == 303
    with site.service.outbox() as outbox:
        (status,) = outbox.statuses("theirs")
    assert (status.paused is not None) == paused
    assert site.visits()[-1].kind is VisitKind.CHANGED
    assert "theirs is " in browser.get(answer.headers["location"]).text
    assert browser.post(ACT, data=form | token | {"name": "none"}).status_code == 404


def test_others_deliveries_need_the_scope_of_operations(tmp_path: Path) -> None:
    site = replayed_site(tmp_path, gated=True)
    operator = site.signed_in("M. Okafor").get(PAGE).text
    assert ("theirs" in operator, 'action="/desk/operations/deliveries"' in operator) == (
        True,
        True,
    )
    reader = site.signed_in("M. Okafor", scopes=READS)
    page = reader.get(PAGE).text
    deliveries = section(page, "deliveries")
    assert ("theirs" in deliveries, "mine" in deliveries) == (False, True)
    assert 'action="/desk/operations/deliveries"' not in page
    form = {"act": "pause", "name": "mine", "subscriber": "M. Okafor", "token": token_in(page)}
    assert reader.post(ACT, data=form).status_code == 403


def test_a_consumer_sees_their_own_deliveries_alone_and_the_public_nothing(tmp_path: Path) -> None:
    site = replayed_site(tmp_path, gated=True)
    page = site.signed_in("M. Okafor", Tier.CONSUMER).get(PAGE).text
    assert ("mine" in page, "theirs" in page, "h-versions" in page) == (True, False, False)
    assert "Rejected" not in page
    assert "mine" not in site.signed_in("Another", Tier.CONSUMER).get(PAGE).text
    public = site.signed_in("M. Okafor", Tier.PUBLIC).get(PAGE)
    assert (public.status_code, "mine" in public.text) == (404, False)


def test_rejects_of_a_topic_are_counted_on_their_own_page(tmp_path: Path) -> None:
    site = replayed_site(tmp_path, intake=Intake())
    page = site.browser().get(PAGE).text
    assert fact(page, "Rejected")[0] == "unknown"
    assert "They are read from the topic when their page is opened." in section(page, "h-rejected")
    assert "Nothing was rejected" not in page
