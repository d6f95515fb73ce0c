"""Cases with their identifiers, and the index of the cases that share one."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from streams.core.cases.transitions import CaseVersion
from streams.core.duplicates.identifiers import CaseIdentifiers

__all__ = ["IdentityIndex", "KnownCase", "MemoryIndex", "key_changes"]

_NONE = CaseIdentifiers((), (), 0)


class KnownCase(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Latest version of a case, with every decision on it, and its identifiers."""

    version: CaseVersion
    identifiers: CaseIdentifiers = _NONE

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of the case in the index: none once it is nullified."""
        return () if self.version.nullified else self.identifiers.keys


class IdentityIndex(Protocol):
    """Latest version of every case, and the cases of every identifier."""

    def cases(self, case_ids: Sequence[str]) -> Mapping[str, KnownCase]:
        """Return the known cases among those asked for."""

    def sharing(self, key: str, most: int) -> set[str]:
        """Return the cases that have a key, at most `most` of them."""


class MemoryIndex:
    """`IdentityIndex` in memory."""

    def __init__(self) -> None:
        self._cases: dict[str, KnownCase] = {}
        self._sharing: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._cases)

    def __contains__(self, case_id: str) -> bool:
        return case_id in self._cases

    def cases(self, case_ids: Sequence[str]) -> Mapping[str, KnownCase]:
        """Return the known cases among those asked for."""
        known = self._cases
        return {case_id: known[case_id] for case_id in case_ids if case_id in known}

    def sharing(self, key: str, most: int) -> set[str]:
        """Return all cases that have a key: in memory that costs nothing."""
        return self._sharing.get(key, set())

    def update(self, updates: Mapping[str, KnownCase]) -> None:
        """Apply the updates of `relink`."""
        for case_id, case in updates.items():
            removed, added = key_changes(self._cases.get(case_id), case)
            for key in removed:
                self._sharing[key].discard(case_id)
            for key in added:
                self._sharing.setdefault(key, set()).add(case_id)
            self._cases[case_id] = case


def key_changes(stored: KnownCase | None, case: KnownCase) -> tuple[set[str], set[str]]:
    """Return the keys that a case lost, and those it gained."""
    before, after = set(stored.keys if stored else ()), set(case.keys)
    return before - after, after - before
