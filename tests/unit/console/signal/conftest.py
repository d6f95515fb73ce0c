"""One desk for the room: the pair with amended cases."""

from pathlib import Path

import pytest

from tests.support.amended_cases import amended_reports
from tests.support.signal_pages import ReplayedDesk, replayed_desk


@pytest.fixture(scope="package")
def amended(tmp_path_factory: pytest.TempPathFactory) -> ReplayedDesk:
    folder: Path = tmp_path_factory.mktemp("desk")
    return replayed_desk(folder, amended_reports())
