"""Examples of messages from the scenario, for the documents of the contracts."""

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

__all__ = ["EXAMPLES_FILE", "contract_example"]

EXAMPLES_FILE = "examples.json"
"""Written from a replay of the scenario by `python -m tests.golden`."""


@lru_cache(maxsize=1)
def _examples() -> dict[str, dict[str, Any]]:
    text = files("streams.demo").joinpath(EXAMPLES_FILE).read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = json.loads(text)
    return found


def contract_example(name: str) -> dict[str, Any]:
    """Return an example as JSON values.

    >>> contract_example("nullification")["revision"]["kind"]
    'nullification'
    """
    return _examples()[name]
