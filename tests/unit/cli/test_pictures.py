"""The pictures of a replay: every kind is drawn, with the names to show."""

from datetime import date, timedelta

import pytest

from schemas.errors import InputError
from streams.cli.pictures import OF_ALL, OF_PAIR, PictureKind, PlottedPair, plotted_pair
from streams.core.wording.catalogue import Language
from tests.support.explained import explained_run, run
from tests.support.pictures import entries_of, root_of
from tests.support.replays import Replayed

EPOCH = date(1970, 1, 1)


@pytest.fixture(scope="module")
def done() -> Replayed:
    return run()


def pair(done: Replayed, language: Language = Language.ENGLISH) -> PlottedPair:
    return plotted_pair(explained_run(done), "Zinc.", " RASH", language, where="plot signal")


def test_every_kind_is_of_a_pair_or_of_all() -> None:
    assert set(OF_PAIR) | set(OF_ALL) == set(PictureKind)
    assert not set(OF_PAIR) & set(OF_ALL)


@pytest.mark.parametrize("kind", OF_PAIR)
@pytest.mark.parametrize("language", Language)
def test_a_picture_of_a_pair_names_it(
    kind: PictureKind, language: Language, done: Replayed
) -> None:
    svg = OF_PAIR[kind](pair(done, language), {"language": language, "width": 680})
    title = root_of(svg)[0].text or ""
    assert "zinc" in title
    assert "rash" in title
    assert root_of(svg).get("width") == "680"


@pytest.mark.parametrize("kind", OF_ALL)
def test_a_picture_of_all_signals_has_numbers(kind: PictureKind, done: Replayed) -> None:
    explained = explained_run(done)
    day = EPOCH + timedelta(days=explained.last_day)
    svg = OF_ALL[kind](list(explained.alerts), day, {"language": "en"})
    assert entries_of(svg)


def test_numbers_of_the_trend_are_those_of_the_alerts(done: Replayed) -> None:
    given = pair(done)
    entries = entries_of(OF_PAIR[PictureKind.SIGNAL](given, {"language": "en"}))
    assert len(given.alerts) > 2
    for entry, alert in zip(entries, given.alerts, strict=False):
        assert alert.evaluated_on.isoformat() in entry
        assert f"{alert.counts.n_observed} case" in entry
        assert f"IC {alert.statistics.ic:.2f} [" in entry


def test_a_name_that_no_case_has_is_refused(done: Replayed) -> None:
    with pytest.raises(InputError, match="plot forest: a counted case must name the event"):
        plotted_pair(explained_run(done), "zinc", "x", Language.ENGLISH, where="plot forest")
