"""Hostile files are refused, or their lines are, within seconds and in little memory."""

from pathlib import Path

import pytest

from tests.hostile_files import HOSTILE, MOST_MEGABYTES, MOST_SECONDS, Hostile, measure


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_hostile_file_costs_little(hostile: Hostile, tmp_path: Path) -> None:
    outcome = measure(hostile, tmp_path)
    assert hostile.says in outcome.said
    if hostile.rejects is None:
        assert outcome.code == 2
        assert outcome.said.strip().count("\n") == 0, "one line says why"
    else:
        assert (outcome.code, outcome.rejects) == (0, hostile.rejects)
    assert outcome.seconds <= MOST_SECONDS
    assert outcome.megabytes <= MOST_MEGABYTES
