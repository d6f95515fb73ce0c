from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streams.delivery.api.service import Service
from tests.support.api_server import Connect, client_of, feed, reported, service_in, serving
from tests.support.assessments import LOT, SDR


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service with a signal, a lot cluster, and two of its cases."""
    made = service_in(tmp_path)
    feed(made, [SDR, LOT], [reported("NE-1"), reported("NE-2")])
    return made


@pytest.fixture
def connect(service: Service) -> Iterator[Connect]:
    with serving(service) as address, ExitStack() as opened:
        yield lambda token: opened.enter_context(client_of(address, token))
