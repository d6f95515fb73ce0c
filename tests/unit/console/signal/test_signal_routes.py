"""Addresses of the page of a signal: what each knows, and the alert byte for byte."""

from datetime import date, timedelta

import pytest

from schemas.alert import Alert
from tests.support.amended_cases import amended_reports, table_of
from tests.support.signal_pages import ReplayedDesk, address_of

KEY = "zinc|rash|cumulative"


def _of_pair(amended: ReplayedDesk) -> list[Alert]:
    return [one for one in amended.alerts if one.signal_key == KEY]


@pytest.mark.parametrize("revision", range(1, 8))
def test_an_alert_is_given_byte_for_byte(amended: ReplayedDesk, revision: int) -> None:
    alert = _of_pair(amended)[revision - 1]
    published = alert.model_dump_json().encode() + b"\n"  # the line that a replay writes
    answer = amended.client.get(address_of(alert, f"/r/{revision}/alert.json"))
    assert answer.content == published
    of_day = address_of(alert, f"/alert.json?as_of={alert.evaluated_on}")
    assert amended.client.get(of_day).content == published


@pytest.mark.parametrize("revision", range(1, 8))
def test_a_page_shows_the_numbers_of_its_revision(amended: ReplayedDesk, revision: int) -> None:
    alert = _of_pair(amended)[revision - 1]
    page = amended.get(address_of(alert, f"/r/{revision}"))
    table = table_of(amended_reports(), alert.evaluated_on)
    assert page.fact("n_observed") == str(table.n_observed) == str(alert.counts.n_observed)
    assert page.fact("n_serious") == str(alert.n_serious)
    assert set(page.rows("data-case")) == set(alert.case_ids)


def test_a_page_of_a_day_knows_nothing_later(amended: ReplayedDesk) -> None:
    """Every day of the story: no later revision, day, case or version is named on its page."""
    alerts = _of_pair(amended)
    for number in range(7, 31):
        day = date(2024, 1, 1) + timedelta(days=number)
        page = amended.get(address_of(alerts[0], f"?as_of={day}"))
        later = [one for one in alerts if one.evaluated_on > day]
        text = page.text
        for alert in later:
            assert alert.alert_id not in text
            assert f'/r/{alert.revision}"' not in text
            unknown = set(alert.case_ids) - {
                name for one in alerts if one.evaluated_on <= day for name in one.case_ids
            }
            assert not [name for name in unknown if name in text], day
        assert "fatal" in page.part("changed")
        assert ("death" in page.part("lines")) == (day >= date(2024, 1, 31))
        assert "Detected" in text


def test_the_comparator_is_in_the_address(amended: ReplayedDesk) -> None:
    alert = _of_pair(amended)[-1]
    strata = amended.get(address_of(alert, "?comparator=strata"))
    assert str(alert.n_comparators) in strata.fact("n_comparators")
    assert strata.tree.xpath('//*[@aria-current="true"]')[0].text_content() == "By stratum"
    asked = amended.get(address_of(alert, "?comparator=indication"))
    assert "the event is not what was treated" in asked.part("table")
    assert amended.get(address_of(alert, "?comparator=moon")).status == 422


def test_unknown_signals_revisions_and_days_are_not_found(amended: ReplayedDesk) -> None:
    alert = _of_pair(amended)[0]
    for address in (
        "/desk/signals/zinc%7Crush%7Ccumulative",
        address_of(alert, "/r/9"),
        address_of(alert, "?as_of=2023-12-31"),
    ):
        assert amended.get(address).status == 404


def test_answers_have_the_headers_of_every_page(amended: ReplayedDesk) -> None:
    headers = amended.client.get(address_of(amended.alerts[0])).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
