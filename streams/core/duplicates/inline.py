"""Exact duplicates in a log that is read by one process, in order: linked before they count."""

from collections.abc import Callable, Mapping, Sequence

from streams.core.cases.from_report import link_version
from streams.core.cases.transitions import CaseVersion
from streams.core.duplicates.exact import KnownCase, MemoryIndex, relink

__all__ = ["InlineLinks"]

Held = Callable[[Sequence[str]], Mapping[str, CaseVersion]]


class InlineLinks:
    """Computes the links that result from each batch of versions.

    Cases are indexed once they state an identifier. Of the others, which some sources send nothing
    but, the latest version is asked for where it is needed: a late old version may state what a
    later one took back.

    Parameters
    ----------
    held
        Gives the latest versions before the batch, of the cases asked for.
    """

    def __init__(self, held: Held) -> None:
        self._index = _IndexOf(held)
        self.refused = 0  # identifiers that too many cases came to share

    def links(
        self, versions: Sequence[CaseVersion], identified: Sequence[KnownCase]
    ) -> list[CaseVersion]:
        """Return the links that result from a batch, as case versions.

        Parameters
        ----------
        versions
            All that came, links of others included.
        identified
            Those that state an identifier, with it.
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


class _IndexOf(MemoryIndex):
    """An index of the cases with identifiers or links, before that of all others."""

    def __init__(self, held: Held) -> None:
        super().__init__()
        self._held = held

    def cases(self, case_ids: Sequence[str]) -> Mapping[str, KnownCase]:
        """Return the cases that are known, of those asked for."""
        found = dict(super().cases(case_ids))
        others = [case_id for case_id in case_ids if case_id not in found]
        found.update((each, KnownCase(held)) for each, held in self._held(others).items())
        return found
