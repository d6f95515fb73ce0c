"""Onsets and the sequential test of a pair, against the run that evaluated it every day."""

import pytest

from streams.core.explanation.section import Section
from tests.support.explained import run, sections
from tests.support.replays import Replayed, founding_case, replayed


@pytest.fixture(scope="module")
def done() -> Replayed:
    return run("tocsin")


@pytest.fixture(scope="module")
def found(done: Replayed) -> dict[str, Section]:
    return sections(done)


def test_the_path_ends_at_the_e_value_that_the_rules_see(found: dict[str, Section]) -> None:
    rows = found["sequential"].rows
    e_value = next(
        row["value"]
        for row in found["rules"].rows
        if row["condition"].startswith("e_value_blocked")
    )
    assert rows[0]["e_value"] == pytest.approx(e_value, rel=1e-12)
    days = [row["day"] for row in rows]
    assert days == sorted(days, reverse=True)
    assert rows[0]["n_so_far"] == sum(row["n_observed"] for row in rows) == 10
    assert f"{len(rows)} days" in (found["sequential"].remark or "")


def test_onsets_of_the_pair_are_described(found: dict[str, Section]) -> None:
    values = {row["measure"]: row["value"] for row in found["onset"].rows}
    # Ten onsets on days 1 2 3 4 0 1 2 3 4 0.
    assert (values["n_onset"], values["longest_days"], values["median_reported"]) == (10, 4, 2)
    assert (values["median_corrected"], values["n_at_longest"]) == (2, 10)
    assert values["n_onset_others"] == 0
    assert (found["onset"].remark or "").startswith("10 of 10 cases state both days")


def test_a_lot_is_not_tested_and_says_so() -> None:
    told, notices = founding_case()
    done = replayed(told, notices=notices)
    lot = min(name for name in done.run.detector.codes.drugs.names if name.startswith("lot:"))
    found = sections(done, (lot, "Sepsis"))
    assert found["sequential"].rows == []
    assert "lots, facilities and families are not tested" in (found["sequential"].remark or "")
