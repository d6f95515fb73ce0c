"""A desk with a few signals, and a client of its pages."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from streams.delivery.api.service import Service
from tests.support.api_server import service_in
from tests.support.many_signals import desk_app, desk_of, fill

SIGNALS = 300


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = service_in(tmp_path)
    fill(service, SIGNALS)
    return service


@pytest.fixture
def client(service: Service) -> TestClient:
    return TestClient(desk_app(desk_of(service)), follow_redirects=False)
