import pytest

from schemas.alert import Alert
from streams.demo import background
from tests.support.replays import founding_case, replayed


@pytest.fixture(scope="session")
def founding_alerts() -> list[Alert]:
    """The alerts of the founding case: sepsis twice, progression three times."""
    reports, notices = founding_case()
    return replayed([*background(), *reports], notices=notices).alerts
