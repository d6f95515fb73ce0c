"""Readiness of a worker: its phase, the progress of that phase, and its blocked partitions."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Blocked", "Phase", "Readiness"]


class Phase(StrEnum):
    """Phase of a worker or of one of its partitions."""

    JOINING = "joining"  # waits for its group to assign partitions
    RESTORING = "restoring"  # restores its state; nothing is counted meanwhile
    BLOCKED = "blocked"  # a partition cannot be published or restored; the others continue
    ACTIVE = "active"  # counts and publishes
    STANDBY = "standby"  # a member of its group without partitions


class Blocked(NamedTuple):
    """A partition that cannot make progress, while the others do.

    Attributes
    ----------
    reason
        `no_answer`: the broker does not acknowledge the transaction; `failing`: attempts to publish
        fail; `takeover`: the state of the newly assigned partition cannot be restored.
    seconds
        Time since the partition was blocked [s].
    why
        Last error, in one line.
    """

    partition: int
    reason: str
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Phase of a worker, and its progress.

    Attributes
    ----------
    phase
        The least ready phase among its partitions: one that is restoring makes the worker so.
    fraction
        Completed part of the phase, 0 to 1; 1 for phases that do not end.
    blocked
        Partitions that cannot make progress.
    why
        Why a standby is not ready to take over; None if it is.

    Examples
    --------
    >>> print(Readiness(Phase.RESTORING, 0.634))
    restoring, 63%
    >>> print(Readiness(Phase.STANDBY))
    standby
    >>> print(Readiness(Phase.BLOCKED, blocked=(Blocked(3, "no_answer", 12.0, "no answer"),)))
    blocked, partition 3: no answer
    >>> print(Readiness(Phase.STANDBY, why="rules added ic"))
    standby, not ready: rules added ic
    """

    phase: Phase
    fraction: float = 1.0
    blocked: tuple[Blocked, ...] = ()
    why: str | None = None

    @classmethod
    def of_parts(cls, fractions: Iterable[float], blocked: Iterable[Blocked] = ()) -> "Readiness":
        """Combine the restored fraction of each partition, and the blocked partitions.

        >>> print(Readiness.of_parts([1.0, 0.5]))
        restoring, 75%
        >>> print(Readiness.of_parts([1.0, 1.0]), Readiness.of_parts([]))
        active standby
        """
        parts, all_blocked = list(fractions), tuple(blocked)
        if not parts:
            return cls(Phase.STANDBY)
        fraction = sum(parts) / len(parts)
        if fraction < 1:
            return cls(Phase.RESTORING, fraction, all_blocked)
        return cls(Phase.BLOCKED if all_blocked else Phase.ACTIVE, blocked=all_blocked)

    @property
    def ready(self) -> bool:
        """Return whether the worker is active, or a standby that can take partitions at once."""
        return self.phase in (Phase.ACTIVE, Phase.STANDBY) and self.why is None

    def __str__(self) -> str:
        """Return the phase, the percentage restored (rounded down), and the blocked partitions."""
        words = [self.phase.value]
        if self.phase is Phase.RESTORING:
            words.append(f"{int(self.fraction * 100)}%")
        words += [f"not ready: {self.why}"] if self.why else []
        words += [f"partition {blocked.partition}: {blocked.why}" for blocked in self.blocked]
        return ", ".join(words)
