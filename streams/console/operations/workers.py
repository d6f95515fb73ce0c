"""Stages of the workers, as their readiness endpoints `/health/ready` state them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from streams.runtime.observability.readiness import Phase

__all__ = ["StageState", "Workers", "restored"]

_SECONDS = 2.0  # s for the answer of a worker; a page waits for each


@dataclass(frozen=True, slots=True)
class StageState:
    """A stage of a worker.

    Attributes
    ----------
    worker
        Address of the worker.
    stage
        Name of the stage; empty if the worker did not answer.
    phase
        Its phase; None if the worker did not answer.
    done
        Restored share, 0 to 1.
    why
        Why it is not active, in English; empty if it is.
    """

    worker: str
    stage: str
    phase: Phase | None
    done: float = 1.0
    why: str = ""

    @property
    def ready(self) -> bool:
        """Return whether it counts and publishes, or stands by."""
        return self.phase in {Phase.ACTIVE, Phase.STANDBY} and not self.why


class Workers:
    """Workers of a site.

    Parameters
    ----------
    addresses
        Of their monitoring endpoints, such as ``http://127.0.0.1:9100``.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = tuple(address.rstrip("/") for address in addresses)

    def stages(self) -> list[StageState]:
        """Return the stages of every worker, asked now."""
        return [stage for address in self._addresses for stage in _asked(address)]


def restored(stages: Iterable[StageState]) -> float | None:
    """Return the least restored share among stages that restore; None if none does."""
    return min((one.done for one in stages if one.phase is Phase.RESTORING), default=None)


def _asked(address: str) -> list[StageState]:
    try:
        body = _body(f"{address}/health/ready")
        found = [_stage(address, name, state) for name, state in body["stages"].items()]
    except (URLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = getattr(error, "reason", error)
        return [StageState(address, "", None, why=f"no answer: {reason}")]
    why = body.get("why") if body.get("status") == "disconnected" else None
    if why is None:
        return found
    return [StageState(one.worker, one.stage, one.phase, one.done, str(why)) for one in found]


def _body(url: str) -> dict[str, Any]:
    try:
        with urlopen(url, timeout=_SECONDS) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        with error:
            return dict(json.load(error))


def _stage(address: str, name: str, state: dict[str, Any]) -> StageState:
    blocked = state.get("blocked", {})
    why = "; ".join(f"partition {number}: {one['why']}" for number, one in blocked.items())
    done = float(state.get("done", 1.0))
    return StageState(address, name, Phase(state["status"]), done, why or state.get("why", ""))
