"""Readiness of a worker, combined over its partitions."""

import pytest

from streams.runtime.observability.readiness import Blocked, Phase, Readiness

STUCK = Blocked(3, "no_answer", 12.0, "publish pv.reports[3]: no answer")


@pytest.mark.parametrize(
    ("fractions", "blocked", "readiness", "words"),
    [
        ([], [], Readiness(Phase.STANDBY), "standby"),
        ([1.0, 1.0], [], Readiness(Phase.ACTIVE), "active"),
        ([1.0, 0.268], [], Readiness(Phase.RESTORING, 0.634), "restoring, 63%"),
        ([0.999], [], Readiness(Phase.RESTORING, 0.999), "restoring, 99%"),
        (
            [1.0],
            [STUCK],
            Readiness(Phase.BLOCKED, blocked=(STUCK,)),
            "blocked, partition 3: publish pv.reports[3]: no answer",
        ),
        (
            [0.5],
            [STUCK],
            Readiness(Phase.RESTORING, 0.5, (STUCK,)),
            "restoring, 50%, partition 3: publish pv.reports[3]: no answer",
        ),
    ],
)
def test_a_worker_is_as_ready_as_the_least_ready_of_its_partitions(
    fractions: list[float], blocked: list[Blocked], readiness: Readiness, words: str
) -> None:
    found = Readiness.of_parts(fractions, blocked)
    assert found == readiness
    assert str(found) == words


@pytest.mark.parametrize("phase", Phase)
def test_ready_is_who_works_or_could_at_once(phase: Phase) -> None:
    assert Readiness(phase).ready is (phase in (Phase.ACTIVE, Phase.STANDBY))
