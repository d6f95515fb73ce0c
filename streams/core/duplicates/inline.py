"""Exact duplicates in a log that one process reads in order: linked before they count."""

from collections.abc import Callable, Mapping, Sequence

from streams.core.cases.from_report import link_version
from streams.core.cases.transitions import CaseVersion
from streams.core.duplicates.exact import relink
from streams.core.duplicates.known_cases import KnownCase, MemoryIndex

__all__ = ["InlineLinks"]

Stored = Callable[[Sequence[str]], Mapping[str, CaseVersion]]


class InlineLinks:
    """Computes the links that result from each batch of versions.

    Cases are indexed once they state an identifier. For the others, and some sources send no
    identifiers at all, the latest version is looked up when needed: a late old version may state
    an identifier that a later one no longer has.

    Parameters
    ----------
    stored
        Gives the latest versions before the batch, of the cases asked for.
    """

    def __init__(self, stored: Stored) -> None:
        self._index = _IdentifiedCases(stored)
        self.refused = 0  # identifiers that too many cases came to share

    def links(
        self, versions: Sequence[CaseVersion], identified: Sequence[KnownCase]
    ) -> list[CaseVersion]:
        """Return the links that result from a batch, as case versions.

        Parameters
        ----------
        versions
            All versions of the batch, links of other deciders included.
        identified
            Those that state an identifier, with their identifiers.
        """
        index = self._index
        if not (identified or index):
            return []
        stated = {case.version.case_id for case in identified}
        arrived = list(identified)
        for version in versions:
            if version.links or version.case_id in stated or version.case_id in index:
                arrived.append(KnownCase(version))
        step = relink(arrived, index)
        index.update(step.updates)
        self.refused += len(step.refused)
        return [link_version(link) for link in step.links]


class _IdentifiedCases(MemoryIndex):
    """Index of the cases with identifiers or links; it looks up all others."""

    def __init__(self, stored: Stored) -> None:
        super().__init__()
        self._stored = stored

    def cases(self, case_ids: Sequence[str]) -> Mapping[str, KnownCase]:
        """Return the known cases among those asked for."""
        found = dict(super().cases(case_ids))
        others = [case_id for case_id in case_ids if case_id not in found]
        stored = self._stored(others)
        found.update((case_id, KnownCase(version)) for case_id, version in stored.items())
        return found
