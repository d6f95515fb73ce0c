"""Stages of workers, asked over HTTP of the real endpoint."""

import socket

from prometheus_client import CollectorRegistry

from streams.console.operations.workers import StageState, Workers, restored
from streams.runtime.observability.health import HealthServer, serving
from streams.runtime.observability.readiness import Blocked, Phase, Readiness


def _stages(*states: Readiness, why: str | None = None) -> list[StageState]:
    health = HealthServer(
        [f"stage {number}" for number in range(len(states))], unreachable_reason=lambda: why
    )
    for number, state in enumerate(states):
        health.stage_status(f"stage {number}", state, {})
    with serving(("127.0.0.1", 0), CollectorRegistry(), health) as (host, port):
        return Workers([f"http://{host}:{port}/"]).stages()


def test_stages_have_the_phase_that_their_worker_states() -> None:
    active, restoring = _stages(Readiness(Phase.ACTIVE), Readiness(Phase.RESTORING, 0.634))
    assert (active.stage, active.phase, active.ready) == ("stage 0", Phase.ACTIVE, True)
    assert (restoring.phase, restoring.ready) == (Phase.RESTORING, False)
    assert restored([active, restoring]) == 0.63
    assert restored([active]) is None
    first, last = _stages(Readiness(Phase.RESTORING, 0.2), Readiness(Phase.RESTORING, 0.9))
    assert restored([last, first]) == restored([first, last]) == 0.2


def test_what_is_blocked_or_disconnected_says_why() -> None:
    blocked = Readiness(Phase.BLOCKED, blocked=(Blocked(3, "no_answer", 12.0, "no answer"),))
    (one,) = _stages(blocked)
    assert (one.ready, one.why) == (False, "partition 3: no answer")
    (one,) = _stages(Readiness(Phase.ACTIVE), why="no broker at kafka1")
    assert (one.ready, one.why) == (False, "no broker at kafka1")
    (one,) = _stages(Readiness(Phase.STANDBY, why="rules added ic"))
    assert not one.ready


def test_a_worker_that_does_not_answer_is_a_row_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    (one,) = Workers([f"http://127.0.0.1:{port}"]).stages()
    assert (one.phase, one.ready) == (None, False)
    assert one.why.startswith("no answer: ")
