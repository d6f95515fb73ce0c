"""Files that hold fewer messages than alerts were made from are refused with their offsets."""

from types import SimpleNamespace
from typing import Any

import pytest

from schemas.alert import InputOffset
from schemas.errors import InputError
from streams.core.recount.source_ranges import SourceRange, require_sources

RANGES = [SourceRange("a.zip", 0, 1_500), SourceRange("b.zip", 1_500, 1_500)]


def _alert(*ends: int) -> Any:
    as_of = [
        InputOffset(topic="pv.reports", partition=partition, next_offset=end)
        for partition, end in enumerate(ends)
    ]
    return SimpleNamespace(as_of=tuple(as_of))


def test_alerts_within_the_files_and_of_live_runs_pass() -> None:
    require_sources("recount", [_alert(1_500), _alert(3), _alert(9_000, 9_000)], RANGES)
    require_sources("recount", [], [])


def test_messages_beyond_the_files_are_said() -> None:
    with pytest.raises(InputError) as refused:
        require_sources("recount", [_alert(1_501), _alert(2_000), _alert(1_500)], RANGES)
    assert str(refused.value) == (
        "recount: --source must name every file of the replay, in its order: the alerts were made "
        "from the messages 0 to 1,999; got a.zip from 0 to 1,499, b.zip with none. Messages 1,500 "
        "to 1,999 are missing, which 2 of 3 alerts need"
    )
