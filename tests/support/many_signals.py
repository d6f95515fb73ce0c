"""Many signals of the shape of real alerts: golden alerts multiplied, with a seed."""

import json
import math
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.alert import Alert, AlertKind, SignalGrade
from schemas.priority import Priority, PriorityLevel
from schemas.subscription import Tier
from streams.console.application import desk_application
from streams.console.desk import Desk, Intake
from streams.core.signals.signal_key import signal_key
from streams.delivery.api.read_model import ReadModel
from streams.delivery.api.service import Service
from streams.delivery.tiers import Copy

__all__ = ["LAST_DAY", "desk_app", "desk_of", "fill", "many_signals", "next_revision", "store"]

LAST_DAY = date(2024, 6, 1)
"""Day that is closed; a tenth of the signals changed in the week before."""
_GOLDEN = Path(__file__).resolve().parents[1] / "replay" / "golden" / "alerts.jsonl"
_HOST = "desk.test"
_PER_EVENT = 5  # signals of one event, so that some are kin
_KINDS = (AlertKind.NEW, AlertKind.STRENGTHENED, AlertKind.STRENGTHENED, AlertKind.WEAKENED)


def many_signals(n: int, seed: int = 1) -> Iterator[Copy]:
    """Yield the authority's copies of so many signals, one revision each."""
    line = _GOLDEN.read_text("utf-8").splitlines()[0]
    golden = Alert.model_validate_json(json.dumps({**json.loads(line), "code_version": "1"}))
    shape = golden.model_dump(mode="json")
    dice = random.Random(seed)
    for number in range(n):
        yield _signal(shape, number, dice)


def _signal(shape: Copy, number: int, dice: random.Random) -> Copy:
    story, place = divmod(number, _PER_EVENT)
    drug, event = f"product {story}-{place}", f"Event {story}"
    key = signal_key(drug, event.casefold(), "cumulative")
    cases = dice.randint(3, 40)
    days = dice.randint(0, 6) if dice.random() < 0.1 else dice.randint(10, 900)
    day = LAST_DAY - timedelta(days=days)
    factor = math.exp(dice.gauss(0, 1))
    ic = dice.gauss(1.5, 1)
    priority = Priority(
        total=factor / (1 + factor),
        level=PriorityLevel.HIGH if factor > 1 else PriorityLevel.LOW,
        parts={"evidence": 1.0, "freshness": 1.0},
        weights={},
        burst_only=False,
        score=factor,
        factors={"evidence": factor, "freshness": 1.0},
        thresholds={"high": 0.6, "medium": 0.4},
    )
    first = story * 1000 + place // 2 * 50  # two signals of an event share most of their cases
    return {
        **shape,
        "alert_id": f"{number:026x}{1:06x}",
        "signal_key": key,
        "kind": _KINDS[number % len(_KINDS)].value,
        "drug": drug,
        "event": event,
        "grade": (SignalGrade.SCREENING if number % 4 == 3 else SignalGrade.ALARM).value,
        "urgent": number % 10 == 0,
        "evaluated_on": day.isoformat(),
        "due": (day + timedelta(days=30)).isoformat(),
        "first_alert_on": day.isoformat(),
        "first_alarm_on": None,
        "previous": None,
        "counts": {"n_observed": cases, "n_drug": 900, "n_event": 500, "n_total": 90_000},
        "n_serious": cases // 2,
        "n_fatal": cases // 20,
        "case_ids": [f"NE-{first + case}" for case in range(cases)],
        "statistics": shape["statistics"]
        | {"ic": ic, "ic_lower": ic - 1.2, "ic_upper": ic + 0.9, "expected": cases / 2**ic},
        "priority": priority.model_dump(mode="json"),
    }


def next_revision(copy: Copy, number: int) -> Copy:
    """Return a later revision of a copy, with one case more."""
    counts = copy["counts"] | {"n_observed": copy["counts"]["n_observed"] + 1}
    revision = copy["revision"] + number
    return copy | {
        "revision": revision,
        "alert_id": f"{copy['alert_id'][:26]}{revision:06x}",
        "kind": AlertKind.STRENGTHENED.value,
        "counts": counts,
        "evaluated_on": LAST_DAY.isoformat(),
    }


def store(model: ReadModel, copies: Iterator[Copy] | list[Copy]) -> None:
    """Store copies of the authority as they are, without those of other tiers."""
    with model.batch():
        for copy in copies:
            model._store(Tier.AUTHORITY, copy, date.fromisoformat(copy["evaluated_on"]))


def fill(service: Service, n: int, seed: int = 1) -> None:
    """Store so many signals in the read model of a service."""
    with service.model() as model:
        store(model, many_signals(n, seed))


def desk_of(service: Service, **changes: Any) -> Desk:
    """Return a desk of a service, as if files were replayed up to `LAST_DAY`."""
    values = {
        "intake": Intake(("generated",), replayed=True, closed=LAST_DAY, n_counted=90_000),
        "readers_path": service.model_path.parent / "readers.db",
        "hosts": frozenset({_HOST}),
    }
    return Desk(service=service, **(values | changes))


def desk_app(desk: Desk) -> ASGIApp:
    """Return the application of a desk, for a server whose port is known only once it listens."""
    app = desk_application(desk)

    async def with_host(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
        await app(scope | {"headers": [*headers, (b"host", _HOST.encode())]}, receive, send)

    return with_host
