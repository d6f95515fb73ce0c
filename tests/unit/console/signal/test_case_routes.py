"""Line listing as page and CSV, and versions of a case, each as of a day."""

import csv
from io import StringIO

from tests.support.signal_pages import ReplayedDesk, address_of

KEY = "zinc|rash|cumulative"


def test_the_listing_has_every_case_of_the_alert(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    page = amended.get(address_of(alert, "/cases"))
    assert set(page.rows("data-case")) == set(alert.case_ids)
    added = page.tree.xpath('//tr[@class="added"]/@data-case')
    assert set(added) == set(alert.case_ids) - set(
        next(one for one in amended.alerts if one.signal_key == KEY and one.revision == 6).case_ids
    )


def test_an_earlier_listing_knows_no_later_version(amended: ReplayedDesk) -> None:
    """Z004 turned fatal on 31 January, Z005 was nullified on 26 January."""
    alert = amended.alerts[-1]
    before = amended.get(address_of(alert, "/cases?as_of=2024-01-20"))
    assert set(before.rows("data-case")) == {"Z001", "Z002", "Z003", "Z004", "Z005"}
    assert "death" not in " ".join(before.rows("data-case")["Z004"])
    now = amended.get(address_of(alert, "/cases"))
    assert "death" in " ".join(now.rows("data-case")["Z004"])
    assert amended.get(address_of(alert, "/r/3/cases")).rows("data-case") == before.rows(
        "data-case"
    )


def test_csv_has_the_lines_of_the_page(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    answer = amended.client.get(address_of(alert, "/cases.csv"))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))))
    assert {row["case_id"] for row in rows} == set(alert.case_ids)
    (fatal,) = [row for row in rows if row["case_id"] == "Z004"]
    assert (fatal["version"], fatal["seriousness"]) == ("2", "death; hospitalisation")


def test_versions_are_shown_field_by_field(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    page = amended.get(address_of(alert, "/cases/Z004/diff/1..2"))
    changed = page.tree.xpath('//tr[@class="changed"]/@data-field')
    assert changed == ["version", "latest_received", "seriousness"]
    assert page.rows("data-field")["seriousness"] == [
        "Seriousness",
        "was not stated",
        "now death, hospitalisation",
    ]
    assert [one.text for one in page.tree.xpath("//del")] == ["1", "2024-01-09"]
    assert [one.text for one in page.tree.xpath("//ins")][:2] == ["2", "2024-01-31"]
    link = address_of(alert, "/cases/Z004/diff/1..2")
    listing = amended.get(address_of(alert, "/cases"))
    assert listing.tree.xpath(f'//a[@href="{link}"]')


def test_versions_and_cases_that_were_not_known_are_not_found(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    for rest in (
        "/cases/Z004/diff/1..2?as_of=2024-01-25",
        "/cases/Z004/diff/1..3",
        "/cases/Y001/diff/1..1",
        "/cases?as_of=2024-01-02",
    ):
        assert amended.get(address_of(alert, rest)).status == 404, rest
