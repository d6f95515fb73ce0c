"""Names of batches, and the times of their records on the way to an alert."""

import pytest

from streams.runtime.wire.batches import Batch, ReportTimes, Unreadable


def test_a_batch_is_named_by_its_range() -> None:
    assert str(Batch("pv.reports", 3, 100, 200)) == "pv.reports[3]@100-200"


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([5, 3, 9], ReportTimes(3, 9)),
        ([7], ReportTimes(7, 7)),
        ([-1, 4, -1], ReportTimes(4, 4)),  # some senders give none
        ([0], ReportTimes(0, 0)),
        ([-1], None),
        ([], None),
    ],
)
def test_the_times_of_a_batch_are_its_oldest_and_newest(
    stamps: list[int], times: ReportTimes | None
) -> None:
    found = ReportTimes.of(stamps)
    assert found == times
    if found is not None:
        assert ReportTimes.from_headers(found.headers()) == found


def test_a_delta_without_the_header_tells_none() -> None:
    assert ReportTimes.from_headers({}) is None
    assert ReportTimes.from_headers({"other": b"3-9"}) is None


def test_unreadable_bytes_are_bytes_with_a_reason() -> None:
    packed = Unreadable(b"\x00packed")
    assert (packed, packed.reason) == (b"\x00packed", "")
    assert isinstance(packed, bytes)
