"""Suppressed signal changes of a replay: the last one of each signal since its last revision."""

from collections import Counter
from collections.abc import Sequence

from schemas.suppressed import Suppressed

__all__ = ["SuppressedChanges"]


class SuppressedChanges:
    """Collects suppressed changes while files are replayed."""

    def __init__(self) -> None:
        self._by_key: dict[str, Suppressed] = {}
        self.by_reason: Counter[str] = Counter()
        """Every change of the replay by reason, also those that a later one took the place of."""

    def add(self, suppressed: Suppressed) -> None:
        """Add a change; it takes the place of the signal's earlier one."""
        self._by_key[suppressed.signal_key] = suppressed
        self.by_reason[suppressed.reason.value] += 1

    def published(self, signal_key: str) -> None:
        """Drop the change of a signal, since a revision of it was published."""
        self._by_key.pop(signal_key, None)

    def __len__(self) -> int:
        return len(self._by_key)

    def latest_first(self) -> Sequence[Suppressed]:
        """Return the changes, those of the last day first."""
        return sorted(
            self._by_key.values(),
            key=lambda one: (-one.evaluated_on.toordinal(), one.signal_key),
        )
