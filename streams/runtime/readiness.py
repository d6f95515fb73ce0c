"""What a worker is doing now, for whoever decides whether it may be relied upon."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Phase", "Readiness"]


class Phase(StrEnum):
    """What a worker, or one partition of it, is doing."""

    JOINING = "joining"  # waits for its group: it knows of no partition
    RESTORING = "restoring"  # makes its state again; nothing is counted meanwhile
    ACTIVE = "active"  # counts and publishes
    STANDBY = "standby"  # a member of its group without a partition


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a worker is doing, and how far it is with it.

    Attributes
    ----------
    phase
        The least ready of what it does: a worker that still restores one partition restores.
    fraction
        Part of the work of this phase that is done, 0 to 1; 1 for the phases that do not end.

    Examples
    --------
    >>> print(Readiness(Phase.RESTORING, 0.634))
    restoring, 63%
    >>> print(Readiness(Phase.STANDBY))
    standby
    """

    phase: Phase
    fraction: float = 1.0

    @classmethod
    def of_parts(cls, fractions: Iterable[float]) -> "Readiness":
        """Sum up partitions, each given by the part of it that is restored.

        >>> print(Readiness.of_parts([1.0, 0.5]))
        restoring, 75%
        >>> print(Readiness.of_parts([1.0, 1.0]), Readiness.of_parts([]))
        active standby
        """
        parts = list(fractions)
        if not parts:
            return cls(Phase.STANDBY)
        fraction = sum(parts) / len(parts)
        return cls(Phase.ACTIVE) if fraction >= 1 else cls(Phase.RESTORING, fraction)

    @property
    def ready(self) -> bool:
        """Whether it does its work, or could take over at once."""
        return self.phase in (Phase.ACTIVE, Phase.STANDBY)

    def __str__(self) -> str:
        """Return the phase, with the percentage while it restores, rounded down."""
        if self.phase is Phase.RESTORING:
            return f"{self.phase.value}, {int(self.fraction * 100)}%"
        return self.phase.value
