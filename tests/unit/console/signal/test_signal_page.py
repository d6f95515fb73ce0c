"""Values of the page: addresses, commands, days left, and what is kept from whom."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from fastapi.testclient import TestClient

from schemas.subscription import Tier
from streams.console.application import desk_application
from streams.console.signal.asked import asked_signal
from streams.console.signal.signal_page import (
    addresses,
    days_left,
    known_versions,
    name_values,
    recount_command,
)
from streams.core.wording.catalogue import Language
from tests.support.amended_cases import amended_reports
from tests.support.replays import founding_case
from tests.support.signal_pages import ReplayedDesk, address_of, replayed_desk

KEY = "zinc|rash|cumulative"


def test_addresses_keep_the_day_and_the_revision(amended: ReplayedDesk) -> None:
    now = addresses(asked_signal(amended.desk, Tier.AUTHORITY, KEY))
    assert now["address"] == "/desk/signals/zinc%7Crash%7Ccumulative"
    assert now["tab_address"]("strata") == f"{now['address']}?comparator=strata"
    earlier = addresses(asked_signal(amended.desk, Tier.AUTHORITY, KEY, revision=2))
    assert earlier["shown_query"] == "?as_of=2024-01-10"
    assert earlier["tab_address"]("all") == (
        f"{now['address']}/r/2?as_of=2024-01-10&comparator=all"
    )
    assert amended.get(earlier["tab_address"]("all")).status == 200


def test_a_name_with_a_separator_is_one_part_of_the_address(tmp_path: Path) -> None:
    reports = [
        one.model_copy(
            update={
                "products": tuple(
                    product.model_copy(update={"substances": ("zinc/iron | 5%",)})
                    for product in one.products
                )
            }
        )
        if one.case_id.startswith("Z")
        else one
        for one in amended_reports()
    ]
    done = replayed_desk(tmp_path, reports)
    alert = next(one for one in done.alerts if one.drug == "zinc/iron | 5%")
    page = done.over_wire(address_of(alert))
    assert page.status == 200
    links = [one for one in page.tree.xpath("//main//a/@href") if "/signals/" in one]
    assert len(links) > 10
    for link in links:
        assert done.over_wire(link).status == 200, link


def test_the_command_recounts_the_revision(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    command = recount_command(alert, amended.desk)
    assert command == (
        f"tocsin recount {alert.alert_id} --alerts alert.json --source reports.jsonl"
    )
    live = replace(amended.desk, intake=replace(amended.desk.intake, replayed=False))
    assert recount_command(alert, live) == f"tocsin recount {alert.alert_id}"


def test_days_left_are_of_the_day_of_the_page(amended: ReplayedDesk) -> None:
    asked = asked_signal(amended.desk, Tier.AUTHORITY, KEY, as_of=date(2024, 1, 7))
    due = asked.statistical.due
    assert due is not None
    assert days_left(asked, amended.desk) == (due - date(2024, 1, 7)).days
    undue = replace(asked, assessment=asked.assessment.model_copy(update={"due": None}))
    assert days_left(undue, amended.desk) is None


def test_versions_of_a_day_are_those_that_had_come(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    of_day = known_versions(amended.desk, alert, date(2024, 1, 30), ["Z004"])
    assert [version.line.version for version in of_day] == [1]
    now = known_versions(amended.desk, alert, None, ["Z004"])
    assert [version.line.version for version in now] == [1, 2]
    # Without the history of the counts, what the revision was counted from.
    blind = replace(amended.desk, history=None)
    first = next(one for one in amended.alerts if one.signal_key == KEY)
    assert len(known_versions(blind, first, first.evaluated_on, ["Z004"])) == 0
    assert len(known_versions(blind, alert, date(2024, 1, 30), ["Z004"])) == 2


def test_names_are_those_of_the_texts(amended: ReplayedDesk) -> None:
    assert name_values(amended.alerts[-1], Language.ENGLISH) == {
        "product": "zinc",
        "event": "Rash",
    }


def test_a_server_without_cases_says_what_it_cannot_compute(amended: ReplayedDesk) -> None:
    desk = replace(amended.desk, history=None)
    client = TestClient(desk_application(desk), base_url="http://testserver")
    answer = client.get(address_of(amended.alerts[-1]))
    assert answer.status_code == 200
    assert answer.text.count("this server reads alerts, not reports") == 2


def test_below_the_authority_no_page_answers(amended: ReplayedDesk) -> None:
    for tier in (Tier.CONSUMER, Tier.PUBLIC):
        desk = replace(amended.desk, tier=tier)
        client = TestClient(desk_application(desk), base_url="http://testserver")
        for rest in ("", "/cases", "/cases.csv", "/alert.json", "/dossier.html", "/diff/1..2"):
            answer = client.get(address_of(amended.alerts[-1], rest))
            assert answer.status_code == 404, rest


def test_safety_alerts_have_a_plain_page(tmp_path: Path) -> None:
    done = replayed_desk(tmp_path, *founding_case())
    safety = [one for one in done.published if one not in done.alerts]
    assert safety
    for alert in safety:
        japanese = done.as_reader("A").get(address_of(alert, "?lang=ja"))
        assert japanese.status_code == 200
        english = done.get(address_of(alert, f"/r/{alert.revision}"))
        assert alert.sentence in english.tree.text_content()
        assert alert.caveat in english.tree.text_content()
