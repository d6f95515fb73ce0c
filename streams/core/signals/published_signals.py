"""The published state of signals, as sorted arrays."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.core.counting.sorted_counts import Keys, places_of
from streams.core.signals.new_evidence import Hashes

__all__ = ["Flags", "Rows", "Signals"]

_SIGNAL = np.dtype(
    [
        ("key", np.int64),  # drug and event
        ("revision", np.int64),  # of the last published alert, as all up to `facets`
        ("kind", np.int8),  # place in `KINDS`
        ("evaluated_on", np.int32),  # days since 1970-01-01
        ("on", np.int64),  # bit i: rule i of the rule set is on
        ("n_observed", np.int64),
        ("ror_lower", np.float64),  # NaN: undefined
        ("ic_lower", np.float64),
        ("facets", np.int64),  # bits of `streams.core.signals.new_evidence`
        ("looked_n", np.int64),  # at the last look; negative: not known, after a restart
        ("looked_entered", np.int64),  # the rules that fired then
    ]
)
_OPAQUE = np.dtype((np.void, _SIGNAL.itemsize))  # moved at a fifth of what it takes by field
Rows = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


class CaseHashes(Mapping[int, Hashes]):
    """Hashes of case ids, by the key of their signal.

    Held as bytes: an array of a few numbers takes 50 bytes more, in small pieces of the heap that
    large arrays come from and go back to.
    """

    def __init__(self) -> None:
        self._held: dict[int, bytes] = {}

    def __getitem__(self, key: int) -> Hashes:
        return np.frombuffer(self._held[key], dtype=np.uint64)

    def __iter__(self) -> Iterator[int]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def update(self, published: Mapping[int, Hashes]) -> None:
        """Replace those of some signals."""
        self._held.update((key, hashes.tobytes()) for key, hashes in published.items())


class Signals:
    """The published state of the signals of one window instance, sorted by key."""

    def __init__(self, rows: npt.NDArray[Any] | None = None) -> None:
        self.rows = np.empty(0, dtype=_SIGNAL) if rows is None else _by_key(rows)
        self.named = CaseHashes()  # of the case ids published
        self.dropped: dict[int, tuple[str, ...]] = {}  # names of rules on that are not asked

    @staticmethod
    def row(**values: Any) -> npt.NDArray[Any]:
        """Return one row a `key`; what is not given is 0."""
        rows = np.zeros(np.size(values["key"]), dtype=_SIGNAL)
        for name, value in values.items():
            rows[name] = value
        return rows

    @property
    def on(self) -> Keys:
        """Keys of the signals that are on."""
        keys: Keys = self.rows["key"][self.rows["on"] != 0]
        return keys

    def within(self, keys: Keys) -> tuple[Rows, Rows]:
        """Return the places of the signals among sorted keys: here, and there."""
        published = self.rows["key"].copy()  # side by side: they are searched
        if len(keys) < len(published):  # the fewer among the more
            there, here = places_of(published, keys)
        else:
            here, there = places_of(keys, published)
        return here, there

    def publish(self, rows: npt.NDArray[Any], named: dict[int, Hashes]) -> None:
        """Take over what was published: rows, and the hashes of their case ids."""
        rows = _by_key(rows)
        at = np.searchsorted(self.rows["key"], rows["key"])
        known = at < len(self.rows)
        known[known] = self.rows["key"][at[known]] == rows["key"][known]
        self.rows[at[known]] = rows[known]
        if not known.all():
            held, new = self.rows.view(_OPAQUE), rows[~known].view(_OPAQUE)
            self.rows = np.insert(held, at[~known], new).view(_SIGNAL)
        for key in rows["key"].tolist():
            self.dropped.pop(key, None)
        self.named.update(named)


def _by_key(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    ordered: npt.NDArray[Any] = rows[np.argsort(rows["key"], kind="stable")]
    return ordered
