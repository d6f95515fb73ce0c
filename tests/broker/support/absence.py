"""Handling of a missing broker: broker tests fail in CI, and skip with a summary elsewhere."""

import os
from typing import NoReturn

import pytest

from tests.broker.support.kafka_jars import NoBroker

NO_BROKER = pytest.StashKey[str]()


def without_broker(config: pytest.Config, why: NoBroker) -> NoReturn:
    """Fail or skip the test: an untested guarantee must not count as passed."""
    if os.environ.get("CI"):
        pytest.fail(f"CI is set and no Kafka can be had: {why}", pytrace=False)
    config.stash[NO_BROKER] = str(why)
    pytest.skip(f"NO KAFKA: {why}")
