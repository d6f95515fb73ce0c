"""One desk for the room: the pair with amended cases."""

import pytest

from tests.support.amended_cases import amended_reports
from tests.support.signal_pages import ReplayedDesk, replayed_desk


@pytest.fixture(scope="package")
def amended(tmp_path_factory: pytest.TempPathFactory) -> ReplayedDesk:
    return replayed_desk(tmp_path_factory.mktemp("desk"), amended_reports())
