"""One desk for the room: the pair with amended cases; and the libraries of PDF."""

import pytest

from tests.support.amended_cases import amended_reports
from tests.support.browser.chromium import load_pango, without
from tests.support.browser.debian import NotInstalled
from tests.support.signal_pages import ReplayedDesk, replayed_desk


@pytest.fixture(scope="package")
def amended(tmp_path_factory: pytest.TempPathFactory) -> ReplayedDesk:
    return replayed_desk(tmp_path_factory.mktemp("desk"), amended_reports())


@pytest.fixture(scope="session")
def pango() -> None:
    """The libraries that WeasyPrint needs for PDF."""
    try:
        load_pango()
    except NotInstalled as why:
        without("Pango", why)
