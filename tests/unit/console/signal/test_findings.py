"""Captions of the figures, from frames made by hand."""

from datetime import date

import polars as pl
import pytest

from streams.console.signal.evidence import Evidence
from streams.console.signal.findings import findings

_LANES = {"onset_days": pl.Int64()}


def _evidence(**frames: pl.DataFrame) -> Evidence:
    usual = {
        "trend": pl.DataFrame({"day": [date(2024, 1, 1)], "ic_lower": [0.5]}),
        "forest": pl.DataFrame({"factor": ["all", "sex", "sex"], "ic_lower": [1.0, 0.2, -0.1]}),
        "neighbours": pl.DataFrame({"ic_lower_without": [0.5, -1.0, None]}),
        "lanes": pl.DataFrame({"onset_days": [0, 7, 8, None, -1]}, schema=_LANES),
        "path": pl.DataFrame(),
    }
    return Evidence(**{**usual, **frames})


@pytest.mark.parametrize(
    ("bounds", "since"),
    [
        ([-1.0, 0.1, 0.2], 2),
        ([0.1, -0.1, 0.2], 3),
        ([0.1, 0.1, 0.2], 1),
        ([0.1, 0.1, 0.0], None),
        ([0.1, 0.1, None], None),
    ],
)
def test_the_day_since_which_the_bound_is_above_zero(
    bounds: list[float | None], since: int | None
) -> None:
    days = [date(2024, 1, number) for number in (1, 2, 3)]
    found = findings(_evidence(trend=pl.DataFrame({"day": days, "ic_lower": bounds})))
    assert found.since == (None if since is None else date(2024, 1, since))
    assert found.trend.name == ("finding_above" if since else "finding_not_above")


def test_subgroups_onsets_and_neighbours_are_counted() -> None:
    found = findings(_evidence())
    assert (found.forest.name, dict(found.forest.values)) == ("finding_groups", {"n": 1, "of": 2})
    assert dict(found.lanes.values) == {"n": 2, "of": 4}
    assert dict(found.neighbours.values) == {"n": 1, "of": 3}


def test_nothing_to_count_is_said() -> None:
    found = findings(
        _evidence(
            forest=pl.DataFrame({"factor": ["all"], "ic_lower": [1.0]}),
            neighbours=pl.DataFrame(schema={"ic_lower_without": pl.Float64()}),
            lanes=pl.DataFrame({"onset_days": [None]}, schema=_LANES),
        )
    )
    names = (found.forest.name, found.lanes.name, found.neighbours.name)
    assert names == ("finding_one_group", "finding_no_onset", "finding_alone")
