"""What a worker is doing now, for whoever decides whether it may be relied upon."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Blocked", "Phase", "Readiness"]


class Phase(StrEnum):
    """What a worker, or one partition of it, is doing."""

    JOINING = "joining"  # waits for its group: it knows of no partition
    RESTORING = "restoring"  # makes its state again; nothing is counted meanwhile
    BLOCKED = "blocked"  # a partition cannot be published, or taken over; the others go on
    ACTIVE = "active"  # counts and publishes
    STANDBY = "standby"  # a member of its group without a partition


class Blocked(NamedTuple):
    """A partition that cannot go on by itself, while the others do.

    Attributes
    ----------
    reason
        `no_answer` to what was published, `failing` attempts to publish it, or `takeover`: what the
        partition needs before it is counted cannot be had.
    seconds
        For how long.
    why
        The last error, in one line.
    """

    partition: int
    reason: str
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a worker is doing, and how far it is with it.

    Attributes
    ----------
    phase
        The least ready of what it does: a worker that still restores one partition restores.
    fraction
        Part of the work of this phase that is done, 0 to 1; 1 for the phases that do not end.
    blocked
        Partitions that cannot go on.

    Examples
    --------
    >>> print(Readiness(Phase.RESTORING, 0.634))
    restoring, 63%
    >>> print(Readiness(Phase.STANDBY))
    standby
    >>> print(Readiness(Phase.BLOCKED, blocked=(Blocked(3, "no_answer", 12.0, "no answer"),)))
    blocked, partition 3: no answer
    """

    phase: Phase
    fraction: float = 1.0
    blocked: tuple[Blocked, ...] = ()

    @classmethod
    def of_parts(cls, fractions: Iterable[float], blocked: Iterable[Blocked] = ()) -> "Readiness":
        """Sum up partitions, each given by the part of it that is restored, and those blocked.

        >>> print(Readiness.of_parts([1.0, 0.5]))
        restoring, 75%
        >>> print(Readiness.of_parts([1.0, 1.0]), Readiness.of_parts([]))
        active standby
        """
        parts, stuck = list(fractions), tuple(blocked)
        if not parts:
            return cls(Phase.STANDBY)
        fraction = sum(parts) / len(parts)
        if fraction < 1:
            return cls(Phase.RESTORING, fraction, stuck)
        return cls(Phase.BLOCKED if stuck else Phase.ACTIVE, blocked=stuck)

    @property
    def ready(self) -> bool:
        """Whether it does its work, or could take over at once."""
        return self.phase in (Phase.ACTIVE, Phase.STANDBY)

    def __str__(self) -> str:
        """Return the phase, the percentage while it restores, rounded down, and what is blocked."""
        words = [self.phase.value]
        if self.phase is Phase.RESTORING:
            words.append(f"{int(self.fraction * 100)}%")
        words += [f"partition {one.partition}: {one.why}" for one in self.blocked]
        return ", ".join(words)
