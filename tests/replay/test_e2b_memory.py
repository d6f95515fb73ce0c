"""A batch of E2B takes the memory of one message, however long it is."""

from pathlib import Path

import pytest

from benchmarks.e2b import memory_of, write_batch

SHORT, LONG = 4_000_000, 24_000_000  # bytes
MOST_MEGABYTES = 12  # more; as trees, the messages of the long batch would take 150


@pytest.mark.parametrize("scenario", ["r2", "r3"])
def test_memory_does_not_grow_with_the_batch(scenario: str, tmp_path: Path) -> None:
    path = tmp_path / "batch.xml"
    taken = []
    for size in (SHORT, LONG):
        write_batch(path, scenario, size)
        taken.append(memory_of(path))
    assert taken[1] - taken[0] <= MOST_MEGABYTES
