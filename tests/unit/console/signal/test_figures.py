"""The numbers in the descriptions of the figures are those of the alert and the cases."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from streams.console.frame.rendering import environment
from streams.console.frame.texts import texts_in
from streams.console.signal.figures import IN_PRINT, ON_SCREEN, restricted_figure, trend_rows
from streams.core.wording.catalogue import Language
from tests.support.amended_cases import amended_reports
from tests.support.replays import founding_case
from tests.support.signal_pages import Page, ReplayedDesk, address_of, replayed_desk

SVG = "{http://www.w3.org/2000/svg}"


def _descriptions(page: Page) -> dict[str, str]:
    """Return the description of each picture by the first word of its id."""
    return {
        picture.xpath("./title/@id")[0].partition("-")[0]: picture.xpath("./desc")[0].text_content()
        for picture in page.tree.xpath("//svg[@role='img']")
    }


def test_each_picture_says_its_numbers(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    said = _descriptions(amended.get(address_of(alert)))
    assert set(said) == {"trend", "forest", "swimlane", "evidence"}  # no case names a neighbour
    n, ic = alert.counts.n_observed, f"{alert.statistics.ic:.2f}"
    assert f"Revision 7, 2024-01-31: {n} cases, IC {ic}" in said["trend"]
    assert f"All reports: {n} cases" in said["forest"]
    assert all(name in said["swimlane"] for name in alert.case_ids)


def test_neighbours_are_drawn_where_there_are_any(amended: ReplayedDesk) -> None:
    iron = next(one for one in amended.alerts if one.drug == "iron")
    said = _descriptions(amended.get(address_of(iron)))
    assert "gold" in said["neighbours"]


def test_a_day_draws_no_later_revision(amended: ReplayedDesk) -> None:
    said = _descriptions(amended.get(address_of(amended.alerts[-1], "?as_of=2024-01-25")))
    assert "Revision 4" in said["trend"]
    assert "Revision 5" not in said["trend"]


def test_print_has_its_own_widths() -> None:
    assert {IN_PRINT.trend, IN_PRINT.half, IN_PRINT.neighbours, IN_PRINT.evidence} == {680}
    assert ON_SCREEN.trend == 940


def test_days_on_which_nothing_printed_changes_are_left_out() -> None:
    table = pl.DataFrame(
        {
            "day": [date(2024, 1, day) for day in range(1, 7)],
            "n_observed": [0, 0, 1, 1, 1, 1],
            "ic": [0.101, 0.104, 0.104, 0.2, 0.201, 0.202],
            "ic_lower": [None, None, -1.0, -1.0, -1.0, -1.0],
            "ic_upper": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        }
    )
    assert [day.day for day in trend_rows(table)["day"]] == [1, 3, 4, 6]
    assert trend_rows(table.clear()).is_empty()


def test_the_ratio_within_the_indication_is_drawn_beside_that_of_all(tmp_path: Path) -> None:
    done = replayed_desk(tmp_path, founding_case()[0])
    confounded = [one for one in done.alerts if one.restricted is not None]
    assert confounded
    t = texts_in(Language.ENGLISH)
    within = confounded[-1].restricted
    assert within is not None
    ratio = {"ror": 3.5, "ror_lower": 0.575, "ror_upper": 21.3}
    stated = within.model_copy(update={"statistics": within.statistics.model_copy(update=ratio)})
    drawn = restricted_figure([confounded[-1].model_copy(update={"restricted": stated})], t, 440)
    assert "within 3.50 [0.575, 21.3]" in drawn


def test_pictures_stay_without_styles_of_their_own(amended: ReplayedDesk) -> None:
    """The policy of the pages refuses them."""
    for language in ("en", "ja"):
        reader = amended.as_reader("A. Assessor")
        text = reader.get(address_of(amended.alerts[-1], f"?lang={language}")).text
        assert "<svg" in text
        assert "style=" not in text
        assert "<style" not in text


@pytest.mark.parametrize("name", ["signal.html.j2", "dossier.html.j2", "safety.html.j2"])
def test_templates_can_be_read(name: str) -> None:
    assert environment().get_template(name)


def test_reports_of_one_pair_are_enough(tmp_path: Path) -> None:
    reports = [one for one in amended_reports() if one.case_id.startswith("Z")]
    done = replayed_desk(tmp_path, reports, rules="ic")
    for alert in done.alerts:
        assert done.get(address_of(alert)).status == 200
