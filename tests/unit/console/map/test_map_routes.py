"""The map as a browser meets it: its numbers are those of the alerts, of its day and tier."""

import html
import re
from datetime import date
from urllib.parse import quote

import pytest

from schemas.alert import Alert
from schemas.subscription import Tier
from streams.console.frame import formats
from tests.support.safety_desk import StoryDesk, desk_of_story, story

CLASS = "msc-supernatant-exosome"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> StoryDesk:
    return desk_of_story(tmp_path_factory.mktemp("desk"), with_background=True)


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> StoryDesk:
    return desk_of_story(tmp_path_factory.mktemp("desk"), tier=Tier.CONSUMER, with_background=True)


def heading(page: str) -> str:
    found = re.sub(r"<[^>]+>", "", page.split("<h1>")[1].split("</h1>")[0])
    return " ".join(html.unescape(found).split())


def latest(day: date) -> list[Alert]:
    """Return the latest alert of each signal up to a day, those that are on."""
    alerts = [one for one in story(with_background=True).published if isinstance(one, Alert)]
    found = {one.signal_key: one for one in alerts if one.evaluated_on <= day}
    return [one for one in found.values() if one.rules_fired]


@pytest.mark.parametrize("day", [date(2024, 5, 20), date(2024, 1, 31), date(2019, 12, 1)])
def test_signals_are_those_that_were_on(authority: StoryDesk, day: date) -> None:
    on = latest(day)
    page = authority.page(f"/desk/map?as_of={day}")
    n = len(on)
    assert heading(page).startswith(f"{n} signal{'' if n == 1 else 's'} ")
    for alert in on:
        limit = formats.logarithm(alert.statistics.ic_lower or 0)
        cell = f"IC025 {limit}, {alert.counts.n_observed} cases"
        assert f'aria-label="{alert.event}, {alert.drug}: {cell}"' in page


def test_what_changed_is_listed_beside_the_picture(authority: StoryDesk) -> None:
    page = authority.page("/desk/map?since=2024-05-01")
    listed = page.split("The marks that changed, by evidence</h2>")[1].split("</table>")[0]
    assert f"/desk/signals/{quote(f'{CLASS}|sepsis|cumulative', safe='')}" in listed
    assert "malignant" not in listed
    assert "Nothing changed since 20 May 2024." in authority.page("/desk/map?since=2024-05-20")


def test_cells_and_days_filter_the_worklist(authority: StoryDesk) -> None:
    page = html.unescape(authority.page("/desk/map"))
    assert f'href="/desk?tab=on&q=Sepsis+{CLASS}"' in page
    assert 'href="/desk?since=2024-05-19&sort=day"' in page


def test_the_calendar_counts_revisions(authority: StoryDesk) -> None:
    page = authority.page("/desk/map?as_of=2024-05-20")
    alerts = [one for one in story(with_background=True).published if isinstance(one, Alert)]
    table = page.split("The same as numbers</caption>")[1].split("</table>")[0]
    days = re.findall(r'>([^<]+)</a></th><td class="num">(\d+)', table)
    assert sum(int(n) for _, n in days) == sum(one.evaluated_on.year == 2024 for one in alerts)


def test_where_the_rules_agree(authority: StoryDesk) -> None:
    page = authority.page("/desk/map")
    table = page.split("Combinations")[0].split('class="onoff"')[1].split("</table>")[0]
    assert [name for name in ("MHRA", "EMA", "IC025") if f">{name}</th>" in table] == [
        "MHRA",
        "EMA",
        "IC025",
    ]
    rows = re.findall(r'<td class="num">(\d+)</td><td class="num">([\d.]+)%', table)
    assert sum(int(n) for n, _ in rows) == len(latest(date(2024, 5, 20)))
    assert sum(float(share) for _, share in rows) == pytest.approx(100)


def test_the_window_is_in_the_address(authority: StoryDesk) -> None:
    whole = authority.page("/desk/map")
    zoomed = authority.page("/desk/map?low=-1&high=1&first=0&last=2")
    figure = re.compile(r'<svg[^>]*id="volcano.*?</svg>|<svg(?:(?!</svg>).)*volcano.*?</svg>', re.S)
    found = [figure.search(page) for page in (whole, zoomed)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].group() != found[1].group()
    assert 'name="low" type="number" step="any" min="-20" max="20" value="-1.0"' in zoomed
    assert "Show all of it" in zoomed
    assert "Show all of it" not in whole


@pytest.mark.parametrize("query", ["q=&level=&grade=&since=&as_of=&low=&high=&first=&last=", ""])
def test_empty_fields_are_not_stated(authority: StoryDesk, query: str) -> None:
    assert authority.client.get(f"/desk/map?{query}").status_code == 200


@pytest.mark.parametrize("query", ["low=wide", "low=nan", "level=planet", "as_of=soon", "high=99"])
def test_a_wrong_field_is_refused(authority: StoryDesk, query: str) -> None:
    assert authority.client.get(f"/desk/map?{query}").status_code == 422


def test_names_are_found(authority: StoryDesk) -> None:
    page = authority.page("/desk/map?q=EXOS")
    assert f'href="/desk/map/products/{CLASS}"' in page
    assert "No signal names" in authority.page("/desk/map?q=no+such")


def test_an_explorer_lists_what_is_no_signal(authority: StoryDesk) -> None:
    page = authority.page(f"/desk/map/products/{CLASS}")
    assert "Also what is no signal." in page
    rows = re.findall(r'lang="en">([^<]+)</a></th><td>(\d+)</td>', page)
    assert ("Sepsis", "4") in rows
    assert ("Nausea", "1") in rows
    assert "no signal" in page
    assert "a rule is on" in page
    events = authority.page("/desk/map/events/SEPSIS")
    assert f'href="/desk/map/products/{CLASS}"' in events


def test_an_explorer_of_a_day_has_the_signals_of_that_day(authority: StoryDesk) -> None:
    page = authority.page(f"/desk/map/products/{CLASS}?as_of=2019-12-01")
    assert "Signals alone." in page
    assert "Nausea" not in page
    assert re.findall(r'lang="en">([^<]+)</a></th><td>(\d+)</td>', page) == [("Sepsis", "3")]


def test_a_consumer_sees_signals_alone(consumer: StoryDesk) -> None:
    page = consumer.page(f"/desk/map/products/{CLASS}")
    assert "Signals alone." in page
    assert "Nausea" not in page
    for path in ("/desk/map", f"/desk/map/products/{CLASS}", "/desk/map/events/Sepsis"):
        assert "facility:" not in consumer.page(path)
        assert "lot:EX117" not in consumer.page(path)
    consumer.page("/desk/map/products/lot:EX117", 404)
    consumer.page("/desk/map/products/facility:C-A", 404)
    consumer.page("/desk/map/events/nausea", 404)


def test_unknown_names_are_not_found(authority: StoryDesk) -> None:
    for path in ("products/nothing", "events/nothing", "products/", "planets/x"):
        assert authority.client.get(f"/desk/map/{path}").status_code in (404, 422), path


def test_the_public_has_no_map(tmp_path_factory: pytest.TempPathFactory) -> None:
    public = desk_of_story(tmp_path_factory.mktemp("desk"), tier=Tier.PUBLIC, with_background=True)
    for path in ("/desk/map", f"/desk/map/products/{CLASS}", "/desk/map/events/sepsis"):
        public.page(path, 404)
    assert 'href="/desk/map"' not in public.page("/desk/rumours")


def test_a_new_revision_is_on_the_next_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    desk = desk_of_story(tmp_path_factory.mktemp("desk"), with_background=True)
    before = heading(desk.page("/desk/map"))
    alert = latest(date(2024, 5, 20))[0]
    revision = alert.model_copy(
        update={
            "signal_key": "another|sepsis|cumulative",
            "drug": "another",
            "alert_id": "f" * 32,
            "revision": 1,
        }
    )
    with desk.desk.service.model() as model:
        model.put(revision, source="alerts", position=10_000)
    assert before.startswith("2 signals are on")
    assert heading(desk.page("/desk/map")).startswith("3 signals are on")


def test_pages_are_in_both_languages(tmp_path_factory: pytest.TempPathFactory) -> None:
    desk = desk_of_story(tmp_path_factory.mktemp("desk"), with_background=True)
    assert heading(desk.page("/desk/map?lang=ja")).startswith("該当中のシグナル2件、")
    assert "シグナルでないものも含む" in desk.page(f"/desk/map/products/{CLASS}?lang=ja")
